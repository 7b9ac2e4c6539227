/* SPDX-License-Identifier: MIT */
/*
 * The text screen, read back from its pixels by comparing each cell with the font.
 * LINK: drivers/screen.c boot/font.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "boot/font.h"
#include "drivers/screen.h"

enum { WIDTH = 84, HEIGHT = 163, PITCH = 96 * 4, COLUMNS = 10, ROWS = 10 };

static struct screen screen;
static u32 pixels[HEIGHT * PITCH / 4];

static const struct screen_desc desc = { .width = WIDTH, .height = HEIGHT, .pitch = PITCH, .format = SCREEN_BGRX, .font = font_rows };

static bool cell_is(u32 row, u32 column, char c)
{
    for (u32 y = 0; y < FONT_HEIGHT; y++)
        for (u32 x = 0; x < FONT_WIDTH; x++) {
            bool ink = font_rows[c - FONT_FIRST][y / 2] >> (7 - x) & 1;

            if (pixels[(row * FONT_HEIGHT + y) * PITCH / 4 + column * FONT_WIDTH + x] != (ink ? screen.ink : screen.paper))
                return false;
        }
    return true;
}

static void assert_row(u32 row, const char *text)
{
    for (u32 column = 0; column < COLUMNS; column++)
        assert_true(cell_is(row, column, column < strlen(text) ? text[column] : ' '));
}

static void type(const char *text)
{
    screen_write(&screen, text, strlen(text));
}

static int setup(void **state)
{
    (void)state;
    memset(pixels, 0x77, sizeof(pixels));
    return screen_init(&screen, &desc, pixels) ? 0 : -1;
}

static void test_init(void **state)
{
    (void)state;
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = 0; x < PITCH / 4; x++)
            assert_int_equal(pixels[y * PITCH / 4 + x], x < WIDTH ? screen.paper : 0x77777777);
}

static void test_formats(void **state)
{
    struct screen_desc d = desc;
    u32 bgrx = screen.paper;

    (void)state;
    d.format = SCREEN_RGBX;
    assert_true(screen_init(&screen, &d, pixels));
    assert_int_equal(screen.paper, (bgrx & 0xff) << 16 | (bgrx & 0xff00) | bgrx >> 16);
}

static void test_bad_modes(void **state)
{
    struct screen_desc d = desc;

    (void)state;
    d.width = 7;
    assert_false(screen_init(&screen, &d, pixels));
    type("nothing happens");
    d = desc;
    d.height = 15;
    assert_false(screen_init(&screen, &d, pixels));
    d = desc;
    d.pitch = WIDTH * 4 - 4;
    assert_false(screen_init(&screen, &d, pixels));
}

static void test_text(void **state)
{
    (void)state;
    type("Hello\nab\tc\nxy\bz\rX\n\x01\xff~");
    assert_row(0, "Hello");
    assert_row(1, "ab      c");
    assert_row(2, "Xz");
    assert_row(3, "?\?~");
}

static void test_wrap(void **state)
{
    (void)state;
    type("0123456789");
    assert_row(0, "0123456789");
    type("ab\b\b\b\bc");
    assert_row(1, "cb");
    type("\r0123456789\nx");
    assert_row(2, "x"); /* a full line and its end make one line */
}

static void test_tab_at_the_edge(void **state)
{
    (void)state;
    type("12345678\tx");
    assert_row(0, "12345678");
    assert_row(1, "x");
}

static void test_scroll(void **state)
{
    char line[8];

    (void)state;
    for (u32 i = 0; i < 25; i++) {
        snprintf(line, sizeof(line), "l%u\n", i);
        type(line);
    }
    for (u32 row = 0; row < ROWS; row++) {
        u32 first = 25 - screen.row;

        snprintf(line, sizeof(line), "l%u", first + row);
        assert_row(row, row < screen.row ? line : "");
    }
    assert_true(screen.row >= 1 && screen.row < ROWS);
}

static void test_draws_only_changes(void **state)
{
    (void)state;
    type("ab");
    memset(pixels, 0x77, sizeof(pixels));
    type("\rax");
    assert_int_equal(pixels[0], 0x77777777);
    assert_true(cell_is(0, 1, 'x'));
    assert_int_equal(pixels[16], 0x77777777);
}

static void test_stays_inside(void **state)
{
    (void)state;
    for (u32 i = 0; i < 300; i++)
        type("all work and no play makes a dull screen ");
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = COLUMNS * FONT_WIDTH; x < PITCH / 4; x++)
            assert_int_equal(pixels[y * PITCH / 4 + x], x < WIDTH ? screen.paper : 0x77777777);
}

static void test_font(void **state)
{
    (void)state;
    for (u32 i = 0; i < FONT_GLYPHS; i++)
        for (u32 k = 0; k < i; k++)
            assert_memory_not_equal(font_rows[i], font_rows[k], FONT_ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_init, setup),
        cmocka_unit_test_setup(test_formats, setup),
        cmocka_unit_test_setup(test_bad_modes, setup),
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_tab_at_the_edge, setup),
        cmocka_unit_test_setup(test_scroll, setup),
        cmocka_unit_test_setup(test_draws_only_changes, setup),
        cmocka_unit_test_setup(test_stays_inside, setup),
        cmocka_unit_test_setup(test_font, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
