/* SPDX-License-Identifier: MIT */
/*
 * What each partition used in the last second, seconds=N times: time, exits, memory. Shows itself, as 0, and those that it may manage,
 * by their place in pith.conf.
 */
#include "guests/lib/pith.h"

#define PARTITIONS 17u
#define KINDS      20u /* exits: hv/abi/trace.h */

static const char *const states[] = { "stopped", "loading", "running", "paused", "stopping",
                                      "restarts", "absent", "creating", "destroying" };
static struct { uint64_t ns, exits; } before[PARTITIONS];

static uint64_t meter(uint64_t partition, uint64_t item)
{
    return pith_meter(partition, PITH_ALL_VCPUS, item).rbx;
}

static uint64_t exits_of(uint64_t partition)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < KINDS; kind++)
        sum += meter(partition, PITH_METER_EXITS + kind);
    return sum;
}

static void show(uint64_t partition)
{
    uint64_t ns = meter(partition, PITH_METER_RUN_NS), exits = exits_of(partition), used = ns - before[partition].ns;
    struct pith_result state = pith_part_state(partition);

    pith_printf("%2lu %10s %3lu.%lu %% %8lu exits %5lu MiB\n", partition, state.rbx < 9 ? states[state.rbx] : "?",
                used / (PITH_NS_PER_S / 100), used / (PITH_NS_PER_S / 1000) % 10, exits - before[partition].exits,
                meter(partition, PITH_METER_RAM) >> 20);
    before[partition].ns = ns;
    before[partition].exits = exits;
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
    }
    return 0;
}
