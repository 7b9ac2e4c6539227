/* SPDX-License-Identifier: MIT */
/*
 * The log's lines, levels, sink and ring.
 * LINK: hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/log.c" /* its lock is held in a test */

static char seen[512];
static size_t seen_len, seen_lines;

static void sink(const char *line, size_t len)
{
    char tail[512];
    size_t n = log_tail(tail, sizeof(tail)); /* would hang if the log still held its lock */

    assert_true(n >= len);
    assert_memory_equal(tail + n - len, line, len);
    memcpy(seen, line, len);
    seen[len] = 0;
    seen_len = len;
    seen_lines++;
}

static int reset(void **state)
{
    (void)state;
    log_set_sink(sink);
    log_set_level(LOG_INFO);
    panicking = false;
    seen_lines = 0;
    return 0;
}

static void test_line(void **state)
{
    (void)state;
    log_info("%s has %d", "core", 3);
    assert_string_equal(seen, "[pith] core has 3\n");
    assert_int_equal(seen_len, strlen(seen));
}

static void test_levels(void **state)
{
    (void)state;
    log_debug("no");
    assert_int_equal(seen_lines, 0);
    log_info("yes");
    log_set_level(LOG_ERROR);
    log_warn("no");
    log_error("yes");
    assert_int_equal(seen_lines, 2);
    log_set_level(LOG_DEBUG);
    log_debug("yes");
    assert_int_equal(seen_lines, 3);
}

static void test_long_line_is_cut(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    log_info("%s", text);
    assert_int_equal(seen_len, 255);
    assert_int_equal(seen[254], '\n');
    assert_int_equal(seen[253], 'x');
    text[255 - 8] = 0; /* "[pith] " and '\n' fit exactly */
    log_info("%s", text);
    assert_int_equal(seen_len, 255);
    text[255 - 9] = 0;
    log_info("%s", text);
    assert_int_equal(seen_len, 254);
}

static void test_no_sink(void **state)
{
    char tail[16];

    (void)state;
    log_set_sink(NULL);
    log_info("quiet");
    assert_int_equal(seen_lines, 0);
    assert_int_equal(log_tail(tail, 6), 6);
    assert_memory_equal(tail, "quiet\n", 6);
    assert_int_equal(log_tail(tail, 0), 0);
}

static void test_ring_wraps(void **state)
{
    char *tail = malloc(KIB(32));
    size_t n;

    (void)state;
    for (int i = 0; i < 2000; i++)
        log_info("line %d", i);
    n = log_tail(tail, KIB(32));
    assert_int_equal(n, KIB(16));
    tail[n - 1] = 0;
    assert_non_null(strstr(tail, "[pith] line 1998\n[pith] line 1999"));
    assert_string_equal(strrchr(tail, '\n'), "\n[pith] line 1999");
    assert_null(strstr(tail, "line 0\n"));
    free(tail);
}

static void test_panic_waits_for_no_lock(void **state)
{
    char tail[32];

    (void)state;
    spin_lock(&lock);
    log_panic_begin();
    log_error("last words");
    assert_int_equal(log_tail(tail, sizeof(tail)), sizeof(tail));
    assert_memory_equal(tail + sizeof(tail) - 18, "[pith] last words\n", 18);
    spin_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_line, reset),
        cmocka_unit_test_setup(test_levels, reset),
        cmocka_unit_test_setup(test_long_line_is_cut, reset),
        cmocka_unit_test_setup(test_no_sink, reset),
        cmocka_unit_test_setup(test_ring_wraps, reset),
        cmocka_unit_test_setup(test_panic_waits_for_no_lock, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
