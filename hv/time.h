/* SPDX-License-Identifier: MIT */
/* The clock of a partition: nanoseconds since it started. */
#pragma once

#include "hv/partition.h"

u64 time_ticks_ns(u64 ticks);
u64 time_ns(const struct partition *p);
/* The host TSC at that time; TIMER_NEVER for 0, and for what the TSC will never reach. */
u64 time_deadline(const struct partition *p, u64 ns);
