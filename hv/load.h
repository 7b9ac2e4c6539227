/* SPDX-License-Identifier: MIT */
/* Loading a partition: scrub its RAM, then do what the loader's plan says. Core 0. */
#pragma once

#include "hv/partition.h"

#define LOAD_CHUNK KIB(128) /* scrubbed or copied at a time: about 17,000 instructions */

void load_init(const struct handoff *h); /* maps what will be copied, read-only */
/* Finds the plan of partition @index of the manifest. False: it reaches outside what it may, or asks for an impossible start. */
bool load_check(struct partition *p, u32 index) MUST_CHECK;
/* One step; PITH_E_BUSY: call again. */
enum pith_status load_step(struct partition *p) MUST_CHECK;
