/* SPDX-License-Identifier: MIT */
/* INIT-SIPI-SIPI. SDM 3, "MP Initialization". */
#include "guests/lib/smp.h"

#define PAGE          0x8000ull
#define MSR_APIC_BASE 0x1bu
#define APIC_X2APIC   0xc00u
#define X2APIC_ICR    0x830u

extern const char smp_begin[], smp_end[], smp_cr3[], smp_stack[], smp_entry[];

static volatile bool entered;
static void (*volatile wanted)(void);

static void wrmsr(uint32_t msr, uint32_t lo, uint32_t hi)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(lo), "d"(hi) : "memory");
}

void smp_icr(uint32_t apic_id, uint32_t icr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_APIC_BASE));
    if (!(lo & 0x400))
        wrmsr(MSR_APIC_BASE, lo | APIC_X2APIC, hi);
    wrmsr(X2APIC_ICR, icr, apic_id);
}

/* In the page, where the code looks for it. */
static void set(const char *label, uint64_t value)
{
    *(volatile uint64_t *)(uintptr_t)(PAGE + (uint64_t)(label - smp_begin)) = value;
}

static void enter(void)
{
    entered = true;
    wanted();
    for (;;)
        (void)pith_wait(0);
}

bool smp_start(uint32_t apic_id, void (*fn)(void), void *stack)
{
    uint64_t cr3, end = pith_now() + 60 * PITH_NS_PER_S; /* cores may be shared by many */

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    memcpy((void *)(uintptr_t)PAGE, smp_begin, (size_t)(smp_end - smp_begin));
    set(smp_cr3, cr3);
    set(smp_stack, (uintptr_t)stack & ~15ull);
    set(smp_entry, (uintptr_t)enter);
    wanted = fn;
    entered = false;
    smp_icr(apic_id, SMP_INIT);
    smp_icr(apic_id, SMP_SIPI);
    smp_icr(apic_id, SMP_SIPI);
    while (!entered && pith_now() < end)
        (void)pith_wait(pith_now() + 100000); /* it may need the very core that waits here */
    return entered;
}
