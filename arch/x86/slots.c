/* SPDX-License-Identifier: MIT */
/* Stacks with guard pages, one set per core. */
#include "arch/x86/slots.h"

#include "arch/x86/paging.h"
#include "hv/lib/panic.h"

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
    u64 *word;

    if (slots_pd[2 * index])
        return PITH_OK;
    frames = frames_alloc(pool, SLOT_FRAMES, 1);
    if (!frames)
        return PITH_E_MEM;
    word = phys_to_virt(frames);
    for (u64 i = 0; i < SLOT_FRAMES * PAGE_SIZE / 8; i++)
        word[i] = i < 512 ? 0 : SLOT_PAINT;
    slot_fill(word, frames);
    slots_pd[2 * index] = frames | PTE_TABLE;
    return PITH_OK;
}

u32 arch_cpu_stack_free(u32 index)
{
    const volatile u64 *word = (const volatile u64 *)slot_va(index, SLOT_STACK);
    u32 n = 0;

    ASSERT(index < HOST_MAX_CORES && slots_pd[2 * index]);
    while (n < SLOT_STACK_PAGES * PAGE_SIZE / 8 && word[n] == SLOT_PAINT)
        n++;
    return n * 8;
}
