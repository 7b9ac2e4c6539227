/* SPDX-License-Identifier: MIT */
/*
 * MSR policy: what is there, what is not, what may be written.
 * LINK: hv/vdev/vmsr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vm.h"
#include "hv/lib/types.h"
#include "hv/vdev/vmsr.h"

_Static_assert(VMSR_X86_EFER == X86_EFER, "vmsr.h repeats enum x86_reg");
_Static_assert(VMSR_X86_PAT == X86_PAT, "vmsr.h repeats enum x86_reg");

#define EFER_MASK  (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static void is(u32 msr, enum vmsr_kind kind, u64 value)
{
    struct vmsr m = vmsr_lookup(msr);

    assert_int_equal(m.kind, kind);
    assert_true(m.value == value);
}

static bool may(u32 msr, u64 val)
{
    return vmsr_check(msr, val, EFER_MASK);
}

static void test_kinds(void **state)
{
    static const struct { u32 msr; u8 kind; u64 value; } cases[] = {
        { 0x10, VMSR_TSC, 0 }, { 0x11, VMSR_KVM_WALL, 0 }, { 0x12, VMSR_KVM_CLOCK, 0 },
        { 0x4b564d00, VMSR_KVM_WALL, 0 }, { 0x4b564d01, VMSR_KVM_CLOCK, 0 }, { 0x4b564d03, VMSR_KVM_STEAL, 0 },
        { 0x1b, VMSR_LAPIC, 0 }, { 0x6e0, VMSR_LAPIC, 0 }, { 0x800, VMSR_LAPIC, 0 },
        { 0x830, VMSR_LAPIC, 0 }, { 0x8ff, VMSR_LAPIC, 0 }, { 0x3a, VMSR_RO, 1 },
        { 0x3b, VMSR_TSC_ADJUST, 0 }, { 0x8b, VMSR_CONST, 1ull << 32 }, { 0xfe, VMSR_RO, 0x400 },
        { 0x174, VMSR_PASS, 0 }, { 0x175, VMSR_PASS, 0 }, { 0x176, VMSR_PASS, 0 },
        { 0x179, VMSR_RO, 0 }, { 0x277, VMSR_REG, X86_PAT }, { 0xc0000080, VMSR_REG, X86_EFER },
        { 0xc0000081, VMSR_PASS, 0 }, { 0xc0000082, VMSR_PASS, 0 }, { 0xc0000083, VMSR_PASS, 0 },
        { 0xc0000084, VMSR_PASS, 0 }, { 0xc0000100, VMSR_PASS, 0 }, { 0xc0000101, VMSR_PASS, 0 },
        { 0xc0000102, VMSR_PASS, 0 }, { 0xc0000103, VMSR_PASS, 0 },
        { 0xc0010015, VMSR_CONST, BIT(24) }, { 0xc0011029, VMSR_CONST, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        is(cases[i].msr, cases[i].kind, cases[i].value);
}

/* Neither there nor writable: other features' registers, and the neighbours of what is. */
static void test_absent(void **state)
{
    static const u32 absent[] = {
        0x2, 0x13, 0x1a, 0x1c, 0x48, 0x49, 0xc1, 0xe7, 0xe8, 0x10a, 0x10b, 0x122, 0x123, 0x173,
        0x177, 0x17b, 0x186, 0x198, 0x1a1, 0x1c9, 0x1da, 0x1df, 0x200, 0x20f, 0x250, 0x26f, 0x276,
        0x278, 0x2fe, 0x300, 0x345, 0x38f, 0x400, 0x480, 0x491, 0x570, 0x6a0, 0x6df, 0x6e1, 0x7ff,
        0x900, 0xc80, 0xda0, 0x4b564cff, 0x4b564d02, 0x4b564d04, 0x40000000,
        0xc000007f, 0xc0000085, 0xc00000ff, 0xc0000104, 0xc0000408, 0xc0010000, 0xc0010007,
        0xc0010114, 0xc0010117, 0xc0010140, 0xc0010141, 0xc0010200, 0xc0011020, 0xc0011030,
        0xffffffff,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        is(absent[i], VMSR_GP, 0);
        assert_false(may(absent[i], 0));
    }
}

/* The search finds every row: the table is sorted. Changes with the table. */
static void test_number_of_msrs(void **state)
{
    static const u32 bases[] = { 0, 0x4b564000, 0xc0000000, 0xc0010000 };
    u32 found = 0;

    (void)state;
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
        for (u32 i = 0; i < 0x2000; i++)
            found += vmsr_lookup(bases[b] + i).kind != VMSR_GP;
    assert_int_equal(found, 29 + 0x100 + 3 + 9 + 12);
}

static void test_stores(void **state)
{
    struct vmsr misc = vmsr_lookup(0x1a0), mtrr = vmsr_lookup(0x2ff);

    (void)state;
    assert_int_equal(misc.kind, VMSR_STORE);
    assert_int_equal(mtrr.kind, VMSR_STORE);
    assert_true(misc.value < VMSR_STORES && mtrr.value < VMSR_STORES && misc.value != mtrr.value);
    assert_int_equal(vmsr_store_reset((u32)misc.value), 0x1801);
    assert_int_equal(vmsr_store_reset((u32)mtrr.value), 0x806);
    assert_int_equal(vmsr_store_reset(VMSR_STORES - 1), 0);
}

static void test_check_efer_and_pat(void **state)
{
    (void)state;
    assert_true(may(MSR_EFER, EFER_MASK));
    assert_false(may(MSR_EFER, EFER_SVME));
    assert_false(may(MSR_EFER, EFER_SCE | BIT(1)));
    assert_false(may(MSR_EFER, BIT(63)));
    assert_true(may(MSR_PAT, PAT_RESET));
    assert_true(may(MSR_PAT, HOST_PAT));
    assert_true(may(MSR_PAT, 0x0007050104060007ull));
    for (u32 byte = 0; byte < 64; byte += 8) {
        assert_false(may(MSR_PAT, 2ull << byte));
        assert_false(may(MSR_PAT, 3ull << byte));
        assert_false(may(MSR_PAT, 8ull << byte));
        assert_false(may(MSR_PAT, 0x86ull << byte));
    }
}

static void test_check_mtrr_default(void **state)
{
    (void)state;
    assert_true(may(0x2ff, 0x806));
    assert_true(may(0x2ff, 0xc00));
    assert_true(may(0x2ff, 0x5));
    assert_false(may(0x2ff, 0x2));
    assert_false(may(0x2ff, 0x7));
    assert_false(may(0x2ff, 0x26));
    assert_false(may(0x2ff, 0x1006));
    assert_false(may(0x2ff, BIT(63)));
}

static void test_check_addresses(void **state)
{
    static const u32 addresses[] = {
        MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE,
        MSR_KERNEL_GS_BASE,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        assert_true(may(addresses[i], 0x00007fffffffffffull));
        assert_true(may(addresses[i], 0xffff800000000000ull));
        assert_false(may(addresses[i], 0x0000800000000000ull));
        assert_false(may(addresses[i], 0xffff7fffffffffffull));
    }
    assert_true(may(MSR_TSC_AUX, 0xffffffff));
    assert_false(may(MSR_TSC_AUX, BIT(32)));
    assert_false(may(MSR_FMASK, BIT(32)));
    assert_true(may(MSR_STAR, ~0ull));
}

static void test_check_read_only(void **state)
{
    (void)state;
    assert_false(may(0x3a, 1));
    assert_false(may(0xfe, 0));
    assert_true(may(0x8b, 0));
    assert_true(may(0xc0011029, 0));
    assert_true(may(MSR_TSC, ~0ull));
    assert_true(may(0x808, ~0ull)); /* the local APIC decides */
}

static u32 passed[32], nr_passed;

static void collect(void *ctx, u32 msr)
{
    assert_ptr_equal(ctx, &nr_passed);
    assert_true(nr_passed < ARRAY_SIZE(passed));
    passed[nr_passed++] = msr;
}

static void test_each_pass(void **state)
{
    static const u32 want[] = {
        0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
        0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
    };

    (void)state;
    nr_passed = 0;
    vmsr_each_pass(collect, &nr_passed);
    assert_int_equal(nr_passed, ARRAY_SIZE(want));
    assert_memory_equal(passed, want, sizeof(want));
}

static void test_cache(void **state)
{
    static const u32 msrs[] = { 0, 0x10, 0x1b, 0x1a0, 0x1a0, 0x2ff, 0x6e0, 0x800, 0xc0000080, 0xdead, ~0u, 0, ~0u };
    struct vmsr_cache c = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
        struct vmsr want = vmsr_lookup(msrs[i]), got = vmsr_cached(&c, msrs[i]);

        assert_int_equal(got.kind, want.kind);
        assert_true(got.value == want.value);
    }
    c = (struct vmsr_cache){ 0 }; /* what an empty one says of the last MSR is true */
    assert_int_equal(vmsr_cached(&c, ~0u).kind, VMSR_GP);
}

static void test_lapic_shortcut(void **state)
{
    (void)state;
    for (u32 msr = 0; msr < 0x2000; msr++)
        if (vmsr_is_lapic(msr)) {
            assert_int_equal(vmsr_lookup(msr).kind, VMSR_LAPIC);
            assert_true(vmsr_check(msr, ~0ull, 0));
        }
    assert_true(vmsr_is_lapic(0x800) && vmsr_is_lapic(0x8ff) && vmsr_is_lapic(0x6e0));
    assert_false(vmsr_is_lapic(0x7ff) || vmsr_is_lapic(0x900) || vmsr_is_lapic(0xc0000800));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache), cmocka_unit_test(test_lapic_shortcut), cmocka_unit_test(test_kinds), cmocka_unit_test(test_absent),
        cmocka_unit_test(test_number_of_msrs), cmocka_unit_test(test_stores),
        cmocka_unit_test(test_check_efer_and_pat), cmocka_unit_test(test_check_mtrr_default),
        cmocka_unit_test(test_check_addresses), cmocka_unit_test(test_check_read_only),
        cmocka_unit_test(test_each_pass),
    };

    return cmocka_run_group_tests_name("vmsr", tests, NULL, NULL);
}
