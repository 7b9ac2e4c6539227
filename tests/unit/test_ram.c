/* SPDX-License-Identifier: MIT */
/* The machine's free memory: what is taken is nobody else's, what comes back is found again, and nothing is lost on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/ram.c"

#define HIGH ~0ull

static struct handoff_range ranges[2 * RAM_EXTENTS];
static struct handoff handoff;
static u32 warnings;

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)fmt;
    warnings += level == LOG_WARN;
}

static void begin(u32 n)
{
    nr_extents = 0;
    free_bytes = total_bytes = 0;
    handoff.ranges = (struct handoff_array){ (u64)(uintptr_t)ranges - HOST_DIRECT_BASE, n, sizeof(ranges[0]) };
    ram_init(&handoff);
}

/* Two blocks, at 1 MiB and, not quite aligned, at 64 MiB; between them what is not free. */
static int setup(void **state)
{
    (void)state;
    ranges[0] = (struct handoff_range){ .base = 0, .size = MIB(9), .kind = HANDOFF_FREE };
    ranges[1] = (struct handoff_range){ .base = MIB(9), .size = MIB(55), .kind = HANDOFF_MODULE };
    ranges[2] = (struct handoff_range){ .base = MIB(64) - KIB(4), .size = MIB(10) + KIB(8), .kind = HANDOFF_FREE };
    warnings = 0;
    begin(3);
    return 0;
}

static void expect(u64 bytes)
{
    assert_int_equal(ram_free_bytes(), bytes);
    assert_int_equal(ram_count(), bytes);
}

static void what_is_free(void **state)
{
    (void)state;
    expect(MIB(18) + KIB(8)); /* the first MiB is for starting cores */
    assert_int_equal(ram_total_bytes(), MIB(18) + KIB(8));
    assert_int_equal(ram_free_pieces(), MIB(6) + MIB(10)); /* 2 to 8, 64 to 74 */
}

static void from_the_top(void **state)
{
    (void)state;
    assert_int_equal(ram_take(MIB(2), MIB(2), HIGH), MIB(72));
    assert_int_equal(ram_take(KIB(4), KIB(4), HIGH), MIB(74));
    assert_int_equal(ram_take(MIB(2), MIB(2), MIB(73)), MIB(70));
    assert_int_equal(ram_take(MIB(8), MIB(1), MIB(64)), MIB(1));
    assert_int_equal(ram_take(MIB(8), MIB(2), HIGH), 0);
    assert_int_equal(ram_take(KIB(4), KIB(4), MIB(1)), 0);
    expect(MIB(6) + KIB(4));
}

static void comes_back(void **state)
{
    hpa_t low, middle, high;

    (void)state;
    high = ram_take(MIB(2), MIB(2), HIGH);
    middle = ram_take(MIB(2), MIB(2), HIGH);
    low = ram_take(MIB(2), MIB(2), HIGH);
    ram_give(high, MIB(2));
    ram_give(low, MIB(2));
    assert_int_equal(nr_extents, 3);
    ram_give(middle, MIB(2));
    assert_int_equal(nr_extents, 2);
    expect(MIB(18) + KIB(8));
    assert_int_equal(ram_take(MIB(10), MIB(2), HIGH), MIB(64));
}

static void as_much_as_there_is(void **state)
{
    u64 got;

    (void)state;
    assert_int_equal(ram_take_most(MIB(3), &got), MIB(70));
    assert_int_equal(got, MIB(4));
    assert_int_equal(ram_take_most(MIB(100), &got), MIB(2)); /* of equals the first */
    assert_int_equal(got, MIB(6));
    assert_int_equal(ram_take_most(MIB(100), &got), MIB(64));
    assert_int_equal(got, MIB(6));
    assert_int_equal(ram_take_most(MIB(2), &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(ram_free_pieces(), 0);
    expect(MIB(2) + KIB(8));
}

static void a_piece(void **state)
{
    (void)state;
    assert_int_equal(ram_take_piece(MIB(68)), MIB(68));
    assert_int_equal(ram_take_piece(MIB(68)), MIB(2)); /* 64 to 68, 70 to 74, 2 to 8: the last is largest */
    assert_int_equal(ram_take_piece(0), MIB(4));       /* of equals the first */
    assert_int_equal(ram_take_piece(MIB(8)), MIB(64)); /* half of it is not free */
    assert_int_equal(ram_take_piece(MIB(62)), MIB(70));
    assert_int_equal(ram_take_piece(MIB(74)), MIB(6));
    assert_int_equal(ram_take_piece(-MIB(2)), MIB(66));
    assert_int_equal(ram_take_piece(MIB(72)), MIB(72));
    assert_int_equal(ram_take_piece(MIB(72)), 0);
    expect(MIB(2) + KIB(8));
}

/* More pieces than there is room for: those are not used, and nobody believes that they are. */
static void too_many(void **state)
{
    const u64 all = RAM_EXTENTS * MIB(8);

    (void)state;
    for (u32 i = 0; i <= RAM_EXTENTS; i++)
        ranges[i] = (struct handoff_range){ .base = MIB(16) * (i + 1), .size = MIB(8), .kind = HANDOFF_FREE };
    begin(RAM_EXTENTS + 1);
    assert_int_equal(warnings, 1);
    assert_int_equal(ram_total_bytes(), all);
    assert_int_equal(ram_take_piece(MIB(18)), MIB(18)); /* what is behind it is lost */
    assert_int_equal(ram_total_bytes(), all - MIB(4));
    expect(all - MIB(4) - MIB(2));
    assert_int_equal(ram_take_piece(MIB(16)), MIB(16));
    assert_int_equal(ram_take_piece(MIB(34)), MIB(34)); /* this one has room */
    ram_give(MIB(18), MIB(2));                          /* has none, and no neighbour */
    assert_int_equal(ram_total_bytes(), all - MIB(6));
    expect(all - MIB(6) - MIB(4));
    ram_give(MIB(34), MIB(2));
    ram_give(MIB(16), MIB(2));
    expect(all - MIB(6));
}

/* --- at random, against a map of 64 KiB units */

#define UNIT  KIB(64)
#define UNITS ((u32)(MIB(128) / UNIT))

static u8 used[UNITS];
static u64 seed = 4711;

static u32 pick(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static void mark(hpa_t base, u64 size, u8 as)
{
    for (u64 i = (base - MIB(1)) / UNIT; i < (base - MIB(1) + size) / UNIT; i++) {
        assert_true(i < UNITS && used[i] != as);
        used[i] = as;
    }
}

static u64 not_used(void)
{
    u64 n = 0;

    for (u32 i = 0; i < UNITS; i++)
        n += !used[i];
    return n * UNIT;
}

static hpa_t take_one(u64 *size)
{
    u64 want = UNIT << pick(7);

    *size = MIB(2);
    switch (pick(3)) {
    case 0: return ram_take_piece(MIB(2) * pick(70));
    case 1: return ram_take_most(want, size);
    default: *size = want; return ram_take(want, pick(2) ? want : UNIT, HIGH);
    }
}

static void whatever_comes(void **state)
{
    struct { hpa_t base; u64 size; } have[64] = { 0 };

    (void)state;
    ranges[0] = (struct handoff_range){ .base = MIB(1), .size = UNITS * UNIT, .kind = HANDOFF_FREE };
    begin(1);
    for (u32 i = 0; i < 20000; i++) {
        u32 k = pick(64);

        if (have[k].size) {
            mark(have[k].base, have[k].size, 0);
            ram_give(have[k].base, have[k].size);
            have[k].size = 0;
        } else {
            have[k].base = take_one(&have[k].size);
            have[k].size = have[k].base ? have[k].size : 0;
            mark(have[k].base ? have[k].base : MIB(1), have[k].size, 1);
        }
        expect(not_used());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_free, setup), cmocka_unit_test_setup(from_the_top, setup),
        cmocka_unit_test_setup(comes_back, setup), cmocka_unit_test_setup(as_much_as_there_is, setup),
        cmocka_unit_test_setup(a_piece, setup), cmocka_unit_test_setup(too_many, setup),
        cmocka_unit_test_setup(whatever_comes, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
