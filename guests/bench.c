/* SPDX-License-Identifier: MIT */
/*
 * What an exit costs. Every line reads "bench NAME TICKS": TSC ticks of one operation, the cheapest of many. Under QEMU's
 * -icount, and on Bochs, a tick is one instruction: the hypervisor's and the guest's own together.
 */
#include "guests/lib/pith.h"

#define ROUNDS 200

#define MSR_X2APIC_EOI  0x80bu
#define MSR_X2APIC_SVR  0x80fu
#define MSR_APIC_BASE   0x1bu
#define MSR_MISC_ENABLE 0x1a0u
#define LAPIC           0xfee00000u
#define RTC_DATA        0x71u

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

static void nothing(void)
{
}

static void do_cpuid(void)
{
    (void)pith_cpuid(0, 0);
}

static void do_hypercall(void)
{
    (void)pith_version();
}

static void do_time(void)
{
    (void)pith_time();
}

static void do_port(void)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"((uint16_t)RTC_DATA));
}

static void do_msr(void)
{
    (void)rdmsr(MSR_MISC_ENABLE);
}

static void do_lapic_read(void)
{
    (void)*(volatile uint32_t *)(uintptr_t)(LAPIC + 0x20);
}

static void do_eoi(void)
{
    wrmsr(MSR_X2APIC_EOI, 0);
}

static void do_cr0_wp(void)
{
    uint64_t cr0;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 ^ 0x10000) : "memory");
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

static void do_cr4_pge(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 ^ 0x80) : "memory");
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static void do_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
}

static uint64_t once(void (*op)(void))
{
    uint64_t from = pith_tsc();

    op();
    return pith_tsc() - from;
}

static uint64_t cheapest(void (*op)(void))
{
    uint64_t best = ~0ull;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t t = once(op);

        best = t < best ? t : best;
    }
    return best;
}

static const struct { const char *name; void (*op)(void); } xapic_ops[] = {
    { "cpuid", do_cpuid },       { "hypercall", do_hypercall }, { "time", do_time },       { "port", do_port },
    { "msr-read", do_msr },      { "cr0-wp", do_cr0_wp },       { "cr4-pge", do_cr4_pge }, { "cr3", do_cr3 },
    { "lapic-mmio", do_lapic_read },
};

int guest_main(const struct pith_start *start)
{
    uint64_t empty = cheapest(nothing), first = once(do_cpuid);

    (void)start;
    pith_printf("bench cpuid-first %lu\n", first - empty);
    for (unsigned i = 0; i < sizeof(xapic_ops) / sizeof(xapic_ops[0]); i++)
        pith_printf("bench %s %lu\n", xapic_ops[i].name, cheapest(xapic_ops[i].op) - empty);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
    wrmsr(MSR_X2APIC_SVR, 0x1ff);
    pith_printf("bench x2apic-eoi %lu\n", cheapest(do_eoi) - empty);
    pith_printf("bench done\n");
    return 0;
}
