/* SPDX-License-Identifier: MIT */
/* The cores' slots (arch/x86/slot.h) as C sees them. */
#pragma once

#include "arch/x86/host.h"
#include "arch/x86/slot.h"

_Static_assert(SLOT_BASE == HOST_CORES_BASE, "assembly places the boot stack there");

static inline u64 slot_va(u32 index, u32 page)
{
    return HOST_CORES_BASE + ((u64)index << SLOT_SHIFT) + (u64)page * PAGE_SIZE;
}

/* Which core's stack this is: right in every context, NMI and machine check included. */
static inline u32 slot_index(void)
{
    u64 sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (u32)((sp - HOST_CORES_BASE) >> SLOT_SHIFT);
}

#pragma GCC visibility push(hidden) /* as in image.h: early.c fills them */
extern u64 slots_pdpt[512], slots_pd[512];
#pragma GCC visibility pop

/* The page table of a slot whose frames (SLOT_FRAMES of them, contiguous) begin at @frames with the table itself. */
void slot_fill(u64 *table, hpa_t frames);
/* Whether @va lies on one of this core's stacks. */
bool slot_on_stack(u64 va);
/* Gives core @index a slot with stacks, unless it has one. */
enum pith_status slot_create(u32 index, struct frame_pool *pool) MUST_CHECK;
