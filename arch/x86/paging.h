/* SPDX-License-Identifier: MIT */
/* The hypervisor's own page tables. */
#pragma once

#include "arch/x86/host.h"

#define PTE_P    BIT(0)
#define PTE_W    BIT(1)
#define PTE_PWT  BIT(3)
#define PTE_PCD  BIT(4)
#define PTE_A    BIT(5)
#define PTE_D    BIT(6)
#define PTE_PS   BIT(7)
#define PTE_NX   BIT(63)
#define PTE_ADDR 0x000ffffffffff000ull

/* A and D are set beforehand: nobody looks at them, and the processor then need not write them. */
#define PTE_TABLE (PTE_P | PTE_W | PTE_A)
#define PTE_CODE  (PTE_P | PTE_A)
#define PTE_CONST (PTE_P | PTE_A | PTE_NX)
#define PTE_DATA  (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

struct page_root {
    hpa_t hpa;  /* what CR3 takes */
    u64 *pml4;
};

extern struct page_root host_root;
extern struct frame_pool *host_frames; /* pays for tables; set by paging_init() */

/* An empty root, with the fifth level above it where the firmware left one switched on. */
enum pith_status root_create(struct page_root *root, struct frame_pool *pool) MUST_CHECK;
/* The hypervisor's half of the address space, as it is now and will be, in another root. */
void root_share_host(struct page_root *root);
/* Maps with the largest pages that fit; tables come from @pool. Replaces what was there. */
bool root_map(const struct page_root *root, struct frame_pool *pool, u64 va, hpa_t hpa, u64 size, u64 flags) MUST_CHECK;

/* arch_host_init(): the final tables, loaded. */
enum pith_status paging_init(const struct handoff *h, struct frame_pool *pool) MUST_CHECK;
