/* SPDX-License-Identifier: MIT */
/* What happens on an exception, an NMI or an interrupt that arrives while the hypervisor runs. */
#include "arch/x86/trap.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/firmware.h"
#include "arch/x86/safe.h"

extern const char safe_rdmsr[], safe_failed[]; /* traps.S */
extern const char idle_begin[], idle_end[];

/* The one instruction that may fault. */
static bool trap_expected(struct trap_frame *f)
{
    if (f->rip != (u64)safe_rdmsr || f->vector != X86_GP)
        return false;
    f->rip = (u64)safe_failed;
    return true;
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
    else if (f->vector == X86_NMI)
        trap_nmi(f);
    else if (!trap_expected(f) && !firmware_fault(f))
        trap_panic(f);
}
