/* SPDX-License-Identifier: MIT */
/* What happens on an exception, an NMI or an interrupt that arrives while the hypervisor runs. */
#include "arch/x86/trap.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/firmware.h"
#include "arch/x86/safe.h"

#define FIRST_IRQ 32u

extern const char safe_rdmsr[], safe_wrmsr[], safe_failed[]; /* traps.S */
extern const char idle_begin[], idle_end[];

/* The instructions that may fault, and where to go on then. */
static const struct {
    const char *insn, *resume;
    u8 vector;
} expected[] = {
    { safe_rdmsr, safe_failed, X86_GP },
    { safe_wrmsr, safe_failed, X86_GP },
};

static bool trap_expected(struct trap_frame *f)
{
    for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
        if (f->rip == (u64)expected[i].insn && f->vector == expected[i].vector) {
            f->rip = (u64)expected[i].resume;
            return true;
        }
    return false;
}

/* NMIs only end HLT and guests; the race with arch_idle() is explained at its code. */
static void trap_nmi(struct trap_frame *f)
{
    panic_check();
    if (f->rip >= (u64)idle_begin && f->rip < (u64)idle_end)
        f->rip = (u64)idle_end;
}

/*
 * Nobody debugs the hypervisor: this one is a guest's, that was armed or pending when it left. Processors drop those at the
 * exit; an emulator that does not shall not end here. May come while GS is the guest's.
 */
static void trap_debug(struct trap_frame *f)
{
    write_dr7(DR7_RESET);
    f->rflags |= RFLAGS_RF;
}

void trap_dispatch(struct trap_frame *f)
{
    if (f->vector == X86_DB)
        trap_debug(f);
    else if (f->vector >= FIRST_IRQ)
        irq_dispatch((u8)f->vector);
    else if (f->vector == X86_NMI)
        trap_nmi(f);
    else if (!trap_expected(f) && !firmware_fault(f))
        trap_panic(f);
}
