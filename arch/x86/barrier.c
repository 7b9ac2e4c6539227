/* SPDX-License-Identifier: MIT */
#include "arch/x86/barrier.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"

#define L1_ECX_HYPERVISOR    BIT(31)
#define L7_EDX_MD_CLEAR      BIT(10) /* VERW clears buffers */
#define L7_EDX_IBRS_IBPB     BIT(26)
#define L7_EDX_L1D_FLUSH     BIT(28)
#define L7_EDX_ARCH_CAPS     BIT(29)
#define X8_EBX_IBPB          BIT(12)
#define X21_EAX_VERW_CLEAR   BIT(5)
#define X21_EAX_AUTO_IBRS    BIT(8)
#define CAPS_RDCL_NO         BIT(0)
#define CAPS_IBRS_ALL        BIT(1)
#define CAPS_SKIP_L1DFL      BIT(3)
#define CAPS_MDS_NO          BIT(5)
#define SPEC_CTRL_IBRS       BIT(0)
#define PRED_CMD_IBPB        BIT(0)
#define FLUSH_CMD_L1D        BIT(0)
#define EFER_AUTO_IBRS       BIT(21)

static u8 clears;
static bool ibrs, auto_ibrs;

struct leaf { u32 a, b, c, d; };

static struct leaf ask(u32 leaf)
{
    struct leaf top, r = { 0 };

    cpuid(leaf & 0x80000000, 0, &top.a, &top.b, &top.c, &top.d);
    if (leaf <= top.a)
        cpuid(leaf, 0, &r.a, &r.b, &r.c, &r.d);
    return r;
}

void barrier_probe(struct vm_caps *caps, bool intel)
{
    struct leaf l7 = ask(7), x8 = ask(0x80000008), x21 = ask(0x80000021);
    u64 arch_caps = l7.d & L7_EDX_ARCH_CAPS ? rdmsr(MSR_ARCH_CAPS) : 0;
    u8 needs = VM_PREDICTORS, can = 0;

    if ((l7.d & L7_EDX_IBRS_IBPB) || (x8.b & X8_EBX_IBPB))
        can |= VM_PREDICTORS;
    if (l7.d & L7_EDX_L1D_FLUSH)
        can |= VM_L1D;
    if ((l7.d & L7_EDX_MD_CLEAR) || (x21.a & X21_EAX_VERW_CLEAR))
        can |= VM_BUFFERS;
    if (intel && !(arch_caps & (CAPS_RDCL_NO | CAPS_SKIP_L1DFL)))
        needs |= VM_L1D;
    if (intel && !(arch_caps & CAPS_MDS_NO))
        needs |= VM_BUFFERS;

    clears = can & (needs | VM_BUFFERS); /* buffers have more faults than MDS (TAA, MMIO stale data, TSA), and VERW is cheap */
    ibrs = (arch_caps & CAPS_IBRS_ALL) && (l7.d & L7_EDX_IBRS_IBPB);
    auto_ibrs = x21.a & X21_EAX_AUTO_IBRS;
    caps->cleared = clears;
    caps->leaks = ask(1).c & L1_ECX_HYPERVISOR ? 0 : needs & ~can; /* a hypervisor below us hides what it takes care of */
}

void barrier_cpu_enable(void)
{
    if (ibrs)
        wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
    if (auto_ibrs)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AUTO_IBRS);
}

/* 32 entries that lead nowhere in the place of those that returns would be predicted by; IBPB leaves them on some processors. */
static __attribute__((noinline)) void fill_return_stack(void)
{
    __asm__ volatile("mov $16, %%ecx\n"
                     "1: call 3f\n"
                     "2: pause; lfence; jmp 2b\n"
                     "3: call 5f\n"
                     "4: pause; lfence; jmp 4b\n"
                     "5: dec %%ecx\n"
                     "jnz 1b\n"
                     "add $256, %%rsp" : : : "rcx", "cc", "memory");
}

void barrier(void)
{
    u16 selector;

    if (clears & VM_PREDICTORS) {
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
        fill_return_stack();
    }
    if (clears & VM_L1D)
        wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
    if (clears & VM_BUFFERS) /* of memory: its other form clears nothing */
        __asm__ volatile("mov %%ds, %0; verw %0" : "=m"(selector) : : "cc");
}
