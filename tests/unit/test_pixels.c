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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
