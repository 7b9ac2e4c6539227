/* SPDX-License-Identifier: MIT */
/*
 * CPUID policy against hosts that say yes to everything, no to everything, or something.
 * LINK: hv/vdev/vcpuid.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/abi/hypercall.h"
#include "hv/lib/types.h"
#include "hv/vdev/vcpuid.h"

static struct vcpuid_env env;
static struct cpuid_regs r;

static void host_ones(u32 leaf, u32 sub, struct cpuid_regs *out)
{
    (void)leaf, (void)sub;
    *out = (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
}

static void host_zeros(u32 leaf, u32 sub, struct cpuid_regs *out)
{
    (void)leaf, (void)sub;
    *out = (struct cpuid_regs){ 0 };
}

/* An Intel-like host with AVX, MPX and PKRU; above leaf 0xd it gives another leaf's data. */
static void host_some(u32 leaf, u32 sub, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){ 0x11, 0x22, 0x33, 0x44 };
    if (leaf == 0 || leaf == 0x80000000)
        out->eax = leaf ? 0x80000008 : 0xd;
    else if (leaf == 4)
        *out = (struct cpuid_regs){ sub < 3 ? 0xfc01c121 + (sub << 5) : 0, 0x01c0003f, 63, 7 };
    else if (leaf == 0xd && sub == 0)
        *out = (struct cpuid_regs){ 0x21f, 832, 2700, 0 };
    else if (leaf == 0xd && sub == 2)
        *out = (struct cpuid_regs){ 256, 576, 0, 0 };
    else if (leaf == 0xd && sub == 9)
        *out = (struct cpuid_regs){ 8, 2688, 0, 0 };
    else if (leaf == 0xd)
        *out = (struct cpuid_regs){ 0xf, 832, 0xff, 0 };
}

static void ask(u32 leaf, u32 sub)
{
    r = (struct cpuid_regs){ 0xbad, 0xbad, 0xbad, 0xbad };
    vcpuid(&env, leaf, sub, &r);
}

static bool nothing(void)
{
    return !(r.eax | r.ebx | r.ecx | r.edx);
}

static int fresh(void **state)
{
    (void)state;
    env = (struct vcpuid_env){
        .host = host_ones, .apic_id = 0, .nr_vcpus = 1, .tsc_khz = 2500000, .cr4 = CR4_OSXSAVE,
        .features = PITH_FEATURE_CONSOLE | PITH_FEATURE_TIME, .hypercall_insn = PITH_HC_VMMCALL,
        .kvm = true, .x2apic = true,
    };
    return 0;
}

static void test_known_leaves_only(void **state)
{
    static const u32 known[] = {
        0, 1, 2, 4, 6, 7, 0xb, 0xd, 0x40000000, 0x40000001, 0x40000010, 0x40000100, 0x40000101,
        0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006,
        0x80000007, 0x80000008,
    };
    static const u32 bases[] = {
        0, 0x20000000, 0x40000000, 0x80000000, 0x80860000, 0xc0000000, 0xfffffe00,
    };

    (void)state;
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
        for (u32 leaf = bases[b]; leaf < bases[b] + 0x1ff; leaf++) {
            bool listed = false;

            for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                listed |= known[i] == leaf;
            ask(leaf, 0);
            assert_int_equal(nothing(), !listed);
        }
    }
}

/* What a guest must never see: by the manuals' bits, not by the policy's masks. */
static void test_hidden_from_a_host_of_ones(void **state)
{
    static const struct { u32 leaf, sub, eax, ebx, ecx, edx; } hidden[] = {
        /* ECX: DTES64 MONITOR DS-CPL VMX SMX EST TM2 CNXT-ID SDBG xTPR PDCM DCA
         * EDX: PSN DS ACPI HTT (one core) TM PBE */
        { 1, 0, 0, 0x000000ff, 0x0005cdfc, 0xf0740400 },
        { 6, 0, 0xfffffffb, ~0u, ~0u, ~0u },
        /* EBX: SGX HLE RTM PQM MPX PQE PT; ECX: PKU OSPKE WAITPKG CET TME LA57 ... */
        { 7, 0, ~0u, 0x0240d814, 0xffbfa0b8, 0xffffbee3 },
        { 7, 1, ~0u, ~0u, ~0u, ~0u },
        { 7, 2, ~0u, ~0u, ~0u, ~0u },
        { 0xd, 0, 0xffffff18, 0, 0, ~0u },
        { 0xd, 1, 0xfffffff8, 0, ~0u, ~0u },
        { 0xd, 2, 0, 0, ~2u, ~0u },
        { 0xd, 3, ~0u, ~0u, ~0u, ~0u },   /* MPX */
        { 0xd, 8, ~0u, ~0u, ~0u, ~0u },   /* PT */
        { 0xd, 9, ~0u, ~0u, ~0u, ~0u },   /* PKRU */
        { 0xd, 11, ~0u, ~0u, ~0u, ~0u },  /* CET */
        { 0xd, 18, ~0u, ~0u, ~0u, ~0u },  /* AMX */
        { 0xd, 62, ~0u, ~0u, ~0u, ~0u },
        { 0xd, 0xffffffff, ~0u, ~0u, ~0u, ~0u },
        /* ECX: CmpLegacy SVM ExtApic AltMovCr8 OSVW IBS SKINIT WDT LWP TCE NodeId TopoExt PerfCtr
         * MWAITX; EDX: MP FFXSR */
        { 0x80000001, 0, 0, ~0u, 0xffdef61e, 0x122c0400 },
        { 0x80000007, 0, ~0u, ~0u, ~0u, ~0x100u },
        { 0x80000008, 0, 0xffff0000, 0xfffffffa, ~0u, ~0u },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
        ask(hidden[i].leaf, hidden[i].sub);
        assert_int_equal(r.eax & hidden[i].eax, 0);
        assert_int_equal(r.ebx & hidden[i].ebx, 0);
        assert_int_equal(r.ecx & hidden[i].ecx, 0);
        assert_int_equal(r.edx & hidden[i].edx, 0);
    }
}

static void test_offered_where_the_host_has_it(void **state)
{
    (void)state;
    ask(1, 0);
    assert_int_equal(r.ecx & (BIT(0) | BIT(13) | BIT(20) | BIT(25) | BIT(26) | BIT(28) | BIT(30)),
                     BIT(0) | BIT(13) | BIT(20) | BIT(25) | BIT(26) | BIT(28) | BIT(30));
    /* What x86-64 kernels need; one core: no HTT. */
    assert_int_equal(r.edx & 0x178bfbff, 0x078bfbff);
    ask(7, 0);
    assert_int_equal(r.ebx & (BIT(0) | BIT(7) | BIT(9) | BIT(18) | BIT(20) | BIT(29)),
                     BIT(0) | BIT(7) | BIT(9) | BIT(18) | BIT(20) | BIT(29));
    assert_int_equal(r.ecx & BIT(2), BIT(2));
    ask(0x80000001, 0);
    assert_int_equal(r.ecx & 0x121, 0x121);
    assert_int_equal(r.edx & 0x2c100800, 0x2c100800); /* SYSCALL NX 1G RDTSCP LM */
    ask(0x80000003, 0);
    assert_int_equal(r.eax & r.ebx & r.ecx & r.edx, ~0u);
}

/* What is emulated does not depend on the host. */
static void test_host_of_zeros(void **state)
{
    (void)state;
    env.host = host_zeros;
    ask(0, 0);
    assert_int_equal(r.eax, 0xd);
    ask(1, 0);
    assert_int_equal(r.eax, 0);
    assert_int_equal(r.ebx, 0x00010000);
    assert_int_equal(r.ecx, BIT(21) | BIT(24) | BIT(31)); /* no XSAVE: no OSXSAVE */
    assert_int_equal(r.edx, BIT(9));
    ask(4, 0);
    assert_true(nothing());
    ask(7, 0);
    assert_int_equal(r.ebx, BIT(1));
    assert_int_equal(r.ecx | r.edx, 0);
    ask(0xd, 0);
    assert_true(nothing());
    ask(0xd, 1);
    assert_true(nothing());
    ask(0x80000001, 0);
    assert_true(nothing());
    ask(0x80000007, 0);
    assert_int_equal(r.edx, 0x100);
}

static void test_identity(void **state)
{
    (void)state;
    env.apic_id = 5;
    env.nr_vcpus = 6;
    ask(1, 0);
    assert_int_equal(r.ebx >> 16, 0x0506);
    assert_int_equal(r.edx & BIT(28), BIT(28));
    ask(0xb, 0);
    assert_int_equal(r.eax, 0);
    assert_int_equal(r.ebx, 1);
    assert_int_equal(r.ecx, 0x100);
    assert_int_equal(r.edx, 5);
    ask(0xb, 1);
    assert_int_equal(r.eax, 3);
    assert_int_equal(r.ebx, 6);
    assert_int_equal(r.ecx, 0x201);
    assert_int_equal(r.edx, 5);
    ask(0xb, 2);
    assert_int_equal(r.eax | r.ebx, 0);
    assert_int_equal(r.ecx, 2);
    assert_int_equal(r.edx, 5);
    env.host = host_some;
    ask(4, 1);
    assert_int_equal(r.eax, 7u << 26 | 0x141);
}

static void test_one_core(void **state)
{
    (void)state;
    env.host = host_some;
    ask(4, 0);
    assert_int_equal(r.eax, 0x121);
    assert_int_equal(r.ebx, 0x01c0003f);
    ask(4, 3);
    assert_true(nothing());
    ask(0xb, 1);
    assert_int_equal(r.eax, 0);
    assert_int_equal(r.ebx, 1);
}

static void test_switches(void **state)
{
    (void)state;
    ask(1, 0);
    assert_int_equal(r.ecx & (BIT(21) | BIT(27)), BIT(21) | BIT(27));
    env.cr4 = 0;
    env.x2apic = false;
    env.kvm = false;
    ask(1, 0);
    assert_int_equal(r.ecx & (BIT(21) | BIT(27)), 0);
    ask(0x40000100, 0);
    assert_true(nothing());
    ask(0x40000101, 0);
    assert_true(nothing());
}

static void test_xsave(void **state)
{
    (void)state;
    env.host = host_some;
    ask(0xd, 0);
    assert_int_equal(r.eax, 7);
    assert_int_equal(r.ebx, 832);
    assert_int_equal(r.ecx, 832); /* MPX and PKRU are not offered */
    ask(0xd, 1);
    assert_int_equal(r.eax, 7);
    assert_int_equal(r.ebx, 832);
    ask(0xd, 2);
    assert_int_equal(r.eax, 256);
    assert_int_equal(r.ebx, 576);
    ask(0xd, 9);
    assert_true(nothing());
}

static void test_leaves_above_the_hosts_highest(void **state)
{
    (void)state;
    env.host = host_some;
    ask(2, 0);
    assert_int_equal(r.eax, 0x11);
    env.host = host_zeros;
    ask(2, 0);
    assert_true(nothing());
    ask(0x80000005, 0);
    assert_true(nothing());
}

static void test_hypervisor_leaves(void **state)
{
    (void)state;
    ask(PITH_CPUID_BASE, 0);
    assert_int_equal(r.eax, 0x40000010);
    assert_memory_equal(&r.ebx, "PithPithPith", 12);
    ask(PITH_CPUID_ABI, 0);
    assert_int_equal(r.eax, PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR);
    assert_int_equal(r.ebx, 3);
    assert_int_equal(r.ecx, PITH_HC_VMMCALL);
    assert_int_equal(r.edx, 0);
    ask(0x40000010, 0);
    assert_int_equal(r.eax, 2500000);
    assert_int_equal(r.ebx, 2500000);
    ask(0x40000100, 0);
    assert_int_equal(r.eax, 0x40000101);
    assert_memory_equal(&r.ebx, "KVMKVMKVM\0\0\0", 12);
    ask(0x40000101, 0);
    assert_int_equal(r.eax, 0x0100002a);
    assert_int_equal(r.ebx | r.ecx | r.edx, 0);
}

static void host_sse(u32 leaf, u32 sub, struct cpuid_regs *out)
{
    host_some(leaf, sub, out);
    if (leaf == 0xd && sub == 0)
        out->eax = 3;
}

static void test_xsave_legacy_only(void **state)
{
    (void)state;
    env.host = host_sse;
    ask(0xd, 0);
    assert_int_equal(r.eax, 3);
    assert_int_equal(r.ecx, 576);
}

static void test_highest_leaves(void **state)
{
    (void)state;
    ask(0, 0);
    assert_int_equal(r.eax, 0xd);
    assert_int_equal(r.ebx & r.ecx & r.edx, ~0u);
    ask(0x80000000, 0);
    assert_int_equal(r.eax, 0x80000008);
}

static void test_address_sizes(void **state)
{
    (void)state;
    ask(0x80000008, 0);
    assert_int_equal(r.eax, 0x30ff); /* 48 linear bits: 5-level paging is not offered */
    assert_int_equal(r.ebx, 5);
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
/* What is remembered is what would be answered; leaves that the guest itself changes are asked every time. */
static void test_cache(void **state)
{
    static struct vcpuid_cache cache;
    const u32 leaves[] = { 0, 1, 4, 7, 0xb, 0xd, PITH_CPUID_BASE, 0x80000000, 0x80000008, 0x12345678, ~0u };
    struct cpuid_regs first;

    (void)state;
    env.host = host_some;
    memset(&cache, 0, sizeof(cache));
    assert_null(vcpuid_recall(&cache, 0, 0));
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
        for (u32 sub = 0; sub < 3; sub++) {
            const struct cpuid_regs *again;

            vcpuid_ask(&env, &cache, leaves[i], sub, &first);
            again = vcpuid_recall(&cache, leaves[i], sub);
            ask(leaves[i], leaves[i] > 0xd ? 0 : sub);
            assert_memory_equal(&first, &r, sizeof(r));
            if (leaves[i] == 1 || leaves[i] == 0xd)
                assert_null(again);
            else
                assert_memory_equal(again, &r, sizeof(r));
            if (leaves[i] <= 0xd)
                assert_null(vcpuid_recall(&cache, leaves[i], sub + 1));
            else
                assert_ptr_equal(vcpuid_recall(&cache, leaves[i], 0x5678 + sub), again); /* no matter what ECX is */
        }
    memset(&cache, 0, sizeof(cache));
    assert_null(vcpuid_recall(&cache, ~0u, ~0u));
    assert_null(vcpuid_recall(&cache, ~0u, 0));
}

/* What a C library asks for at the start of each program does not push one another out. */
static void test_cache_of_a_program(void **state)
{
    static const struct { u32 leaf, sub; } asked[] = {
        { 0, 0 }, { 7, 0 }, { 7, 1 }, { 4, 0 }, { 4, 1 }, { 4, 2 }, { 4, 3 }, { 0x80000000, 9 }, { 0x80000001, 9 },
        { 0x80000005, 9 }, { 0x80000006, 9 }, { 0x80000007, 9 }, { 0x80000008, 9 }, { 0xb, 0 }, { 0xb, 1 },
    };
    static struct vcpuid_cache cache;
    struct cpuid_regs first;

    (void)state;
    env.host = host_some;
    memset(&cache, 0, sizeof(cache));
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
        vcpuid_ask(&env, &cache, asked[i].leaf, asked[i].sub, &first);
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
        assert_non_null(vcpuid_recall(&cache, asked[i].leaf, asked[i].sub));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(known_leaves_only), T(hidden_from_a_host_of_ones), T(offered_where_the_host_has_it),
        T(host_of_zeros), T(identity), T(one_core), T(switches), T(xsave), T(cache), T(cache_of_a_program),
        T(leaves_above_the_hosts_highest), T(hypervisor_leaves),
        T(xsave_legacy_only), T(highest_leaves), T(address_sizes),
    };

    return cmocka_run_group_tests_name("vcpuid", tests, NULL, NULL);
}
