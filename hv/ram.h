/* SPDX-License-Identifier: MIT */
/* Who owns which RAM: the machine's free memory as extents, given out to partitions. Core 0. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

/* Takes the FREE ranges of h (memory below 1 MiB is left for starting cores). */
void ram_init(const struct handoff *h);
/* A contiguous block below @limit, 0 when there is none. From the top, so that low memory stays for who needs it. */
hpa_t ram_take(u64 size, u64 align, hpa_t limit) MUST_CHECK;
/* The largest block of at most @size bytes, in 2 MiB pieces; *got is its size (0: nothing left). */
hpa_t ram_take_most(u64 size, u64 *got) MUST_CHECK;
/* 2 MiB: at @best, a multiple of that, if these are free, else where most follows. 0: nothing left. */
hpa_t ram_take_piece(hpa_t best) MUST_CHECK;
void ram_give(hpa_t base, u64 size); /* what was taken comes back, in whatever pieces */
u64 ram_free_bytes(void);
u64 ram_free_pieces(void); /* of these, in pieces of 2 MiB */
u64 ram_total_bytes(void);
u64 ram_count(void); /* free bytes once more, extent by extent: for audits */
