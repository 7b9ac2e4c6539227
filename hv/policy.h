/* SPDX-License-Identifier: MIT */
/*
 * How a core's time is divided. Pure: time comes in as host ticks, and it is told who is runnable.
 *
 * A share may have a reservation: @budget ticks in each @period, served by earliest deadline, and never more than that (a hard
 * constant-bandwidth server). As long as what is promised on a core comes to at most all of it, everybody has his budget before each
 * of his periods ends. In a cyclic frame a slot is a reservation that begins and ends with the slot. What is left is slack: rounds,
 * in which everybody runnable has a turn as long as his weight says; @capped shares have no part in it.
 */
#pragma once

#include "hv/lib/types.h"

#define POLICY_SHARES 256u     /* that may live on a core */
#define POLICY_SLOTS  16u
#define POLICY_WEIGHT 100u     /* whose turn is what policy_init() is told */
#define POLICY_NEVER  (~0ull)

enum share_rank { RANK_DEADLINE, RANK_SLACK, SHARE_RANKS };

struct share;
struct share_heap {
    enum share_rank rank;      /* by which key it is sorted */
    u32 n;
    struct share *at[POLICY_SHARES];
};

struct share {
    u64 period, budget;        /* 0: nothing is promised, or by a slot */
    u32 weight;
    bool capped, runnable;
    s64 left;                  /* of what is promised; below 0: overdrawn */
    u64 key[SHARE_RANKS];      /* deadline; time used, as if the weight were POLICY_WEIGHT */
    u64 order[SHARE_RANKS];    /* among equal keys */
    u32 pos[SHARE_RANKS];
    struct share_heap *in[SHARE_RANKS];
};

struct runq {
    struct share_heap due;     /* runnable, with promised time left */
    struct share_heap refill;  /* runnable, without until their deadline */
    struct share_heap slack;   /* runnable and not due */
    struct share *cur;         /* whose time it is; NULL: nobody's */
    u64 since, until;          /* charged up to; when a decision could differ */
    struct share *turn;        /* who has a turn in the slack; NULL: the next begins one */
    u64 turn_end, round, vnow; /* in RANK_SLACK's time: when it ends, how long one is, when the last one began */
    u64 order;
    u32 nr_runnable;
    u64 frame, edge;           /* of the cyclic schedule: its length, when the next slot begins; POLICY_NEVER: there is none */
    u32 nr_slots;
    struct { u64 end; struct share *owner; } slot[POLICY_SLOTS]; /* ends counted from the frame's begin; NULL: nobody's, or blocked */
    struct share *slot_owner;  /* of the slot that runs */
};

void policy_init(struct runq *q, u64 turn);
void share_init(struct share *s, u32 weight, bool capped, u64 period, u64 budget);
/* The next slot of the frame, up to @end; the last one's end is the frame's length, and frames begin at multiples of it. */
void policy_add_slot(struct runq *q, struct share *owner, u64 end);

/* It has something to do. True: more urgently than the current one. q->until may have come nearer. */
bool policy_ready(struct runq *q, struct share *s, u64 now);
/* It has not any more; of the current one after policy_charge(). */
void policy_block(struct runq *q, struct share *s);
/* The current one has used the time up to @now. True: its turn, or what was promised to it, is over. */
bool policy_charge(struct runq *q, u64 now);
/* The current one renounces the rest of it. */
void policy_yield(struct runq *q, u64 now);
/* Who has the time from @now to q->until, after policy_charge(); NULL: nobody. */
struct share *policy_pick(struct runq *q, u64 now);
/* How many have a use for the present, the current one included. */
static inline u32 policy_contenders(const struct runq *q)
{
    return q->due.n + q->slack.n;
}
