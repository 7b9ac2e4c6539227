/* SPDX-License-Identifier: MIT */
/* A core by a simulated clock: actors that spin, come at intervals, or sleep at random, and what each of them got. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/policy.h"

#define TURN      10000ull /* ticks: a tick is a microsecond, if one wants it to be something */
#define SIM_NEVER POLICY_NEVER
#define ACTORS    64u

enum habit { SPINS, JOBS /* of @demand, at least @gap apart, to be done within the period */, ANYHOW, SLEEPS_ON /* until woken */ };
struct actor {
    struct share share;
    enum habit habit;
    u64 demand, gap;
    u64 todo, next, due;      /* of the job at hand; when the next thing happens by itself; when the job must be done */
    u64 since;                  /* when it woke, or had to give way */
    u64 got, slack, jobs, late; /* ticks, those that were not promised, jobs done, done too late */
};
struct sim {
    struct runq q;
    struct actor a[ACTORS];
    u32 n;
    u64 now, seed, idle, picks, waited;
    void (*ran)(struct sim *s, struct actor *a, u64 from, u64 to); /* NULL: nobody asks */
};

static inline u32 sim_random(struct sim *s, u32 n)
{
    s->seed = s->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(s->seed >> 33) % n;
}

static inline void sim_begin(struct sim *s, u64 seed)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    policy_init(&s->q, TURN);
}

static inline struct actor *sim_add(struct sim *s, enum habit habit, u32 weight, bool capped, u64 period, u64 budget)
{
    struct actor *a = &s->a[s->n++];

    share_init(&a->share, weight, capped, period, budget);
    a->habit = habit;
    a->next = habit == SPINS || habit == ANYHOW ? 0 : SIM_NEVER;
    return a;
}

static inline struct actor *sim_job(struct sim *s, bool capped, u64 period, u64 budget, u64 demand, u64 gap)
{
    struct actor *a = sim_add(s, JOBS, POLICY_WEIGHT, capped, period, budget);

    a->demand = demand;
    a->gap = gap;
    a->next = sim_random(s, (u32)period);
    return a;
}

/* True: the current one gives way. */
static inline bool sim_wake(struct sim *s, struct actor *a)
{
    u64 jitter = a->habit == JOBS && a->gap > a->share.period ? sim_random(s, (u32)(a->gap - a->share.period)) : 0;

    a->todo = a->habit == JOBS ? 1 + sim_random(s, (u32)a->demand) : a->habit == ANYHOW ? 1 + sim_random(s, 3000) : SIM_NEVER;
    if (a->habit == JOBS && sim_random(s, 2))
        a->todo = a->demand;
    a->due = a->next + a->share.period;
    a->next = a->habit == JOBS ? a->next + MIN(a->gap, a->share.period) + jitter : SIM_NEVER;
    a->since = s->now;
    return policy_ready(&s->q, &a->share, s->now);
}

static inline void sim_done(struct sim *s, struct actor *a)
{
    a->jobs++;
    a->late += a->habit == JOBS && s->now > a->due;
    policy_charge(&s->q, s->now);
    policy_block(&s->q, &a->share);
    if (a->habit == ANYHOW)
        a->next = s->now + 1 + sim_random(s, 5000);
}

static inline bool sim_wakes(struct sim *s)
{
    bool preempt = false;

    for (struct actor *a = s->a; a < s->a + s->n; a++) {
        if (!a->share.runnable && a->next <= s->now)
            preempt |= sim_wake(s, a);
    }
    return preempt;
}

/* When somebody wakes next, if nothing else happens. */
static inline u64 sim_next(const struct sim *s)
{
    u64 next = SIM_NEVER;

    for (const struct actor *a = s->a; a < s->a + s->n; a++)
        next = MIN(next, a->share.runnable ? SIM_NEVER : a->next);
    return next;
}

static inline void sim_use(struct sim *s, struct actor *a, u64 to)
{
    u64 ticks = to - s->now;

    if (s->ran)
        s->ran(s, a, s->now, to);
    s->now = to;
    if (!a) {
        s->idle += ticks;
        return;
    }
    a->got += ticks;
    a->slack += a->share.in == &s->q.due ? 0 : ticks;
    if (a->todo != SIM_NEVER)
        a->todo -= ticks;
}

/* The one who has the time runs until it is over, until somebody more urgent wakes, or until he is done. */
static inline void sim_turn(struct sim *s, struct actor *a, u64 end)
{
    for (bool preempt = false; !preempt && s->now < MIN(s->q.until, end); preempt = sim_wakes(s)) {
        u64 to = MIN(MIN(s->q.until, sim_next(s)), end);

        if (a && a->todo != SIM_NEVER)
            to = MIN(to, s->now + a->todo);
        sim_use(s, a, to);
        if (!a)
            return;
        if (!a->todo) {
            sim_done(s, a);
            return;
        }
    }
}

static inline void sim_run(struct sim *s, u64 end)
{
    while (s->now < end) {
        struct share *share;
        struct actor *a;

        sim_wakes(s);
        policy_charge(&s->q, s->now);
        share = policy_pick(&s->q, s->now);
        a = share ? (struct actor *)(void *)((u8 *)share - offsetof(struct actor, share)) : NULL;
        assert_true(s->q.until > s->now && (!a || share->runnable));
        s->picks++;
        if (a)
            s->waited = MAX(s->waited, s->now - MIN(a->since, s->now));
        sim_turn(s, a, end);
        if (a)
            a->since = s->now;
    }
}
