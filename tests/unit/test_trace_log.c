/* SPDX-License-Identifier: MIT */
/*
 * What pith-trace reads: dumps in logs and rings, whole and damaged.
 * LINK: tools/trace_log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/trace_log.h"

#define NAMES "[monitor] T partition 0 hello\r\n[monitor] T partition 1 clock\n"
#define RINGS "[monitor] T ring 0 1000\n[monitor] T ring 1 1000\n"
/* CPUID leaf 40000001 at 200870, 2 bytes, 100 ticks, by hello/0; an exit of clock/1; hello's end. */
#define CPUID "[monitor] T 1 2710 0 20087040000001 2000700000064\n"
#define MSR   "[monitor] T 0 2328 5 20000000001b 1002010800000032\n"
#define END   "[monitor] T 0 2af8 3 1 2500000000\n"
#define DUMP  NAMES "[pith] between\n" RINGS CPUID "[monitor] > \n" MSR END "[monitor] trace end 3 records, 7 dropped\n"

static struct trace_log log;

static int tear_down(void **state)
{
    (void)state;
    trace_free(&log);
    return 0;
}

/* Exactly as long as it is, so that reading one byte more is seen. */
static bool add(const char *data, size_t size)
{
    char *exact = malloc(size ? size : 1);
    bool ok;

    memcpy(exact, data, size);
    ok = trace_add(&log, exact, size);
    free(exact);
    return ok;
}

static void details_are(size_t i, const char *want)
{
    char have[120];

    trace_details(&log.entries[i].t, have, sizeof(have));
    assert_string_equal(have, want);
}

static void reads_a_dump(void **state)
{
    (void)state;
    assert_true(add(DUMP, strlen(DUMP)));
    trace_sort(&log);
    assert_int_equal(log.nr, 3);
    assert_int_equal(log.dropped, 7);
    assert_string_equal(log.names[0], "hello");
    assert_string_equal(log.names[1], "clock");
    assert_int_equal(log.entries[0].core, 0); /* by time, not by core */
    assert_int_equal(log.entries[1].core, 1);
    assert_string_equal(trace_kind_name(log.entries[0].t.kind), "MSR");
    details_are(0, "write msr=1b value=5");
    details_are(1, "leaf=40000001 sub=0");
    details_are(2, "exit status=3");
    assert_int_equal(log.entries[1].t.rip, 0x200870);
    assert_int_equal(log.entries[1].t.len, 2);
    assert_int_equal(log.entries[1].t.ticks, 100);
}

static void the_last_dump_counts(void **state)
{
    static const char text[] = DUMP NAMES RINGS CPUID "[monitor] trace end 1 records, 0 dropped";

    (void)state;
    assert_true(add(text, strlen(text)));
    assert_int_equal(log.nr, 1);
}

static void tells_what_is_wrong(void **state)
{
    static const struct { const char *text; unsigned line; const char *words; } bad[] = {
        { "", 0, "no trace here" },
        { "[hello] T partition 0 x\n", 1, "no trace here" },
        { NAMES RINGS CPUID, 5, "does not end" },
        { NAMES RINGS CPUID "[monitor] trace end 2 records, 0 dropped\n", 6, "console lost" },
        { NAMES RINGS "[monitor] trace end x records, 0 dropped\n", 5, "end of a dump" },
        { RINGS, 1, "in no dump" },
        { DUMP CPUID, 11, "in no dump" },
        { NAMES CPUID, 3, "no 'T ring'" },
        { NAMES "[monitor] T ring 256 1\n", 3, "T ring" },
        { NAMES "[monitor] T ring 0 0\n", 3, "T ring" },
        { "[monitor] T partition 16 a\n", 1, "T partition" },
        { "[monitor] T partition 0 abcdefghijklmnop\n", 1, "T partition" },
        { NAMES RINGS "[monitor] T 0 1 2 3\n", 5, "word 4" },
        { NAMES RINGS "[monitor] T 0 1 2 3 11112222333344445\n", 5, "word 4" },
        { NAMES RINGS "[monitor] T 0 1 2 3 1x\n", 5, "word 4" },
        { NAMES RINGS "[monitor] T 0 1 2 3 4 5\n", 5, "four words" },
        { NAMES RINGS "[monitor] T 0 1 2 3 6300000000\n", 5, "no kind 99" },
        { NAMES RINGS "[monitor] T 0 1 2 3 2000000700000000\n", 5, "partition 2" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        trace_free(&log);
        assert_false(add(bad[i].text, strlen(bad[i].text)));
        assert_non_null(strstr(log.error, bad[i].words));
        assert_int_equal(log.error_line, bad[i].line);
    }
}

static union { struct pith_trace_ring r; uint8_t room[sizeof(struct pith_trace_ring) + 4 * sizeof(struct pith_trace)]; } ring;

static void make_ring(uint64_t head, uint64_t from)
{
    memset(&ring, 0, sizeof(ring));
    ring.r.magic = PITH_TRACE_MAGIC;
    ring.r.core = 2;
    ring.r.mask = 3;
    ring.r.khz = 1000;
    ring.r.head = head;
    ring.r.from = from;
    for (uint64_t i = head > 4 ? head - 4 : 0; i < head; i++)
        ring.r.at[i & 3] = (struct pith_trace){ .tsc = i, .kind = PITH_TRACE_HLT };
}

static void reads_a_ring(void **state)
{
    (void)state;
    make_ring(9, 1);
    assert_true(add((const char *)&ring, sizeof(ring)));
    assert_int_equal(log.nr, 4);
    assert_int_equal(log.dropped, 4);
    assert_int_equal(log.entries[0].t.tsc, 5);
    assert_int_equal(log.entries[3].t.tsc, 8);
    assert_int_equal(log.entries[0].core, 2);
    assert_false(add((const char *)&ring, sizeof(ring) - 1));
    assert_non_null(strstr(log.error, "cut off"));
    ring.r.at[1].kind = 31;
    assert_false(add((const char *)&ring, sizeof(ring)));
    make_ring(9, 10);
    assert_false(add((const char *)&ring, sizeof(ring)));
    make_ring(9, 1);
    ring.r.mask = 2;
    assert_false(add((const char *)&ring, sizeof(ring)));
    assert_non_null(strstr(log.error, "makes no sense"));
}

static void sums_up(void **state)
{
    static const uint32_t ticks[] = { 50, 10, 30, 20 };
    struct trace_sum sums[4];

    (void)state;
    make_ring(4, 0);
    for (unsigned i = 0; i < 4; i++)
        ring.r.at[i].ticks = ticks[i];
    ring.r.at[3].kind = PITH_TRACE_SCHED_IN;
    assert_true(add((const char *)&ring, sizeof(ring)));
    assert_true(add(DUMP, strlen(DUMP)));
    assert_int_equal(trace_summary(&log, sums, 1), 3); /* no room for more, and none is written past it */
    assert_int_equal(trace_summary(&log, sums, 4), 3);
    assert_int_equal(sums[0].kind, PITH_TRACE_HLT);
    assert_int_equal(sums[0].count, 3);
    assert_int_equal(sums[0].min, 10);
    assert_int_equal(sums[0].median, 30);
    assert_int_equal(sums[0].max, 50);
    assert_int_equal(sums[0].total, 90);
    assert_int_equal(sums[1].kind, PITH_TRACE_CPUID);
    assert_int_equal(sums[2].partition, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(reads_a_dump, tear_down), cmocka_unit_test_teardown(the_last_dump_counts, tear_down),
        cmocka_unit_test_teardown(tells_what_is_wrong, tear_down), cmocka_unit_test_teardown(reads_a_ring, tear_down),
        cmocka_unit_test_teardown(sums_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
