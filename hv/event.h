/* SPDX-License-Identifier: MIT */
/* Events: 64 bits of a partition that others set, and what this wakes. */
#pragma once

#include "hv/timer.h"

struct partition;
void event_tell(struct partition *p, u32 event); /* any core; nothing when it does not run, or has not bound it */
void event_timer_due(struct timer *t); /* of a vCPU's event_timer */
