/* SPDX-License-Identifier: MIT */
/*
 * From UEFI's masks to where colours lie.
 * LINK: boot/pixels.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/pixels.h"

static struct handoff_fb fb;

static const char *layout(u32 red, u32 green, u32 blue, u32 reserved, u64 size)
{
    const struct pixel_masks m = { red, green, blue, reserved };

    fb = (struct handoff_fb){ .width = 800, .height = 600, .pitch = 832 };
    return pixels_layout(&fb, &m, size);
}

static void assert_colour(struct handoff_colour c, u8 shift, u8 bits)
{
    assert_int_equal(c.shift, shift);
    assert_int_equal(c.bits, bits);
}

static void good(void **state)
{
    (void)state;
    assert_null(layout(0xff0000, 0xff00, 0xff, 0xff000000, 832 * 600 * 4));
    assert_int_equal(fb.bytes, 4);
    assert_int_equal(fb.pitch, 832 * 4);
    assert_colour(fb.red, 16, 8);
    assert_colour(fb.green, 8, 8);
    assert_colour(fb.blue, 0, 8);
    assert_null(layout(0x3ff00000, 0xffc00, 0x3ff, 0xc0000000, 832 * 600 * 4));
    assert_colour(fb.red, 20, 10);
    assert_null(layout(0xf800, 0x7e0, 0x1f, 0, 832 * 600 * 2));
    assert_int_equal(fb.bytes, 2);
    assert_int_equal(fb.pitch, 832 * 2);
    assert_colour(fb.green, 5, 6);
    /* The firmware left the unused bits out: then there is memory for them. */
    assert_null(layout(0xff0000, 0xff00, 0xff, 0, 832 * 600 * 4));
    assert_int_equal(fb.bytes, 4);
    assert_null(layout(0xff000000, 0xff0000, 0xff00, 0xff, 832 * 600 * 4));
    assert_colour(fb.red, 24, 8);
}

static void bad(void **state)
{
    (void)state;
    assert_string_equal(layout(0xff0000, 0xff00, 0xff, 0, 832 * 600 * 3), "its pixels are 24 bits wide");
    assert_int_equal(fb.bytes, 0);
    assert_string_equal(layout(0xe0, 0x1c, 3, 0, 832 * 600), "its pixels are 8 bits wide");
    assert_non_null(layout(0, 0, 0, 0, 832 * 600 * 4));
    assert_non_null(layout(0xff0000, 0xff00, 0, 0xff000000, 832 * 600 * 4));
    assert_non_null(layout(0xf0f000, 0xf00, 0xff, 0, 832 * 600 * 4));
    assert_non_null(layout(0xff00, 0xff00, 0xff, 0xff000000, 832 * 600 * 4));
    assert_non_null(layout(0xff0000, 0x1ff00, 0xff, 0xff000000, 832 * 600 * 4));
}

static const char *shape(u32 width, u32 height, u32 pitch, u64 size)
{
    const struct pixel_masks m = { 0xff0000, 0xff00, 0xff, 0xff000000 };

    fb = (struct handoff_fb){ .width = width, .height = height, .pitch = pitch };
    return pixels_layout(&fb, &m, size);
}

static void shapes(void **state)
{
    static const u32 no_picture[][3] = { { 0, 600, 800 }, { 7, 600, 800 }, { 800, 0, 800 }, { 800, 15, 800 }, { 800, 600, 799 },
                                         { 800, 600, 0 },
                                         { 800, 600, 32769 }, { 800, 32769, 800 }, { ~0u, ~0u, ~0u }, { 800, 600, ~0u } };

    (void)state;
    assert_null(shape(8, 16, 8, 8 * 16 * 4));
    assert_null(shape(32768, 32768, 32768, 1ull << 32));
    assert_null(shape(800, 600, 832, 0)); /* the firmware does not know */
    assert_string_equal(shape(800, 600, 832, 832 * 600 * 4 - 1), "its picture is larger than its memory");
    assert_int_equal(fb.bytes, 0);
    for (u32 i = 0; i < ARRAY_SIZE(no_picture); i++)
        assert_string_equal(shape(no_picture[i][0], no_picture[i][1], no_picture[i][2], 0),
                            "its width, height and length of a line make no picture");
    assert_int_equal(fb.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad), cmocka_unit_test(shapes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
