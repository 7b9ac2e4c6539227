/* SPDX-License-Identifier: MIT */
/*
 * Scan codes to bytes.
 * LINK: hv/keys.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "hv/keys.h"

enum { A = 0x1e, C = 0x2e, T = 0x14, ONE = 0x02, SPACE = 0x39, SHIFT = 0x2a, RIGHT_SHIFT = 0x36, CTRL = 0x1d, ALT = 0x38, CAPS = 0x3a,
       UP = 0x80, E0 = 0xe0 };

/* The bytes that a row of codes sends; it ends with 0. */
static const char *sent(struct keys *k, const u8 *codes)
{
    static char all[256];
    char out[KEYS_BYTES];

    all[0] = '\0';
    for (; *codes; codes++) {
        keys_take(k, *codes, out);
        assert_in_range(strlen(out), 0, KEYS_BYTES - 1);
        strcat(all, out);
    }
    return all;
}
#define SENT(k, ...) sent(k, (const u8[]){ __VA_ARGS__, 0 })

static void test_letters(void **state)
{
    struct keys k = { 0 };

    (void)state;
    assert_string_equal(SENT(&k, A, A | UP, ONE, ONE | UP, SPACE, 0x1c, 0x0e, 0x0f, 0x01), "a1 \r\177\t\033");
    assert_string_equal(SENT(&k, SHIFT, A, ONE, SHIFT | UP, A, RIGHT_SHIFT, ONE, RIGHT_SHIFT | UP, ONE), "A!a!1");
    /* One of two that are down is let go of. */
    assert_string_equal(SENT(&k, SHIFT, RIGHT_SHIFT, SHIFT | UP, A, RIGHT_SHIFT | UP, A), "Aa");
    assert_string_equal(SENT(&k, 0x1a, 0x27, 0x28, 0x29, 0x2b, 0x35, 0x56), "[;'`\\/\\");
}

static void test_caps(void **state)
{
    struct keys k = { 0 };

    (void)state;
    assert_string_equal(SENT(&k, CAPS, CAPS | UP, A, ONE, SHIFT, A, ONE, SHIFT | UP, CAPS, CAPS | UP, A), "A1a!a");
}

static void test_ctrl_and_alt(void **state)
{
    struct keys k = { 0 };

    (void)state;
    assert_string_equal(SENT(&k, CTRL, T, C, SHIFT, C, SHIFT | UP, 0x1b, CTRL | UP, T), "\024\003\003\035t");
    assert_string_equal(SENT(&k, E0, CTRL, T, E0, CTRL | UP, T), "\024t");
    assert_string_equal(SENT(&k, CTRL, SPACE, CTRL | UP, SPACE), " "); /* a zero is no byte here */
    assert_string_equal(SENT(&k, ALT, A, E0, 0x48, ALT | UP, A), "\033a\033\033[Aa");
    assert_string_equal(SENT(&k, ALT, CTRL, SPACE, CTRL | UP, ALT | UP), "");
}

static void test_others(void **state)
{
    struct keys k = { 0 };

    (void)state;
    assert_string_equal(SENT(&k, E0, 0x48, E0, 0x48 | UP, E0, 0x50, E0, 0x4b, E0, 0x4d), "\033[A\033[B\033[D\033[C");
    /* What keyboards send around cursor keys is no shift. */
    assert_string_equal(SENT(&k, E0, SHIFT, E0, 0x53, E0, SHIFT | UP, A), "\033[3~a");
    assert_string_equal(SENT(&k, 0x48, 0x53, E0, 0x1c, E0, 0x35), "8.\r/");
    assert_string_equal(SENT(&k, 0x3b, 0x58, 0x45, 0x46), "\033OP\033[24~");
}

static void test_pause(void **state)
{
    struct keys k = { 0 };

    (void)state;
    assert_string_equal(SENT(&k, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, C), "c");
    assert_false(k.ctrl);
}

/* Any code in any state sends what fits. */
static void test_any(void **state)
{
    struct keys k = { 0 };
    u32 seed = 1;

    (void)state;
    for (u32 i = 0; i < 200000; i++) {
        char out[KEYS_BYTES];

        memset(out, 'x', sizeof(out));
        seed = seed * 1664525 + 1013904223;
        keys_take(&k, (u8)(seed >> 24), out);
        assert_non_null(memchr(out, '\0', sizeof(out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters), cmocka_unit_test(test_caps),  cmocka_unit_test(test_ctrl_and_alt),
        cmocka_unit_test(test_others),  cmocka_unit_test(test_pause), cmocka_unit_test(test_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
