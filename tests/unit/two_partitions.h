/* SPDX-License-Identifier: MIT */
/* A manifest of two partitions, 'a' on line 10 and 'b' on line 20, that are given ports and memory. */
#pragma once

#include "hv/abi/manifest.h"
#include "hv/lib/types.h"

static struct manifest m;

static inline void two_partitions(void)
{
    m = (struct manifest){ .nr_partitions = 2 };
    for (u32 i = 0; i < 2; i++) {
        m.partitions[i].name[0] = (char)('a' + i);
        m.partitions[i].line = 10 + 10 * i;
    }
}

static inline struct manifest_partition *give(u32 part, bool ports, u64 first, u64 last)
{
    struct manifest_partition *p = &m.partitions[part];

    if (ports)
        p->ports[p->nr_ports++] = (struct manifest_range){ first, last };
    else
        p->mmio[p->nr_mmio++] = (struct manifest_range){ first, last };
    return p;
}
