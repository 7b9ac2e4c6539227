/* SPDX-License-Identifier: MIT */
/* Each core's control registers, and the order in which the machine is taken over. */
#include "arch/x86/host.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/desc.h"
#include "arch/x86/paging.h"
#include "arch/x86/platform.h"
#include "arch/x86/smp.h"
#include "arch/x86/timers.h"
#include "drivers/lapic.h"

#define CR0_HOST (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define CR4_HOST (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

enum cpuid_reg { EAX, EBX, ECX, EDX };

static const struct {
    u32 leaf;
    enum cpuid_reg reg;
    u8 bit;
    u64 cr4;
} optional[] = {
    { 1, ECX, 26, CR4_OSXSAVE },
    { 7, EBX, 7, CR4_SMEP },
    { 7, EBX, 20, CR4_SMAP },
    { 7, ECX, 2, CR4_UMIP },
};

static void cr4_set(void)
{
    u64 cr4 = CR4_HOST | (read_cr4() & CR4_LA57);
    u32 max, r[4];

    cpuid(0, 0, &max, &r[EBX], &r[ECX], &r[EDX]);
    for (u32 i = 0; i < ARRAY_SIZE(optional); i++) {
        if (optional[i].leaf > max)
            continue;
        cpuid(optional[i].leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
        if (r[optional[i].reg] & BIT(optional[i].bit))
            cr4 |= optional[i].cr4;
    }
    write_cr4(cr4);
}

/*
 * Guests get any subset of what the hardware has; XSAVE and XRSTOR act on what XCR0 enables at the time. Nothing of the upper half
 * (LWP), no supervisor state, and no component that faults: they run on the two MSRs as they are here.
 */
static void xcr0_set(void)
{
    u32 a, b, c, d;

    if (!(read_cr4() & CR4_OSXSAVE))
        return;
    cpuid(0xd, 0, &a, &b, &c, &d);
    xsetbv(a);
    cpuid(0xd, 1, &a, &b, &c, &d);
    if (a & BIT(3)) /* XSAVES */
        wrmsr(MSR_XSS, 0);
    if (a & BIT(4))
        wrmsr(MSR_XFD, 0);
}

void arch_cpu_init(u32 index, void *self)
{
    desc_load(index);
    write_cr0(CR0_HOST);
    cr4_set();
    xcr0_set();
    wrmsr(MSR_EFER, (rdmsr(MSR_EFER) | EFER_NXE) & ~EFER_SCE);
    wrmsr(MSR_PAT, HOST_PAT);
    write_cr3(read_cr3()); /* no translation stays that was cached with the old PAT */
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, (u64)self);
    lapic_enable(HOST_VEC_SPURIOUS);
    timers_cpu_init();
}

enum pith_status arch_host_init(const struct handoff *h, struct frame_pool *pool, void *self)
{
    enum pith_status st = paging_init(h, pool);

    if (st == PITH_OK)
        st = platform_init(h);
    if (st != PITH_OK)
        return st;
    arch_cpu_init(0, self);
    return smp_init(h, pool);
}
