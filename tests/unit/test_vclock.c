/* SPDX-License-Identifier: MIT */
/*
 * The clock multiplier: exact against wide arithmetic from 1 MHz to 8 GHz.
 * LINK: hv/vdev/vclock.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/types.h"
#include "hv/vdev/vclock.h"

/* As a guest does it. */
static u64 guest_ns(u64 ticks, u32 mul, s8 shift)
{
    u64 scaled = shift < 0 ? ticks >> -shift : ticks << shift;

    return (u64)((unsigned __int128)scaled * mul >> 32);
}

static u64 exact(u64 ticks, u64 khz)
{
    return (u64)((unsigned __int128)ticks * 1000000 / khz);
}

static void check_rate(u64 khz)
{
    static const u64 seconds[] = { 0, 1, 60, 3600, 86400, 31536000 };
    u32 mul;
    s8 shift;

    vclock_scale(khz, &mul, &shift);
    assert_true(mul & 0x80000000u); /* full precision */
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
        u64 ticks = seconds[i] * khz * 1000 + 12345;
        u64 want = exact(ticks, khz), got = guest_ns(ticks, mul, shift);
        u64 off = got > want ? got - want : want - got;

        assert_true(off <= want / 4000000000ull + 8); /* 0.25 ppb, and dropped ticks */
    }
}

static void test_rates(void **state)
{
    (void)state;
    for (u64 khz = 1000; khz < 100000; khz += 997)
        check_rate(khz);
    for (u64 khz = 100000; khz <= 8000000; khz += 3331)
        check_rate(khz);
    check_rate(100000);
    check_rate(6000000);
}

static void test_powers(void **state)
{
    u32 mul;
    s8 shift;

    (void)state;
    vclock_scale(1000000, &mul, &shift);
    assert_int_equal(mul, 0x80000000u);
    assert_int_equal(shift, 1);
    vclock_scale(2000000, &mul, &shift);
    assert_int_equal(mul, 0x80000000u);
    assert_int_equal(shift, 0);
    vclock_scale(4000000, &mul, &shift);
    assert_int_equal(mul, 0x80000000u);
    assert_int_equal(shift, -1);
    assert_true(guest_ns(4000000000ull * 1000000, mul, shift) == 1000000000ull * 1000000);
    vclock_scale(50000, &mul, &shift);
    assert_true(guest_ns(50, mul, shift) == 999 || guest_ns(50, mul, shift) == 1000);
}

static void test_zero_rate_ends(void **state)
{
    u32 mul = 0;
    s8 shift;

    (void)state;
    vclock_scale(0, &mul, &shift);
    assert_true(mul != 0);
}

static void test_monotonic(void **state)
{
    u64 last = 0;
    u32 mul;
    s8 shift;

    (void)state;
    vclock_scale(3500000, &mul, &shift);
    for (u64 t = 1ull << 52; t < (1ull << 52) + 5000; t++) {
        u64 ns = guest_ns(t, mul, shift);

        assert_true(ns >= last);
        last = ns;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates), cmocka_unit_test(test_powers),
        cmocka_unit_test(test_zero_rate_ends), cmocka_unit_test(test_monotonic),
    };

    return cmocka_run_group_tests_name("vclock", tests, NULL, NULL);
}
