/* SPDX-License-Identifier: MIT */
/* Random numbers for guests. */
#pragma once

#include "hv/lib/spinlock.h"
#include "hv/lib/types.h"

/* A generator: who sees it later cannot tell what it gave before (fast key erasure). */
struct random { struct spinlock lock; bool seeded; u32 key[8]; };

/* Seeds it from the processor, if that can. @who tells it from others that are seeded with the same. */
void random_init(struct random *r, u32 who);
