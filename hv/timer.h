/* SPDX-License-Identifier: MIT */
/* One deadline queue per core, in host TSC; a timer belongs to one core at a time and is touched only there. */
#pragma once

#include "hv/lib/types.h"

#define TIMER_NEVER (~0ull)
/* Of a guest's timer: a period shorter than its handling would leave a shared core no time for anything else. */
#define SHORTEST_PERIOD_US 200u

struct timer {
    u64 deadline;                       /* host TSC; TIMER_NEVER: not queued */
    void (*expired)(struct timer *t);   /* on the timer's core, outside of any guest; may set timers */
    struct timer *next;
};
struct timer_queue {
    struct timer *first; /* sorted by deadline */
};

void timer_init(struct timer *t, void (*expired)(struct timer *t));
void timer_set(struct timer_queue *q, struct timer *t, u64 deadline); /* replaces an earlier one; TIMER_NEVER: cancels */
static inline bool timers_due(const struct timer_queue *q, u64 now)
{
    return q->first && q->first->deadline <= now;
}
/* Calls what is due, then programs this core's timer for the rest. */
void timers_run(struct timer_queue *q, u64 now);
