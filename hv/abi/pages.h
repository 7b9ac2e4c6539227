/* SPDX-License-Identifier: MIT */
/* Memory that Pith shares with a partition, at the same guest-physical addresses in each; above all RAM that lies below 4 GiB. */
#pragma once

#include <stdint.h>

#define PITH_PAGE_RO_AT   0xc0000000u /* struct pith_page_ro */
#define PITH_PAGE_AT      0xc0001000u /* struct pith_page */
#define PITH_CHANNELS_AT  0xc0200000u /* channels, each at the next multiple of PITH_CHANNEL_STEP */
#define PITH_CHANNEL_STEP 0x200000u
#define PITH_CHANNELS_END 0xd0000000u
#define PITH_GRANTS_AT    0xd0000000u /* where a partition maps what others grant to it */
#define PITH_GRANTS_END   0xd4000000u
#define PITH_EVENTS       64u         /* of a partition, a bit each */
#define PITH_CLOCK_SHIFT  56u         /* see clock_mul */

/* Read-only. */
struct pith_page_ro {
    uint32_t version, size;          /* 1; sizeof(struct pith_page_ro) */
    uint64_t clock_mul;              /* nanoseconds since the start: TSC * clock_mul >> PITH_CLOCK_SHIFT, in 128 bits */
    uint64_t wall_start;             /* seconds since 1970 when the partition was started */
};
_Static_assert(sizeof(struct pith_page_ro) == 24, "ABI layout");

/* Written by both sides, with atomic operations only. */
struct pith_page {
    uint64_t pending;                /* events that were sent; the guest clears them */
    uint64_t mask;                   /* events that bring no interrupt; the guest's */
};
_Static_assert(sizeof(struct pith_page) == 16, "ABI layout");
