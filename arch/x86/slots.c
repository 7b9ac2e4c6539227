/* SPDX-License-Identifier: MIT */
/* Stacks with guard pages, one set per core. */
#include "arch/x86/slots.h"

#include "arch/x86/paging.h"
#include "hv/lib/string.h"

u64 slots_pdpt[512] __attribute__((aligned(4096)));
u64 slots_pd[512] __attribute__((aligned(4096)));

static const struct { u8 first, pages; } slot_areas[] = { /* in the order of their frames */
    { SLOT_TABLE, 1 },
    { SLOT_STACK, SLOT_STACK_PAGES },
    { SLOT_DF, SLOT_IST_PAGES },
    { SLOT_NMI, SLOT_IST_PAGES },
    { SLOT_MC, SLOT_IST_PAGES },
};
_Static_assert(SLOT_FRAMES == 1 + SLOT_STACK_PAGES + 3 * SLOT_IST_PAGES, "slot_areas");

void slot_fill(u64 *table, hpa_t frames)
{
    for (u32 i = 0; i < ARRAY_SIZE(slot_areas); i++)
        for (u32 page = 0; page < slot_areas[i].pages; page++, frames += PAGE_SIZE)
            table[slot_areas[i].first + page] = frames | PTE_DATA;
}

bool slot_on_stack(u64 va)
{
    u64 page = (va - slot_va(slot_index(), 0)) / PAGE_SIZE;

    for (u32 i = 1; i < ARRAY_SIZE(slot_areas); i++)
        if (page - slot_areas[i].first < slot_areas[i].pages)
            return true;
    return false;
}

enum pith_status slot_create(u32 index, struct frame_pool *pool)
{
    hpa_t frames;

    if (slots_pd[2 * index])
        return PITH_OK;
    frames = frames_alloc(pool, SLOT_FRAMES, 1);
    if (!frames)
        return PITH_E_MEM;
    memset(phys_to_virt(frames), 0, SLOT_FRAMES * PAGE_SIZE);
    slot_fill(phys_to_virt(frames), frames);
    slots_pd[2 * index] = frames | PTE_TABLE;
    return PITH_OK;
}
