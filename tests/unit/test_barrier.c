/* SPDX-License-Identifier: MIT */
/* What is cleared between partitions, on processors as they are sold, and what is said to be missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"

static struct processor {
    const char *name;
    bool intel;
    u32 l1_ecx, l7_edx, x8_ebx, x21_eax;
    u64 arch_caps;
    u8 cleared, leaks;
    bool ibrs, auto_ibrs;
} cpu;
static u64 written[0x200], efer;
static u32 writes;

static void fake_cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
    (void)sub;
    *a = *b = *c = *d = 0;
    switch (leaf) {
    case 0: *a = 7; break;
    case 1: *c = cpu.l1_ecx; break;
    case 7: *d = cpu.l7_edx; break;
    case 0x80000000: *a = cpu.x21_eax ? 0x80000021 : 0x80000008; break;
    case 0x80000008: *b = cpu.x8_ebx; break;
    case 0x80000021: *a = cpu.x21_eax; break;
    default: fail_msg("leaf %x is above the highest", leaf);
    }
}

static u64 fake_rdmsr(u32 msr)
{
    if (msr == MSR_EFER)
        return efer;
    assert_int_equal(msr, MSR_ARCH_CAPS);
    assert_true(cpu.l7_edx >> 29 & 1); /* else it is a #GP */
    return cpu.arch_caps;
}

static void fake_wrmsr(u32 msr, u64 val)
{
    writes++;
    if (msr == MSR_EFER)
        efer = val;
    else
        written[msr] = val;
}

#define cpuid fake_cpuid
#define rdmsr fake_rdmsr
#define wrmsr fake_wrmsr
#include "arch/x86/barrier.c"

enum { MD_CLEAR = 1u << 10, IBPB = 1u << 26, L1D = 1u << 28, ARCH_CAPS = 1u << 29, HYPERVISOR = 1u << 31 };
enum { RDCL_NO = 1, IBRS_ALL = 2, SKIP_L1DFL = 8, MDS_NO = 32 };
enum { ALL = VM_PREDICTORS | VM_L1D | VM_BUFFERS };

static const struct processor processors[] = {
    { "Skylake as it was built", true, .leaks = ALL },
    { "Skylake, microcode of 2018", true, .l7_edx = IBPB, .cleared = VM_PREDICTORS, .leaks = VM_L1D | VM_BUFFERS },
    { "Skylake, microcode of today", true, .l7_edx = IBPB | L1D | MD_CLEAR | ARCH_CAPS, .cleared = ALL },
    { "Cascade Lake", true, .l7_edx = IBPB | L1D | MD_CLEAR | ARCH_CAPS, .arch_caps = RDCL_NO | IBRS_ALL | SKIP_L1DFL | MDS_NO,
      .cleared = VM_PREDICTORS | VM_BUFFERS, .ibrs = true },
    { "one without MDS, or a name for clearing it", true, .l7_edx = IBPB | ARCH_CAPS, .arch_caps = RDCL_NO | IBRS_ALL | MDS_NO,
      .cleared = VM_PREDICTORS, .ibrs = true },
    { "guest of one that flushes for us", true, .l1_ecx = HYPERVISOR, .l7_edx = IBPB | MD_CLEAR | ARCH_CAPS, .arch_caps = SKIP_L1DFL,
      .cleared = VM_PREDICTORS | VM_BUFFERS },
    { "guest that is told nothing", true, .l1_ecx = HYPERVISOR },
    { "Zen as it was built", false, .leaks = VM_PREDICTORS },
    { "Zen 2", false, .x8_ebx = 1u << 12, .cleared = VM_PREDICTORS },
    { "Zen 4, microcode of today", false, .x8_ebx = 1u << 12, .x21_eax = 1u << 5 | 1u << 8, .cleared = VM_PREDICTORS | VM_BUFFERS,
      .auto_ibrs = true },
};

static void each_processor(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(processors); i++) {
        struct vm_caps caps = { 0 };

        cpu = processors[i];
        memset(written, 0, sizeof(written));
        efer = 0x500, writes = 0;
        barrier_probe(&caps, cpu.intel);
        if (caps.cleared != cpu.cleared || caps.leaks != cpu.leaks)
            fail_msg("%s: clears %x, leaks %x", cpu.name, caps.cleared, caps.leaks);
        barrier_cpu_enable();
        assert_int_equal(written[MSR_SPEC_CTRL], cpu.ibrs);
        assert_int_equal(efer, 0x500 | (cpu.auto_ibrs ? 1u << 21 : 0));
        assert_int_equal(writes, cpu.ibrs + cpu.auto_ibrs);

        writes = 0;
        barrier();
        assert_int_equal(written[MSR_PRED_CMD], cpu.cleared & VM_PREDICTORS ? 1 : 0);
        assert_int_equal(written[MSR_FLUSH_CMD], cpu.cleared & VM_L1D ? 1 : 0);
        assert_int_equal(writes, !!(cpu.cleared & VM_PREDICTORS) + !!(cpu.cleared & VM_L1D));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_processor) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
