/* SPDX-License-Identifier: MIT */
/*
 * What operations cost a guest. Every line reads "bench NAME TICKS": TSC ticks of one, the cheapest of many. Under QEMU's
 * -icount, and on Bochs, a tick is one instruction: the hypervisor's and the guest's own together. The names are those of
 * tests/bench/budgets.tsv.
 */
#include "guests/bench/bench.h"
#include "guests/bench/sched.h"
#include "guests/lib/ring.h"

#define OTHER_MS 300 /* how long the other partition stays; its start takes a third of that */

#define MSR_X2APIC_EOI   0x80bu
#define MSR_X2APIC_LVT   0x832u
#define MSR_X2APIC_SELF  0x83fu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_MISC_ENABLE  0x1a0u
#define MSR_FS_BASE      0xc0000100u
#define MSR_GS_BASE      0xc0000101u
#define LAPIC            0xfee00000u
#define LAPIC_ID         0x20u
#define LAPIC_SVR        0xf0u
#define LAPIC_ICR        0x300u
#define ICR_SELF         0x40000u
#define LVT_TSC_DEADLINE 0x40000u
#define ELCR             0x4d0u /* the 8259's, which kvm-unit-tests' inl_from_kernel reads */
#define PM1_STATUS       0x600u
#define RTC_DATA         0x71u

static volatile uint32_t *lapic(uint32_t reg)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC + reg);
}

static void wait_irq(uint64_t before)
{
    while (bench_irqs == before)
        __asm__ volatile("pause");
}

/* --- the operations */
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

static inline uint8_t in(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void do_port(void)
{
    (void)in(PM1_STATUS);
}

static void do_port_elcr(void)
{
    (void)in(ELCR);
}

static void do_port_rtc(void)
{
    (void)in(RTC_DATA);
}

static void do_msr(void)
{
    (void)rdmsr(MSR_MISC_ENABLE);
}

static void do_lapic_read(void)
{
    (void)*lapic(LAPIC_ID);
}

static void do_eoi(void)
{
    wrmsr(MSR_X2APIC_EOI, 0);
}

static void do_x2apic_self(void)
{
    uint64_t before = bench_irqs;

    wrmsr(MSR_X2APIC_SELF, VECTOR_X2APIC);
    wait_irq(before);
}

static void do_xapic_self(void)
{
    uint64_t before = bench_irqs;

    *lapic(LAPIC_ICR) = ICR_SELF | VECTOR_XAPIC;
    wait_irq(before);
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

static void do_cr8(void)
{
    uint64_t cr8;

    __asm__ volatile("mov %%cr8, %0; mov %0, %%cr8" : "=r"(cr8) : : "memory");
}

static void do_invlpg(void)
{
    __asm__ volatile("invlpg (%0)" : : "r"(&bench_irqs) : "memory");
}

static void do_fs_gs_base(void)
{
    wrmsr(MSR_FS_BASE, rdmsr(MSR_GS_BASE));
}

static void do_dr_read(void)
{
    uint64_t dr;

    __asm__ volatile("mov %%dr0, %0; mov %%dr7, %0" : "=r"(dr));
}

static uint64_t ring_memory[64] __attribute__((aligned(64)));
static struct ring ring_in, ring_out;

/* Sent and taken, by two that are awake: no call. */
static void do_ring(void)
{
    uint64_t message[4] = { 1 };

    (void)ring_put(&ring_out, message);
    (void)ring_get(&ring_in, message);
}

/* --- measuring */
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

/* Armed for a time that has passed already, until the handler runs. */
static uint64_t deadline(void)
{
    uint64_t best = ~0ull;

    wrmsr(MSR_X2APIC_LVT, LVT_TSC_DEADLINE | VECTOR_X2APIC);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = bench_irqs, from = pith_tsc(), t;

        wrmsr(MSR_TSC_DEADLINE, from);
        wait_irq(before);
        t = bench_taken - from;
        best = t < best ? t : best;
    }
    return best;
}

/* One frame of code seen through many pages, each of them for the first time. */
#define ALIASES   64u
#define ALIAS_VA  (1ull << 39)
#define PTE_TABLE 3ull
static uint64_t alias_pdpt[512] __attribute__((aligned(4096)));
static uint64_t alias_pd[512] __attribute__((aligned(4096)));
static uint64_t alias_pt[512] __attribute__((aligned(4096)));
static const uint8_t alias_code[] __attribute__((aligned(4096))) = { 0x53, 0x0f, 0xa2, 0x5b, 0xc3 }; /* push rbx; cpuid; pop rbx; ret */

static void map_aliases(void)
{
    uint64_t cr3;

    for (unsigned i = 0; i < ALIASES; i++)
        alias_pt[i] = (uintptr_t)alias_code | PTE_TABLE;
    alias_pd[0] = (uintptr_t)alias_pt | PTE_TABLE;
    alias_pdpt[0] = (uintptr_t)alias_pd | PTE_TABLE;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    ((uint64_t *)(uintptr_t)(cr3 & ~0xfffull))[1] = (uintptr_t)alias_pdpt | PTE_TABLE; /* RAM is mapped as it lies */
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static uint64_t uncached(void)
{
    uint64_t best = ~0ull;

    map_aliases();
    for (unsigned i = 0; i < ALIASES; i++) {
        uint32_t leaf = 0, sub = 0;
        uint64_t from = pith_tsc(), t;

        __asm__ volatile("call *%2" : "+a"(leaf), "+c"(sub) : "r"(ALIAS_VA + i * 4096ull) : "rdx", "memory");
        t = pith_tsc() - from;
        best = t < best ? t : best;
    }
    return best;
}

/* Two partitions on one core give way to each other: half of what it takes until the first goes on. The other one comes later. */
static uint64_t vcpu_switch(uint64_t empty)
{
    uint64_t best = ~0ull;

    (void)pith_wait(OTHER_MS * 2 / 3 * NS_PER_MS);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = pith_tsc(), t;

        (void)pith_yield();
        t = pith_tsc() - from;
        best = t < best ? t : best;
    }
    (void)pith_wait(2 * OTHER_MS * NS_PER_MS);
    return (best - empty) / 2;
}

static int other_partition(void)
{
    while (pith_now() < OTHER_MS * NS_PER_MS)
        for (int i = 0; i < 10; i++)
            (void)pith_yield();
    return 0;
}

/* Partition 3, on the same core, answers until it is told to end. */
#define ECHO 3

static void do_call(void)
{
    (void)pith_ipc_call(ECHO, 0, 0, 0, 0);
}

static void echo_partition(void)
{
    struct pith_result call = pith_ipc_wait(0);

    while (!call.rcx)
        call = pith_ipc_reply_wait(call.rbx, 0, 0, 0, 0);
    (void)pith_ipc_reply_wait(call.rbx, 0, 0, 0, pith_now()); /* nobody calls any more */
}

enum { EVENT_FOR_NOBODY, EVENT_FOR_OTHER };

static void do_event_send(void)
{
    (void)pith_event_send(0, EVENT_FOR_NOBODY);
}

static void other_vcpu(uint64_t argument)
{
    (void)argument;
    x2apic_on();
    interrupts_on();
    for (;;)
        (void)pith_wait(0);
}

/* From a send to the handler of another vCPU that slept on this core. */
static uint64_t event_to_handler(void)
{
    static uint8_t stack[4096] __attribute__((aligned(16)));
    uint64_t best = ~0ull;

    (void)pith_event_bind(EVENT_FOR_OTHER, 1, VECTOR_X2APIC);
    (void)pith_vcpu_start(1, (uintptr_t)other_vcpu, (uintptr_t)stack + sizeof(stack) - 8, 0);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before, from, t;

        (void)pith_wait(pith_now() + NS_PER_MS); /* it sleeps again */
        before = bench_irqs;
        from = pith_tsc();
        (void)pith_event_send(0, EVENT_FOR_OTHER);
        wait_irq(before);
        t = bench_taken - from;
        best = t < best ? t : best;
    }
    return best;
}

struct op { const char *name; void (*run)(void); };

static const struct op xapic_ops[] = {
    { "cpuid", do_cpuid },
    { "hypercall_null", do_hypercall },
    { "hypercall_time", do_time },
    { "pio_read", do_port },
    { "pio_read_elcr", do_port_elcr },
    { "pio_read_rtc", do_port_rtc },
    { "msr_read", do_msr },
    { "lapic_mmio_read", do_lapic_read },
    { "xapic_self_ipi", do_xapic_self },
    { "cr0_wp", do_cr0_wp },
    { "cr4_pge", do_cr4_pge },
    { "cr3", do_cr3 },
    { "cr8", do_cr8 },
    { "invlpg", do_invlpg },
    { "fs_gs_base", do_fs_gs_base },
    { "dr_read", do_dr_read },
    { "ring_message", do_ring },
    { "event_send", do_event_send },
    { "ipc_call_reply", do_call },
};
static const struct op x2apic_ops[] = {
    { "x2apic_eoi", do_eoi },
    { "x2apic_self_ipi", do_x2apic_self },
};

static void measure(const struct op *ops, unsigned n, uint64_t empty)
{
    for (unsigned i = 0; i < n; i++)
        pith_printf("bench %s %lu\n", ops[i].name, cheapest(ops[i].run) - empty);
}

static void measure_all(void)
{
    uint64_t empty = cheapest(nothing), clock = tsc_takes();

    pith_printf("bench vcpu_switch %lu\n", vcpu_switch(clock));
    interrupts_on();
    (void)pith_event_bind(EVENT_FOR_NOBODY, 0, 0);
    ring_out = ring_open(ring_memory, 8, 32, true);
    ring_in = ring_open(ring_memory, 8, 32, false);
    *lapic(LAPIC_SVR) = 0x1ff;
    measure(xapic_ops, sizeof(xapic_ops) / sizeof(xapic_ops[0]), empty);
    pith_printf("bench uncached_exit %lu\n", uncached() - clock);
    x2apic_on();
    measure(x2apic_ops, sizeof(x2apic_ops) / sizeof(x2apic_ops[0]), empty);
    pith_printf("bench tsc_deadline %lu\n", deadline());
    (void)pith_ipc_call(ECHO, 1, 0, 0, 0);
    pith_printf("bench event_to_handler %lu\n", event_to_handler());
    pith_printf("bench ipi_round_trip %lu\n", ipi_round_trips(false).best);
}

/* The command line says which part a partition has. */
int guest_main(const struct pith_start *start)
{
    char part = *(const char *)(uintptr_t)start->cmdline;

    if (sched_part(start))
        return 0;
    if (part == 'o')
        return other_partition();
    if (part == 'e')
        echo_partition();
    if (!part) {
        measure_all();
    } else {
        x2apic_on();
        interrupts_on();
    }
    if (part == 'e' || part == 'p')
        events_answer(1, part == 'p');
    else
        events_measure(part ? 2 : ECHO, part);
    pith_printf("bench done\n");
    return 0;
}
