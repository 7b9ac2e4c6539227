/* SPDX-License-Identifier: MIT */
/* Deadline queues: a sorted list, as a core has a handful of timers. */
#include "hv/timer.h"

#include "arch/x86/host.h"

void timer_init(struct timer *t, void (*expired)(struct timer *t))
{
    *t = (struct timer){ .deadline = TIMER_NEVER, .expired = expired };
}

static void unlink_timer(struct timer_queue *q, struct timer *t)
{
    struct timer **link = &q->first;

    while (*link && *link != t)
        link = &(*link)->next;
    if (*link)
        *link = t->next;
}

static u64 first_deadline(const struct timer_queue *q)
{
    return q->first ? q->first->deadline : TIMER_NEVER;
}

void timer_set(struct timer_queue *q, struct timer *t, u64 deadline)
{
    u64 before = first_deadline(q);
    struct timer **link = &q->first;

    if (t->deadline == deadline)
        return;
    if (t->deadline != TIMER_NEVER)
        unlink_timer(q, t);
    t->deadline = deadline;
    if (deadline != TIMER_NEVER) {
        while (*link && (*link)->deadline <= deadline)
            link = &(*link)->next;
        t->next = *link;
        *link = t;
    }
    if (first_deadline(q) != before)
        arch_timer_set(first_deadline(q));
}

void timers_run(struct timer_queue *q, u64 now)
{
    while (timers_due(q, now)) {
        struct timer *t = q->first;

        q->first = t->next;
        t->deadline = TIMER_NEVER;
        t->expired(t);
    }
    arch_timer_set(first_deadline(q));
}
