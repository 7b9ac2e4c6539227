/* SPDX-License-Identifier: MIT */
/* The clock of a partition: nanoseconds since it started. */
#pragma once

#include "hv/partition.h"

u64 time_ticks_ns(u64 ticks);
/*
 * What a guest reads with a version beside it: another vCPU may read it meanwhile, so that is odd until all is there. False: there is no
 * such memory.
 */
bool time_tell(const struct partition *p, gpa_t version_at, u32 *version, gpa_t at, const void *from, size_t size) MUST_CHECK;
u64 time_ns(const struct partition *p);
/* The host TSC at that time; TIMER_NEVER for 0, and for what the TSC will never reach. */
u64 time_deadline(const struct partition *p, u64 ns);
