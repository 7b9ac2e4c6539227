/* SPDX-License-Identifier: MIT */
/*
 * The timer of the local APIC in its three modes. Accesses happen at TSC 1000.
 * LINK: hv/vdev/vlapic.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/vdev/vlapic.h"

static struct vlapic apic;
static struct vlapic_effect effect;

static void wr(u32 reg, u32 val)
{
    vlapic_write(&apic, reg, val, 1000, &effect);
}

static u32 rd(u32 reg)
{
    return vlapic_read(&apic, reg, 1000);
}

static bool wrmsr(u32 msr, u64 val)
{
    return vlapic_msr_write(&apic, msr, val, 1000, &effect);
}

static u64 rdmsr(u32 msr)
{
    u64 val = 0xdead;

    assert_true(vlapic_msr_read(&apic, msr, 1000, &val));
    return val;
}

static int fresh(void **state)
{
    (void)state;
    vlapic_reset(&apic, 3, false);
    wr(0x0f, 0x1ff);
    return 0;
}

static void test_one_shot(void **state)
{
    (void)state;
    wr(0x32, 0x40);
    wr(0x3e, 0xb); /* by 1 */
    wr(0x38, 500);
    assert_true(effect.timer);
    assert_int_equal(apic.deadline, 1500);
    assert_int_equal(vlapic_read(&apic, 0x39, 1100), 400);
    vlapic_timer_expired(&apic, 1499);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    assert_int_equal(vlapic_read(&apic, 0x39, 1500), 0);
    vlapic_timer_expired(&apic, 1500);
    assert_int_equal(vlapic_pending(&apic), 0x40);
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rd(0x38), 500);
}

static void test_divide(void **state)
{
    static const struct { u32 dcr, by; } cases[] = {
        { 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 },
        { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        wr(0x38, 0);
        wr(0x3e, cases[i].dcr);
        wr(0x38, 0xffffffff);
        assert_true(apic.deadline == 1000 + 0xffffffffull * cases[i].by);
        assert_int_equal(rd(0x39), 0xffffffff);
        assert_int_equal(vlapic_read(&apic, 0x39, 1000 + cases[i].by), 0xfffffffe);
        assert_int_equal(vlapic_read(&apic, 0x39, 999 + cases[i].by), 0xffffffff);
    }
}

static void test_divide_change_keeps_count(void **state)
{
    (void)state;
    wr(0x3e, 0xb);
    wr(0x38, 4000);
    vlapic_write(&apic, 0x3e, 0x0, 2000, &effect);
    assert_int_equal(vlapic_read(&apic, 0x39, 2000), 3000);
    assert_int_equal(apic.deadline, 8000);
}

static void test_periodic(void **state)
{
    (void)state;
    wr(0x32, 0x20041);
    wr(0x3e, 0xb);
    wr(0x38, 100);
    vlapic_timer_expired(&apic, 1105);
    assert_int_equal(apic.deadline, 1200);
    assert_int_equal(vlapic_read(&apic, 0x39, 1105), 95);
    vlapic_timer_expired(&apic, 1777); /* missed ones collapse, the phase stays */
    assert_int_equal(apic.deadline, 1800);
    vlapic_timer_expired(&apic, 1800);
    assert_int_equal(apic.deadline, 1900);
    assert_int_equal(vlapic_read(&apic, 0x39, 1930), 70); /* wrapped before anyone noticed */
    vlapic_write(&apic, 0x38, 0, 1850, &effect);
    assert_true(apic.deadline == ~0ull);
}

static void test_periodic_turned_one_shot(void **state)
{
    (void)state;
    wr(0x32, 0x20041);
    wr(0x3e, 0xb);
    wr(0x38, 100);
    wr(0x32, 0x41);
    assert_int_equal(apic.deadline, 1100);
    vlapic_timer_expired(&apic, 1100);
    assert_true(apic.deadline == ~0ull);
    wr(0x32, 0x20041); /* a stopped counter stays stopped */
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rd(0x39), 0);
}

static void test_masked_timer_posts_nothing(void **state)
{
    (void)state;
    wr(0x32, 0x10040);
    wr(0x38, 1);
    vlapic_timer_expired(&apic, 5000);
    assert_int_equal(vlapic_highest_irr(&apic), VLAPIC_NONE);
    wr(0x32, 0x40);
    assert_int_equal(vlapic_highest_irr(&apic), VLAPIC_NONE);
}

static void test_due_timer_fires_before_reprogramming(void **state)
{
    (void)state;
    wr(0x32, 0x40);
    wr(0x3e, 0xb);
    wr(0x38, 10);
    vlapic_write(&apic, 0x38, 100, 1010, &effect);
    assert_int_equal(vlapic_pending(&apic), 0x40);
    assert_int_equal(apic.deadline, 1110);
}

static void test_tsc_deadline(void **state)
{
    u64 val;

    (void)state;
    assert_true(wrmsr(MSR_TSC_DEADLINE, 5000)); /* ignored in the other modes */
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rdmsr(MSR_TSC_DEADLINE), 0);
    wr(0x38, 100);
    wr(0x32, 0x40042); /* the switch disarms */
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rd(0x38), 0);
    wr(0x38, 100);     /* ignored in this mode */
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rd(0x38), 0);
    assert_true(wrmsr(MSR_TSC_DEADLINE, 5000));
    assert_true(effect.timer);
    assert_int_equal(apic.deadline, 5000);
    assert_int_equal(rdmsr(MSR_TSC_DEADLINE), 5000);
    assert_int_equal(rd(0x39), 0);
    assert_true(vlapic_msr_read(&apic, MSR_TSC_DEADLINE, 5000, &val));
    assert_int_equal(val, 0);
    vlapic_timer_expired(&apic, 5001);
    assert_int_equal(vlapic_pending(&apic), 0x42);
    assert_int_equal(rdmsr(MSR_TSC_DEADLINE), 0);
    wrmsr(MSR_TSC_DEADLINE, 9000);
    wrmsr(MSR_TSC_DEADLINE, 0);
    assert_true(apic.deadline == ~0ull);
    wrmsr(MSR_TSC_DEADLINE, 9000);
    wr(0x32, 0x42);
    assert_true(apic.deadline == ~0ull);
    assert_int_equal(rdmsr(MSR_TSC_DEADLINE), 0);
}

static void test_tsc_deadline_in_the_past(void **state)
{
    (void)state;
    wr(0x32, 0x40042);
    wrmsr(MSR_TSC_DEADLINE, 1);
    assert_int_equal(vlapic_pending(&apic), 0x42);
    assert_true(apic.deadline == ~0ull);
    assert_false(effect.timer); /* nothing was armed, nothing is */
    wrmsr(MSR_TSC_DEADLINE, 9000);
    assert_true(effect.timer);
    wrmsr(MSR_TSC_DEADLINE, 9000);
    assert_false(effect.timer);
    wrmsr(MSR_TSC_DEADLINE, 1);
    assert_true(effect.timer); /* what was armed must go */
}

static void test_tsc_written(void **state)
{
    (void)state;
    wr(0x3e, 0xb);
    wr(0x38, 500);
    vlapic_tsc_moved(&apic, 1000, (u64)-900);
    assert_int_equal(vlapic_read(&apic, 0x39, 100), 500);
    wr(0x32, 0x40042);
    wrmsr(MSR_TSC_DEADLINE, 5000);
    vlapic_tsc_moved(&apic, 1000, 100);
    assert_int_equal(apic.deadline, 5000);
}

/* Due, but nobody has looked yet: set to zero, the TSC would otherwise take its deadline to the end of time. */
static void test_tsc_written_when_due(void **state)
{
    (void)state;
    wr(0x3e, 0xb);
    wr(0x32, 0x20040);
    wr(0x38, 500);
    vlapic_tsc_moved(&apic, 1700, (u64)-1700);
    assert_int_equal(vlapic_pending(&apic), 0x40);
    assert_int_equal(apic.deadline, 300);
    fresh(state);
    wr(0x32, 0x41);
    wr(0x38, 500);
    vlapic_tsc_moved(&apic, 2000, (u64)-2000);
    assert_int_equal(vlapic_pending(&apic), 0x41);
    assert_int_equal(apic.deadline, ~0ull);
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_shot), T(divide), T(divide_change_keeps_count), T(periodic),
        T(periodic_turned_one_shot), T(masked_timer_posts_nothing),
        T(due_timer_fires_before_reprogramming), T(tsc_deadline), T(tsc_deadline_in_the_past),
        T(tsc_written), T(tsc_written_when_due),
    };

    return cmocka_run_group_tests_name("vlapic timer", tests, NULL, NULL);
}
