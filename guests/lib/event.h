/* SPDX-License-Identifier: MIT */
/* The pages shared with Pith: the clock without a call, and events. hv/abi/ABI.md, "Events". */
#pragma once

#include "guests/lib/pith.h"
#include "hv/abi/pages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PITH_PAGE_RO ((const volatile struct pith_page_ro *)(uintptr_t)PITH_PAGE_RO_AT)
#define PITH_PAGE    ((struct pith_page *)(uintptr_t)PITH_PAGE_AT)

/* As pith_now(), by the TSC, which nobody has written. */
static inline uint64_t pith_clock(void)
{
    return (uint64_t)((unsigned __int128)pith_tsc() * PITH_PAGE_RO->clock_mul >> PITH_CLOCK_SHIFT);
}

static inline uint64_t pith_wall_clock(void) /* nanoseconds since 1970 */
{
    return PITH_PAGE_RO->wall_start * PITH_NS_PER_S + pith_clock();
}

static inline uint64_t pith_events_pending(void)
{
    return __atomic_load_n(&PITH_PAGE->pending, __ATOMIC_SEQ_CST);
}

/* Those of @set that were pending; they are not any more. */
static inline uint64_t pith_events_take(uint64_t set)
{
    return __atomic_fetch_and(&PITH_PAGE->pending, ~set, __ATOMIC_SEQ_CST) & set;
}

/* Sends of @set bring no interrupt from now on; one may be on its way. */
static inline void pith_events_mask(uint64_t set)
{
    __atomic_fetch_or(&PITH_PAGE->mask, set, __ATOMIC_SEQ_CST);
}

/* Sends of @set bring interrupts again. Returns those of @set that are pending already, for which none will come. */
static inline uint64_t pith_events_unmask(uint64_t set)
{
    __atomic_fetch_and(&PITH_PAGE->mask, ~set, __ATOMIC_SEQ_CST);
    return pith_events_pending() & set;
}

#ifdef __cplusplus
}
#endif
