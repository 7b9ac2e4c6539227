/* SPDX-License-Identifier: MIT */
/*
 * Many vCPUs of many partitions on one core, which give way to each other; and two of one partition that interrupt each other.
 * Who does not take part yet sleeps in EVENT_WAIT. of=N partitions, member 0 counts.
 */
#include "guests/bench/sched.h"

#define VCPUS 4u

static uint8_t stacks[VCPUS][4096] __attribute__((aligned(16)));

static void start_vcpu(uint64_t vcpu, void (*fn)(uint64_t))
{
    while (pith_vcpu_start(vcpu, (uintptr_t)fn, (uintptr_t)stacks[vcpu] + sizeof(stacks[vcpu]) - 8, vcpu).status != PITH_OK)
        (void)pith_wait(pith_now() + NS_PER_MS); /* it has not begun to wait for that */
}

static void give_way(uint64_t vcpu)
{
    if (vcpu || options.me)
        (void)pith_event_wait(1ull << vcpu, 0);
    __atomic_fetch_add(&board->active, 1, __ATOMIC_SEQ_CST);
    while (!stopped())
        (void)pith_yield();
    for (;;)
        (void)pith_wait(0);
}

/* One more, in another partition than the last one; a number is that in pith.conf, and 0 oneself. */
static void wake(uint64_t n)
{
    uint64_t partition = n % options.of ? 1 + n % options.of : 0;

    while (pith_event_send(partition, n / options.of).status != PITH_OK)
        (void)pith_wait(pith_now() + NS_PER_MS);
}

static void count_rounds(uint64_t n)
{
    uint64_t best = ~0ull, sum = 0, empty = tsc_takes();

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t from = pith_tsc(), t;

        (void)pith_yield();
        t = pith_tsc() - from - empty;
        best = t < best ? t : best;
        sum += t;
    }
    pith_printf("bench switch %lu %lu %lu\n", n, best, sum / ROUNDS);
}

void yields_part(const struct pith_start *start)
{
    uint64_t n = 1;

    (void)start;
    for (uint64_t i = 0; i < VCPUS; i++)
        (void)pith_event_bind(i, i, 0);
    for (uint64_t i = 1; i < VCPUS; i++)
        start_vcpu(i, give_way);
    if (options.me)
        give_way(0);
    board->active = 1;
    (void)pith_wait(pith_now() + 500 * NS_PER_MS); /* what others said at their start is printed */
    for (uint64_t goal = 2; goal <= options.of * VCPUS; goal *= 2) {
        for (; n < goal; n++)
            wake(n);
        while (__atomic_load_n(&board->active, __ATOMIC_SEQ_CST) < goal)
            (void)pith_yield();
        for (unsigned i = 0; i < 10; i++)
            (void)pith_yield();
        count_rounds(goal);
    }
    __atomic_store_n(&board->stop, 1, __ATOMIC_SEQ_CST);
    pith_printf("bench done\n");
}

/* --- interrupts between two vCPUs */
#define X2APIC_ICR 0x830u
#define XAPIC_ICR  0xfee00300u
#define ASSERT     0x4000u

static bool by_memory; /* by the local APIC's registers in memory, not as x2APIC */

static void interrupt(uint64_t vcpu)
{
    if (!by_memory) {
        wrmsr(X2APIC_ICR, vcpu << 32 | ASSERT | VECTOR_X2APIC);
        return;
    }
    *(volatile uint32_t *)(uintptr_t)(XAPIC_ICR + 16) = (uint32_t)vcpu << 24;
    *(volatile uint32_t *)(uintptr_t)XAPIC_ICR = ASSERT | VECTOR_XAPIC;
}

static void wait_irq(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void apic_on(void)
{
    if (!by_memory)
        x2apic_on();
    else
        *(volatile uint32_t *)(uintptr_t)0xfee000f0u = 0x1ff;
}

static void answer(uint64_t vcpu)
{
    (void)vcpu;
    apic_on();
    interrupts_on();
    __asm__ volatile("cli");
    for (;;) {
        wait_irq();
        interrupt(0);
    }
}

struct round_trips ipi_round_trips(bool memory)
{
    struct round_trips r = { ~0ull, 0 };
    uint64_t empty = tsc_takes();

    by_memory = memory;
    apic_on();
    interrupts_on();
    __asm__ volatile("cli");
    (void)pith_vcpu_stop(1);
    start_vcpu(1, answer);
    (void)pith_wait(pith_now() + 5 * NS_PER_MS);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t from = pith_tsc(), t;

        interrupt(1);
        wait_irq();
        t = pith_tsc() - from - empty;
        r.best = t < r.best ? t : r.best;
        r.worst = t > r.worst ? t : r.worst;
    }
    (void)pith_vcpu_stop(1);
    __asm__ volatile("sti");
    return r;
}

void ipi_part(const struct pith_start *start)
{
    const char *name = pith_option(start, "memory", 0) ? "ipi_round_trip_xapic" : "ipi_round_trip";
    struct round_trips r = ipi_round_trips(pith_option(start, "memory", 0));

    pith_printf("bench %s %lu\nbench %s_most %lu\nbench done\n", name, r.best, name, r.worst);
}
