/* SPDX-License-Identifier: MIT */
/*
 * What a panic leaves on screens of all sizes: the report whole, at the left, and its code at the right, with modules as
 * large as fit; or nothing.
 * LINK: hv/panic_screen.c hv/lib/pack.c hv/lib/qr.c hv/lib/log.c hv/lib/fmt.c drivers/screen.c boot/font.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/font.h"
#include "drivers/screen.h"
#include "hv/lib/log.h"
#include "hv/lib/pack.h"
#include "hv/lib/qr.h"
#include "hv/panic_screen.h"
#include "hv/terminal.h"

#define PAPER 0x101828u
#define WHITE 0xffffffu

static struct screen screen;
static bool have_screen;
static u32 *pixels, width, height;

struct screen *terminal_get_screen(void)
{
    return have_screen ? &screen : NULL;
}

/* Of just that size: a pixel beside it is a report of the sanitizer. */
static void start(u32 w, u32 h)
{
    struct screen_desc desc = {
        .width = w, .height = h, .pitch = 4 * w, .bytes = 4, .red = { 16, 8 }, .green = { 8, 8 }, .blue = { 0, 8 }, .font = font_rows
    };

    free(pixels);
    width = w;
    height = h;
    pixels = calloc((size_t)w * h, 4);
    assert_non_null(pixels);
    have_screen = screen_init(&screen, &desc, pixels);
    assert_true(have_screen);
}

/* @before: lines of log; @deep: calls. */
static void report(u32 before, u32 deep)
{
    for (u32 i = 0; i < 200; i++)
        log_info("old %u", i * 7919 % 1000);
    for (u32 i = 0; i < before; i++)
        log_info("partition-%u: exited with status %u", i * 104729 % 9973, i * 7919 % 1000);
    log_error("*** exception in the hypervisor on core 0: #UD invalid opcode, error code 0x0");
    for (u32 i = 0; i < 11; i++)
        log_error("R%02u %016lx R%02u %016lx", i, i * 0x123456789abcdeful, i, i * 0xfedcba987654321ul);
    for (u32 i = 0; i < deep; i++)
        log_error("  called from +0x%x", i * 7919);
}

/* The letter at a place, by its pixels in the usual ink; 0: none. */
static char letter(u32 row, u32 column)
{
    u32 dot = screen.scale, left = column * FONT_WIDTH * dot, top = row * FONT_HEIGHT * dot;

    for (char c = ' '; c <= '~'; c++) {
        bool same = true;

        for (u32 i = 0; i < FONT_ROWS * FONT_WIDTH && same; i++) {
            u32 lit = pixels[(top + i / FONT_WIDTH * 2 * dot) * width + left + i % FONT_WIDTH * dot] != PAPER;

            same = lit == (font_rows[c - ' '][i / FONT_WIDTH] >> (7 - i % FONT_WIDTH) & 1);
        }
        if (same)
            return c;
    }
    return 0;
}

static bool line_begins(u32 row, const char *text)
{
    for (u32 i = 0; text[i]; i++)
        if (letter(row, i) != text[i])
            return false;
    return true;
}

static bool is_shown(const char *text)
{
    for (u32 row = 0; row < screen.rows; row++)
        if (line_begins(row, text))
            return true;
    return false;
}

/* The code is at the top right, so large that one pixel more a module would not fit. */
static void assert_code(void)
{
    static char log[KIB(16)], text[QR_CHARS];
    static struct qr qr;
    u32 side, scale, left;

    assert_true(qr_encode(&qr, text, pack_log(text, sizeof(text), log, log_tail(log, sizeof(log)))));
    side = qr.side + 2 * QR_MARGIN;
    scale = MIN(height, width - 48 * FONT_WIDTH * screen.scale) / side;
    left = width - scale * side;
    for (u32 y = 0; y < scale * side; y++)
        for (u32 x = 0; x < scale * side; x++) {
            u32 u = x / scale - QR_MARGIN, v = y / scale - QR_MARGIN;
            bool dark = u < qr.side && v < qr.side && qr.module[v][u] & QR_DARK;

            assert_int_equal(pixels[y * width + left + x], dark ? 0 : WHITE);
        }
    assert_int_equal(pixels[(height - 1) * width + left - 1], PAPER);
}

static void test_sizes(void **state)
{
    static const u32 sizes[][2] = {
        { 640, 480 }, { 800, 600 }, { 1024, 768 }, { 1280, 800 }, { 1366, 768 }, { 1920, 1080 }, { 1080, 1920 }, { 3840, 2160 }
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
        for (u32 before = 0; before < 300; before += 50) {
            start(sizes[i][0], sizes[i][1]);
            report(before, 5);
            assert_true(panic_screen());
            assert_code();
            assert_true(is_shown("[pith] *** exception in the hypervisor"));
            assert_true(is_shown("[pith] R10 0b60b60b60b60b56 "));
            assert_true(is_shown("[pith]   called from +0x7bbc"));
        }
}

/* What is said behind it, in two lines, leaves the code and the report as they are. */
static void test_last_words(void **state)
{
    static const char words[] = "[pith] *** stopped; Ctrl-T restarts. Report the lines above, or what a phone finds in the code\n";

    (void)state;
    start(640, 480);
    report(100, 9);
    assert_true(panic_screen());
    assert_true(line_begins(0, "[pith] "));
    screen_write(&screen, words, sizeof(words) - 1);
    assert_true(screen_show(&screen, ~0u));
    assert_code();
    assert_true(is_shown("[pith] *** stopped; "));
    assert_true(is_shown("[pith] *** exception in the hypervisor"));
}

/* Where there is no room for both, the text stays as it is. */
static void test_text_first(void **state)
{
    static const u32 none[][3] = { { 320, 200, 3 }, { 383, 480, 3 }, { 500, 480, 3 }, { 540, 480, 3 }, { 640, 240, 3 }, { 640, 480, 16 } };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(none); i++) {
        start(none[i][0], none[i][1]);
        screen_write(&screen, "as it was", 9);
        assert_true(screen_show(&screen, ~0u));
        report(100, none[i][2]);
        assert_false(panic_screen());
        assert_true(line_begins(0, "as it was"));
    }
    have_screen = false;
    assert_false(panic_screen());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_text_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
