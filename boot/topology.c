/* SPDX-License-Identifier: MIT */
/* SDM 3, "Hierarchical Mapping of Shared Resources"; APM 3, "Processor Topology Identifiers". */
#include "boot/topology.h"

#define LEVEL_THREAD 1u        /* type of a level in leaves 0BH and 1FH */
#define TOPOLOGY_EXT BIT(22)   /* CPUID.80000001H ECX */

static bool from_levels(topology_cpuid_fn *cpuid, u32 leaf, u32 *bits)
{
    u32 a, b, c, d;

    cpuid(0, 0, &a, &b, &c, &d);
    if (a < leaf)
        return false;
    cpuid(leaf, 0, &a, &b, &c, &d);
    *bits = a & 0x1f;
    return b && (c >> 8 & 0xff) == LEVEL_THREAD;
}

static u32 from_units(topology_cpuid_fn *cpuid)
{
    u32 a, b, c, d, bits = 0;

    cpuid(0x80000000, 0, &a, &b, &c, &d);
    if (a < 0x8000001e)
        return 0;
    cpuid(0x80000001, 0, &a, &b, &c, &d);
    if (!(c & TOPOLOGY_EXT))
        return 0;
    cpuid(0x8000001e, 0, &a, &b, &c, &d);
    while (1u << bits < (b >> 8 & 0xff) + 1)
        bits++;
    return bits;
}

u32 topology_thread_bits(topology_cpuid_fn *cpuid)
{
    u32 bits;

    if (from_levels(cpuid, 0x1f, &bits) || from_levels(cpuid, 0xb, &bits))
        return bits;
    return from_units(cpuid);
}
