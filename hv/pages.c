/* SPDX-License-Identifier: MIT */
/* A page for the guest to read, with the clock; a page for both to write, with the events. */
#include "hv/pages.h"

#include "hv/lib/string.h"

_Static_assert(PITH_PAGE_AT == PITH_PAGE_RO_AT + PAGE_SIZE, "one behind the other");

enum pith_status pages_create(struct partition *p)
{
    hpa_t hpa = frames_alloc(&p->frames, 2, 1);
    enum pith_status st;

    if (!hpa)
        return PITH_E_MEM;
    p->page_ro = phys_to_virt(hpa);
    p->page = phys_to_virt(hpa + PAGE_SIZE);
    st = arch_vm_map(&p->vm, PITH_PAGE_RO_AT, hpa, PAGE_SIZE, S2_R, S2_WB);
    return st == PITH_OK ? arch_vm_map(&p->vm, PITH_PAGE_AT, hpa + PAGE_SIZE, PAGE_SIZE, S2_RW, S2_WB) : st;
}

/* Nanoseconds a tick, in 2^-56; in two steps, as a quotient of 76 bits would be too long for one. */
static u64 clock_mul(u64 khz)
{
    u64 whole = (1000000ull << 28) / khz, rest = (1000000ull << 28) % khz;

    return (whole << 28) + (rest << 28) / khz;
}
_Static_assert(PITH_CLOCK_SHIFT == 56, "clock_mul()");

void pages_reset(struct partition *p)
{
    memset(p->page_ro, 0, PAGE_SIZE);
    memset(p->page, 0, PAGE_SIZE);
    memset(p->events, 0, sizeof(p->events));
    p->event_waiters = 0;
    *p->page_ro = (struct pith_page_ro){
        .version = 1, .size = sizeof(struct pith_page_ro), .clock_mul = clock_mul(arch_tsc_khz()),
        .wall_start = partition_wall_start(p),
    };
}
