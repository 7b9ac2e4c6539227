/* SPDX-License-Identifier: MIT */
/* Counting frames. Cheap enough for every start and stop: pools are few runs of used frames. */
#include "hv/audit.h"

#include "hv/channel.h"
#include "hv/ram.h"

static struct frame_pool *host_pool;
static u64 host_bytes;

void audit_init(struct frame_pool *host, u64 bytes)
{
    host_pool = host;
    host_bytes = bytes;
}

struct frame_pool *audit_host_pool(void)
{
    return host_pool;
}

static bool adds_up(struct frame_pool *pool)
{
    return frames_count(pool) == pool->nr_total - pool->nr_free;
}

const char *audit_check(void)
{
    u64 given = host_bytes + channels_bytes();

    if (!adds_up(host_pool))
        return "the hypervisor's frames do not add up";
    for (u32 i = 0; i < nr_partitions; i++) {
        struct partition *p = partition_get(i);

        bool moves = p->state == PARTITION_CREATING || p->state == PARTITION_DESTROYING; /* tables come as they are needed */

        if (!adds_up(&p->frames) || (!moves && p->frames.nr_total - p->frames.nr_free != p->frames_given))
            return p->name;
        given += partition_ram_taken(p) + (p->balloon.hpa ? PITH_BALLOON_SIZE : 0);
    }
    if (ram_count() != ram_free_bytes() || ram_free_bytes() + given != ram_total_bytes())
        return "RAM that was given and RAM that is free are not all of it";
    return NULL;
}
