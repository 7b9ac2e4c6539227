/* SPDX-License-Identifier: MIT */
/* Memory ranges as firmware gives them -> sorted, page-aligned, disjoint, merged. Pure. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

/* Ranges that ranges_tidy() may make of @n. */
#define RANGES_OUT(n) (2 * (n))

/*
 * @in: @n ranges in any order, of any alignment, empty or overlapping; it is used as scratch. Where
 * ranges overlap, the more restrictive kind wins, so what the loader allocated may simply be added
 * to what the firmware calls free. Returns how many ranges were written to @out, which has room for
 * RANGES_OUT(n).
 */
u32 ranges_tidy(struct handoff_range *in, u32 n, struct handoff_range *out);
