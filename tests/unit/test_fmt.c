/* SPDX-License-Identifier: MIT */
/*
 * fmt_str() against the C library's snprintf(), and str_copy().
 * LINK: hv/lib/fmt.c boot/image/str_copy.c
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/fmt.h"
#include "boot/image/parts.h"

#define SAME(...)                                                                        \
    do {                                                                                 \
        char want[256], got[256];                                                        \
        int n = snprintf(want, sizeof(want), __VA_ARGS__);                               \
        assert_int_equal(fmt_str(got, sizeof(got), __VA_ARGS__), n);                     \
        assert_string_equal(got, want);                                                  \
    } while (0)

static void test_numbers(void **state)
{
    (void)state;
    SAME("%d %d %d", 0, INT_MAX, INT_MIN);
    SAME("%d|%5d|%-5d|%05d|%05d", -1, 42, 42, 42, -42);
    SAME("%u %u", 0u, UINT_MAX);
    SAME("%x %08x %8x|%-8x|", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    SAME("%lld %llu %016llx", LLONG_MIN, ULLONG_MAX, 0x1234ull);
    SAME("%zu %zx", SIZE_MAX, (size_t)1);
    SAME("%1d %2d", 12345, -12345);
}

static void test_text(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%s", "");
    SAME("<%s> <%8s> <%-8s> <%.2s> <%8.2s> <%-8.2s>", "abc", "abc", "abc", "abc", "abc", "abc");
    SAME("%.0s|", "abcd");
    SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("100%% of %s%d", "n", 1);
}

static void test_precision_reads_no_further(void **state)
{
    char *three = malloc(3), got[8]; /* no terminator: the sanitizer watches its end */

    (void)state;
    memcpy(three, "abc", 3);
    assert_int_equal(fmt_str(got, sizeof(got), "%.3s", three), 3);
    assert_string_equal(got, "abc");
    free(three);
}

static void test_odd(void **state)
{
    char got[32];
    const char *volatile null = NULL;
    const char *unknown = "a%qb", *cut = "a%", *cut_width = "a%05l";

    (void)state;
    fmt_str(got, sizeof(got), "%s", null);
    assert_string_equal(got, "(null)");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    fmt_str(got, sizeof(got), unknown);
    assert_string_equal(got, "a%qb");
    fmt_str(got, sizeof(got), cut);
    assert_string_equal(got, "a");
    fmt_str(got, sizeof(got), cut_width);
    assert_string_equal(got, "a");
#pragma GCC diagnostic pop
}

static void test_truncation(void **state)
{
    (void)state;
    for (size_t size = 1; size < 16; size++) {
        char *got = malloc(size), want[16];

        snprintf(want, size, "%s-%05d", "abc", 12);
        assert_int_equal(fmt_str(got, size, "%s-%05d", "abc", 12), MIN(size - 1, 9u));
        assert_string_equal(got, want);
        assert_int_equal(fmt_str(got, size, "%2000000000s", "x"), size - 1);
        free(got);
    }
    assert_int_equal(fmt_str(NULL, 0, "%d", 1), 0);
}

static void test_str_copy(void **state)
{
    char dst[4] = "???";

    (void)state;
    assert_true(str_copy(dst, "abc", sizeof(dst)));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, "wxyz", sizeof(dst)));
    assert_string_equal(dst, "wxy");
    assert_true(str_copy(dst, "", 1));
    assert_string_equal(dst, "");
    assert_false(str_copy(dst, "a", 1));
    assert_false(str_copy(NULL, "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_odd),        cmocka_unit_test(test_precision_reads_no_further),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_str_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
