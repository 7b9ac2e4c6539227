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
static u8 memory[HEIGHT * PITCH];
static u32 ink, paper; /* of the 32-bit screen: what the first letter was drawn in */

static const struct screen_desc desc = {
    .width = WIDTH, .height = HEIGHT, .pitch = PITCH, .bytes = 4, .red = { 16, 8 }, .green = { 8, 8 }, .blue = { 0, 8 }, .font = font_rows
};

static u32 pixel(u32 x, u32 y)
{
    u32 value = 0;

    memcpy(&value, memory + y * PITCH + x * screen.desc.bytes, screen.desc.bytes);
    return value;
}

/* In any ink of one's own. */
static bool cell_in(u32 row, u32 column, char c, u32 with)
{
    for (u32 y = 0; y < FONT_HEIGHT; y++)
        for (u32 x = 0; x < FONT_WIDTH; x++) {
            bool lit = font_rows[c - FONT_FIRST][y / 2] >> (7 - x) & 1;

            if (pixel(column * FONT_WIDTH + x, row * FONT_HEIGHT + y) != (lit ? with : paper))
                return false;
        }
    return true;
}

static bool cell_is(u32 row, u32 column, char c)
{
    return cell_in(row, column, c, ink);
}

static void assert_row(u32 row, const char *text)
{
    for (u32 column = 0; column < COLUMNS; column++)
        assert_true(cell_is(row, column, column < strlen(text) ? text[column] : ' '));
}

static void type(const char *text)
{
    screen_write(&screen, text, strlen(text));
    (void)screen_show(&screen, ~0u);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0x77, sizeof(memory));
    if (!screen_init(&screen, &desc, memory))
        return -1;
    paper = 0x101828;
    ink = 0xf0f4e8;
    return 0;
}

static void test_init(void **state)
{
    (void)state;
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = 0; x < PITCH / 4; x++)
            assert_int_equal(pixel(x, y), x < WIDTH ? paper : 0x77777777);
}

static void test_formats(void **state)
{
    struct screen_desc d = desc;

    (void)state;
    d.red.shift = 0;
    d.blue.shift = 16;
    assert_true(screen_init(&screen, &d, memory));
    paper = 0x281810, ink = 0xe8f4f0;
    type("R");
    assert_true(cell_is(0, 0, 'R'));
    d.red = (struct screen_colour){ 20, 10 }, d.green = (struct screen_colour){ 10, 10 }, d.blue = (struct screen_colour){ 0, 10 };
    assert_true(screen_init(&screen, &d, memory));
    paper = 0x40 << 20 | 0x60 << 10 | 0xa0, ink = 0x3c0u << 20 | 0x3d0 << 10 | 0x3a0;
    type("D");
    assert_true(cell_is(0, 0, 'D'));
    d.bytes = 2;
    d.red = (struct screen_colour){ 11, 5 }, d.green = (struct screen_colour){ 5, 6 }, d.blue = (struct screen_colour){ 0, 5 };
    memset(memory, 0x77, sizeof(memory));
    assert_true(screen_init(&screen, &d, memory));
    paper = 0x10 >> 3 << 11 | 0x18 >> 2 << 5 | 0x28 >> 3, ink = 0xf0 >> 3 << 11 | 0xf4 >> 2 << 5 | 0xe8 >> 3;
    type("low");
    assert_true(cell_is(0, 0, 'l') && cell_is(0, 1, 'o') && cell_is(0, 2, 'w') && cell_is(0, 3, ' '));
    assert_int_equal(pixel(WIDTH, 0), 0x7777);
}

static void test_inks(void **state)
{
    (void)state;
    type("a\x82");
    type("b\x80");
    type("c\x8a");
    assert_true(cell_is(0, 0, 'a') && cell_in(0, 1, 'b', 0x8cd0ff) && cell_is(0, 2, 'c') && cell_is(0, 3, '?'));
    type("\r\x83");
    type("a"); /* the same letter in another ink is drawn anew */
    assert_true(cell_in(0, 0, 'a', 0xa8e88c));
}

static u32 scale_of(u32 width, u32 height)
{
    static u8 big[3842 * 2160 * 4];
    struct screen_desc d = desc;

    d.width = width, d.height = height, d.pitch = width * 4 + 8;
    assert_true(sizeof(big) >= (size_t)d.pitch * height && screen_init(&screen, &d, big));
    assert_in_range(screen.columns * FONT_WIDTH * screen.scale, 0, width);
    assert_in_range(screen.rows * FONT_HEIGHT * screen.scale, 0, height);
    type("\nX");
    for (u32 y = 0; y < FONT_HEIGHT * screen.scale; y++)
        for (u32 x = 0; x < FONT_WIDTH * screen.scale; x++) {
            bool lit = font_rows['X' - FONT_FIRST][y / screen.scale / 2] >> (7 - x / screen.scale) & 1;
            u32 value;

            memcpy(&value, big + (size_t)(FONT_HEIGHT * screen.scale + y) * d.pitch + x * 4, 4);
            assert_int_equal(value, lit ? ink : paper);
        }
    return screen.scale;
}

static void test_scales(void **state)
{
    (void)state;
    assert_int_equal(scale_of(640, 480), 1);
    assert_int_equal(screen.columns, 80);
    assert_int_equal(scale_of(1280, 960), 1);
    assert_int_equal(scale_of(1366, 768), 1); /* twice as large: 85 columns, 24 rows */
    assert_int_equal(screen.columns, SCREEN_COLUMNS);
    assert_int_equal(scale_of(1440, 900), 1);
    assert_int_equal(scale_of(1600, 900), 2);
    assert_int_equal(scale_of(1920, 1080), 2);
    assert_int_equal(screen.columns, 120);
    assert_int_equal(scale_of(2560, 1440), 2);
    assert_int_equal(screen.rows, 45);
    assert_int_equal(scale_of(3840, 2160), 3);
    assert_int_equal(screen.columns, SCREEN_COLUMNS);
}

static void test_bad_modes(void **state)
{
    struct screen_desc d = desc;

    (void)state;
    d.width = 7;
    assert_false(screen_init(&screen, &d, memory));
    type("nothing happens");
    d = desc;
    d.height = 15;
    assert_false(screen_init(&screen, &d, memory));
    d = desc;
    d.pitch = WIDTH * 4 - 4;
    assert_false(screen_init(&screen, &d, memory));
    d = desc;
    d.bytes = 3;
    assert_false(screen_init(&screen, &d, memory));
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
    memset(memory, 0x77, sizeof(memory));
    type("\rax");
    assert_int_equal(pixel(0, 0), 0x77777777);
    assert_true(cell_is(0, 1, 'x'));
    assert_int_equal(pixel(16, 0), 0x77777777);
}

/* A screen that scrolls changes all over: that is done some letters at a time, as somebody waits for the processor. */
static void test_some_at_a_time(void **state)
{
    u32 steps = 0;

    (void)state;
    for (u32 i = 0; i < ROWS; i++)
        screen_write(&screen, "0123456789", COLUMNS);
    for (bool all = false; !all; steps++) {
        static u8 before[sizeof(memory)];
        u32 letters = 0;

        memcpy(before, memory, sizeof(memory));
        all = screen_show(&screen, 3);
        for (u32 row = 0; row < ROWS; row++)
            for (u32 column = 0; column < COLUMNS; column++) {
                bool changed = false;

                for (u32 y = 0; y < FONT_HEIGHT; y++)
                    changed |= memcmp(&before[(row * FONT_HEIGHT + y) * PITCH + column * FONT_WIDTH * 4],
                                      &memory[(row * FONT_HEIGHT + y) * PITCH + column * FONT_WIDTH * 4], FONT_WIDTH * 4) != 0;
                letters += changed;
            }
        assert_true(letters <= 3);
    }
    assert_true(steps >= COLUMNS * ROWS / 3);
    for (u32 row = 0; row < ROWS; row++)
        assert_row(row, "0123456789");
}

/* What is written while the rest is still to be drawn is not forgotten. */
static void test_written_meanwhile(void **state)
{
    (void)state;
    type("first\n");
    screen_write(&screen, "abc\ndefghij", 11);
    assert_false(screen_show(&screen, 5));
    screen_write(&screen, "\rD", 2);
    while (!screen_show(&screen, 1))
        ;
    assert_row(0, "first");
    assert_row(1, "abc");
    assert_row(2, "Defghij");
}

static void test_stays_inside(void **state)
{
    (void)state;
    for (u32 i = 0; i < 300; i++)
        type("all work and no play makes a dull screen ");
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = COLUMNS * FONT_WIDTH; x < PITCH / 4; x++)
            assert_int_equal(pixel(x, y), x < WIDTH ? paper : 0x77777777);
}

static void test_narrow(void **state)
{
    (void)state;
    type("0123456789\nabc");
    screen_narrow(&screen, 4);
    assert_row(0, "");
    assert_row(1, "");
    type("abcdef");
    assert_row(0, "abcd");
    assert_row(1, "ef");
    screen_narrow(&screen, 99);
    type("abcde");
    assert_row(1, "e");
}

static void test_box(void **state)
{
    (void)state;
    screen_box(&screen, 2, 3, 4, 5, true);
    screen_box(&screen, 3, 4, 1, 1, false);
    screen_box(&screen, WIDTH - 1, HEIGHT - 1, 9, 9, true);
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = 0; x < PITCH / 4; x++) {
            bool white = (x >= 2 && x < 6 && y >= 3 && y < 8) || (x == WIDTH - 1 && y == HEIGHT - 1);
            u32 other = x < WIDTH ? paper : 0x77777777;

            assert_int_equal(pixel(x, y), x == 3 && y == 4 ? 0 : white ? 0xffffff : other);
        }
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
        cmocka_unit_test_setup(test_inks, setup),
        cmocka_unit_test_setup(test_scales, setup),
        cmocka_unit_test_setup(test_bad_modes, setup),
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_tab_at_the_edge, setup),
        cmocka_unit_test_setup(test_scroll, setup),
        cmocka_unit_test_setup(test_draws_only_changes, setup),
        cmocka_unit_test_setup(test_some_at_a_time, setup),
        cmocka_unit_test_setup(test_written_meanwhile, setup),
        cmocka_unit_test_setup(test_stays_inside, setup),
        cmocka_unit_test_setup(test_narrow, setup),
        cmocka_unit_test_setup(test_box, setup),
        cmocka_unit_test_setup(test_font, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
