/* SPDX-License-Identifier: MIT */
/*
 * What each partition used in the last second, seconds=N times: time, of it in exits, exits, memory. Shows itself, as 0, and those that
 * it may manage, by their place in pith.conf; and where the time of each core went.
 */
#include "guests/lib/pith.h"

#define PARTITIONS 17u
#define KINDS      20u /* exits: hv/abi/trace.h */
#define CORES      64u

static const char *const states[] = { "stopped", "loading", "running", "paused", "stopping",
                                      "restarts", "absent", "creating", "destroying" };
static struct { uint64_t ns, exits, exit_ns; } before[PARTITIONS];
static struct pith_result core_before[CORES];

static uint64_t meter(uint64_t partition, uint64_t item)
{
    return pith_meter(partition, PITH_ALL_VCPUS, item).rbx;
}

static uint64_t of_all_kinds(uint64_t partition, uint64_t item)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < KINDS; kind++)
        sum += meter(partition, item + kind);
    return sum;
}

static void show(uint64_t partition)
{
    uint64_t ns = meter(partition, PITH_METER_RUN_NS), used = ns - before[partition].ns;
    uint64_t exits = of_all_kinds(partition, PITH_METER_EXITS), exit_ns = of_all_kinds(partition, PITH_METER_EXIT_NS);
    uint64_t in_exits = exit_ns - before[partition].exit_ns;
    struct pith_result state = pith_part_state(partition);

    pith_printf("%2lu %10s %3lu.%lu %% %8lu exits: %3lu.%lu %% %5lu MiB\n", partition, state.rbx < 9 ? states[state.rbx] : "?",
                used / (PITH_NS_PER_S / 100), used / (PITH_NS_PER_S / 1000) % 10, exits - before[partition].exits,
                in_exits / (PITH_NS_PER_S / 100), in_exits / (PITH_NS_PER_S / 1000) % 10, meter(partition, PITH_METER_RAM) >> 20);
    before[partition].ns = ns;
    before[partition].exits = exits;
    before[partition].exit_ns = exit_ns;
}

/* In thousandths of @all. The part of guests may shrink by the length of an exit that it was in. */
static uint64_t grown(uint64_t is, uint64_t was, uint64_t all)
{
    return is > was ? (is - was) * 1000 / all : 0;
}

/* False: there is no such core, or this partition may not manage others. */
static bool show_core(uint64_t core)
{
    struct pith_result was = core_before[core], is = pith_core_time(core);
    uint64_t all = is.rbx + is.rcx + is.rdx + is.rsi + is.rdi - was.rbx - was.rcx - was.rdx - was.rsi - was.rdi;

    if (is.status != PITH_OK)
        return false;
    pith_printf("core %lu, of 1000: guests %lu, exits %lu, scheduler %lu, idle %lu, others %lu\n", core, grown(is.rbx, was.rbx, all),
                grown(is.rcx, was.rcx, all), grown(is.rdx, was.rdx, all), grown(is.rsi, was.rsi, all), grown(is.rdi, was.rdi, all));
    core_before[core] = is;
    return true;
}

int guest_main(const struct pith_start *start)
{
    uint64_t seconds = pith_option(start, "seconds", 5), from = pith_now();

    for (uint64_t n = 1; n <= seconds; n++) {
        while (pith_now() < from + n * PITH_NS_PER_S)
            (void)pith_wait(from + n * PITH_NS_PER_S);
        pith_printf("--- %lu s\n", n);
        show(0);
        for (uint64_t p = pith_part_next(0).rbx; p; p = pith_part_next(p).rbx)
            show(p);
        for (uint64_t core = 0; core < CORES && show_core(core); core++)
            continue;
    }
    return 0;
}
