/* SPDX-License-Identifier: MIT */
/* Events: 64 bits of a partition that others set, and what this wakes. */
#pragma once

#include "hv/timer.h"

void event_timer_due(struct timer *t); /* of a vCPU's event_timer */
