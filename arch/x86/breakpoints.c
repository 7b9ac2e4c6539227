/* SPDX-License-Identifier: MIT */
/* Which of a guest's breakpoints the processor gets. SDM 3, "Debug Control Register (DR7)". */
#include "arch/x86/breakpoints.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"

#define LONGEST       8u /* bytes that one covers */
#define HOST_END      (HOST_IMAGE_BASE + GIB(1))
#define DR7_ENABLE(n) (3ull << (2 * (n))) /* L and G */
#define DR7_TYPE(dr7, n) ((dr7) >> (16 + 4 * (n)) & 3)
#define TYPE_IO       2u

/*
 * VM exits disarm all of them, but not on every emulator: there a guest's would fire in the hypervisor for ever. So none of ours,
 * whatever its type: all that the hypervisor maps lies between these two. None on a port either: those that the hypervisor
 * uses are no guest's, and an intercepted access comes to no breakpoint.
 */
static bool armable(u64 addr, u64 type)
{
    return type != TYPE_IO && (addr + LONGEST <= HOST_DIRECT_BASE || addr >= HOST_END);
}

u64 breakpoints_armed(const u64 dr[4], u64 dr7)
{
    for (unsigned i = 0; i < 4; i++)
        if (!armable(dr[i], DR7_TYPE(dr7, i)))
            dr7 &= ~DR7_ENABLE(i);
    return dr7;
}

u64 breakpoints_load(const struct arch_vcpu *v)
{
    write_dr0(v->dr[0]);
    write_dr1(v->dr[1]);
    write_dr2(v->dr[2]);
    write_dr3(v->dr[3]);
    return breakpoints_armed(v->dr, v->dr7);
}
