/* SPDX-License-Identifier: MIT */
/*
 * A neighbour that says the same whatever others do: rounds=N times, ten a second, what it finds in its memory, in its registers, by
 * CPUID and from its timer. tests/boot/cases.py knows every line.
 */
#include "guests/lib/trap.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define ROUND_NS      (PITH_NS_PER_S / 10)
#define MSR_APIC_BASE 0x1bu
#define APIC_X2APIC   0x400u
#define X2APIC_SVR    0x80fu
#define X2APIC_TIMER  0x832u
#define X2APIC_COUNT  0x838u
#define MARK          0x0123456789abcdeful

static uint32_t memory[16384];

static void wrmsr(uint32_t msr, uint32_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(val), "d"(0) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static void fill(uint32_t seed)
{
    for (unsigned i = 0; i < COUNT(memory); i++)
        memory[i] = seed = seed * 1664525 + 1013904223;
}

static uint32_t sum(void)
{
    uint32_t all = 0;

    for (unsigned i = 0; i < COUNT(memory); i++)
        all = (all << 1 | all >> 31) ^ memory[i];
    return all;
}

static uint64_t mixed(uint64_t sum, uint64_t with)
{
    return (sum ^ with) * 0x100000001b3ul;
}

/* What does not change while nobody changes it. */
static uint64_t answers(void)
{
    static const uint32_t leaves[] = { 0, 1, 2, 4, 6, 7, 0xb, 0xd, 0x40000000, 0x40000001, 0x80000000, 0x80000001, 0x80000008 };
    static const uint32_t msrs[] = { 0x174, 0x175, 0x277, 0x802, 0x803, 0x808, 0x80a, 0x80f, 0x828, 0xc0000080, 0xc0000081, 0xc0000082 };
    uint64_t cr0, cr3, cr4, dr6, dr7, all = 0;

    for (unsigned i = 0; i < COUNT(leaves); i++) {
        struct pith_cpuid r = pith_cpuid(leaves[i], 0);

        all = mixed(mixed(mixed(mixed(all, r.eax), r.ebx), r.ecx), r.edx);
    }
    for (unsigned i = 0; i < COUNT(msrs); i++)
        all = mixed(all, rdmsr(msrs[i]));
    for (uint32_t msr = 0x810; msr < 0x828; msr++) /* ISR, TMR, IRR: nobody else interrupts */
        all = mixed(all, rdmsr(msr));
    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2; mov %%dr6, %3; mov %%dr7, %4"
                     : "=r"(cr0), "=r"(cr3), "=r"(cr4), "=r"(dr6), "=r"(dr7));
    return mixed(mixed(mixed(mixed(mixed(all, cr0), cr3), cr4), dr6), dr7);
}

static void sleep_until(uint64_t deadline)
{
    while (pith_now() < deadline)
        (void)pith_wait(deadline);
}

/*
 * One interrupt of the timer, asleep; registers keep what they have. Not by STI and HLT: QEMU does not load the interrupt shadow at
 * VMRUN, so that an interrupt between the two may be taken before HLT, which then has nothing to wait for.
 */
static bool interrupted(void)
{
    uint64_t before = trap_irqs, x, r = MARK;

    __asm__ volatile("movq %0, %%xmm7" : : "r"(MARK));
    wrmsr(X2APIC_COUNT, 1000);
    while (trap_irqs == before) {
        (void)pith_wait(0);
        __asm__ volatile("sti; nop; nop; cli" : "+r"(r) : : "memory");
    }
    __asm__ volatile("movq %%xmm7, %0" : "=r"(x));
    return x == MARK && r == MARK && trap_irqs == before + 1;
}

int guest_main(const struct pith_start *start)
{
    uint64_t rounds = pith_option(start, "rounds", 10), begin = pith_now(), first;

    trap_init();
    wrmsr(MSR_APIC_BASE, (uint32_t)rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
    wrmsr(X2APIC_TIMER, TRAP_IRQ);
    first = answers();
    for (uint64_t n = 1; n <= rounds; n++) {
        bool kept;

        fill((uint32_t)n);
        sleep_until(begin + n * ROUND_NS);
        kept = interrupted();
        pith_printf("round %lu: memory %08x, registers %s, answers %s, interrupts %lu\n", n, sum(), kept ? "kept" : "lost",
                    answers() == first ? "the same" : "others", trap_irqs);
    }
    return 0;
}
