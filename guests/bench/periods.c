/* SPDX-License-Identifier: MIT */
/*
 * One that works in every millisecond: its timer's interrupt begins a period, and the work must be done when the next one is due.
 * work=N instructions, periods=N; phases=1: so many with each thing that the hog can do, and a few to begin with that do not count;
 * steps=1: as long as the manager works, and told is the latest of each step.
 */
#include "guests/bench/sched.h"

#define MSR_X2APIC_LVT   0x832u
#define MSR_TSC_DEADLINE 0x6e0u
#define LVT_TSC_DEADLINE 0x40000u
#define SETTLE           20u
#define MOST_STEPS       16u

#define BUCKETS 65536u /* an instruction each; the last one is for all that is later */
static uint32_t histogram[BUCKETS];
static uint64_t due, latest, missed, labour;

static void wait_for_it(void)
{
    uint64_t before = bench_irqs;

    wrmsr(MSR_TSC_DEADLINE, due);
    while (bench_irqs == before) {
        (void)pith_wait(0); /* back when it is pending; HLT behind STI may miss it on QEMU */
        __asm__ volatile("sti; nop; cli");
    }
}

static void period(bool counts)
{
    uint64_t late;

    wait_for_it();
    late = instructions(bench_taken - due);
    histogram[late < BUCKETS ? late : BUCKETS - 1] += counts;
    latest = late > latest ? late : latest;
    work(labour);
    due += options.khz;
    if (pith_tsc() < due)
        return;
    missed++;
    due = pith_tsc() + options.khz;
}

/* So many periods, of which those before do not count; what lies between two of these has overdrawn the budget. */
static void periods(uint64_t n)
{
    due = pith_tsc() + SETTLE * options.khz;
    for (uint64_t i = 0; i < SETTLE + n; i++) {
        if (i == SETTLE)
            latest = missed = 0;
        period(i >= SETTLE);
    }
}

/* Eight pairs a line: how late, and how often. */
static void print_histogram(void)
{
    char line[200];
    size_t n = 0;
    unsigned pairs = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        if (!histogram[i])
            continue;
        n += pith_format(line + n, sizeof(line) - n, " %u %u", i, histogram[i]);
        if (++pairs % 8)
            continue;
        pith_printf("bench late%s\n", line);
        n = 0;
    }
    if (n)
        pith_printf("bench late%s\n", line);
}

static void print_phase(const char *how, unsigned phase, void (*name)(uint64_t, char *), uint64_t late, uint64_t how_many)
{
    char text[BENCH_NAME];

    name(phase, text);
    pith_printf("bench %s %s %lu %lu\n", how, text, late, how_many);
}

static void with_each_hog(uint64_t n)
{
    for (unsigned i = 0; i < nr_hogs; i++) {
        __atomic_store_n(&board->phase, i, __ATOMIC_RELEASE);
        periods(n);
        print_phase("beside", i, hog_name, latest, missed);
    }
}

static void note(uint64_t of[2])
{
    of[0] = latest > of[0] ? latest : of[0];
    of[1] += missed;
}

/* One that began with one step and ended with the next counts for both. */
static void during_each_step(void)
{
    static uint64_t of[MOST_STEPS][2];

    due = pith_tsc() + SETTLE * options.khz;
    while (!stopped()) {
        uint64_t before = __atomic_load_n(&board->phase, __ATOMIC_ACQUIRE);

        latest = missed = 0;
        period(true);
        note(of[before]);
        note(of[__atomic_load_n(&board->phase, __ATOMIC_ACQUIRE)]);
    }
    for (unsigned i = 0; i < nr_steps; i++)
        print_phase("during", i, step_name, of[i][0], of[i][1]);
}

void periods_part(const struct pith_start *start)
{
    uint64_t n = pith_option(start, "periods", 1000);

    labour = pith_option(start, "work", 1000);
    x2apic_on();
    interrupts_on();
    __asm__ volatile("cli");
    wrmsr(MSR_X2APIC_LVT, LVT_TSC_DEADLINE | VECTOR_X2APIC);
    (void)pith_wait(pith_now() + 200 * NS_PER_MS); /* the others have begun, and said so */
    if (pith_option(start, "phases", 0)) {
        with_each_hog(n);
    } else if (pith_option(start, "steps", 0)) {
        during_each_step();
    } else {
        periods(n);
        pith_printf("bench periods %lu\nbench missed %lu\nbench latest %lu\n", n, missed, latest);
        print_histogram();
    }
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
    pith_printf("bench done\n");
}
