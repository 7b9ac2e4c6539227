/* SPDX-License-Identifier: MIT */
/* Memory that a partition lends to another: it stays the owner's, and goes back whenever the owner wants, or ends. */
#pragma once

#include "hv/abi/manifest.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/types.h"

#define GRANTS_MAX 16u

struct partition;

struct grant {
    gpa_t gpa, at;    /* in the owner; in the target, 0: nowhere */
    u64 size;         /* 0: this slot is free */
    u64 serial;       /* of the grants that were in this slot */
    u8 target, prot;  /* its index; enum s2_prot */
};

/* What a partition grants to others. The lock is held for a look or a change of these words only; a map's is taken before it. */
struct grants { struct spinlock lock; struct grant slot[GRANTS_MAX]; };

void grants_init(const struct manifest *m);
bool grants_useful(const struct partition *p);          /* it may grant, or be granted to */
u64 grants_tables(const struct manifest *m, u32 index); /* frames that partition @index needs for its window */
enum pith_status grants_reserve(struct partition *p) MUST_CHECK; /* the window's tables, so that no GRANT_MAP can lack any */
/* Whether any of that is granted: it cannot be taken from p then. Between partition_map_begin() and _end() of p, it stays so. */
bool grant_overlaps(struct partition *p, gpa_t gpa, u64 size);
/* Core 0, of one whose vCPUs have left: takes back a grant of its own, or what it has mapped of others'. False: no more was there. */
bool grants_end_one(struct partition *p);
