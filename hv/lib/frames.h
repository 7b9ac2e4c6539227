/* SPDX-License-Identifier: MIT */
/* A pool of page frames over one contiguous range of physical memory. First fit; every operation takes the pool's lock. */
#pragma once

#include "hv/lib/spinlock.h"
#include "hv/lib/types.h"

struct frame_pool {
    struct spinlock lock;
    hpa_t base;
    u64 nr_total, nr_free;
    u64 *bitmap; /* one bit a frame, set: in use; caller's memory, ALIGN_UP(n, 64) / 8 bytes */
    u64 hint;    /* where the next search starts */
};

void frames_init(struct frame_pool *p, hpa_t base, u64 nr_frames, u64 *bitmap); /* all free */
/* First of n frames aligned to align_pages (a power of two, in frames of physical address), or 0 when the pool has no
 * such run; frame 0 is never handed out. */
hpa_t frames_alloc(struct frame_pool *p, u64 n, u64 align_pages) MUST_CHECK;
/* Panics on a frame that is not in the pool or already free. */
void frames_free(struct frame_pool *p, hpa_t first, u64 n);
u64 frames_count(struct frame_pool *p); /* in use, counted one by one: for audits */
