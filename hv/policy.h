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
#define POLICY_SLOTS  17u      /* of a frame, and what is behind the last one */
#define POLICY_WEIGHT 100u     /* whose turn is a round long */
#define POLICY_NEVER  (~0ull)
#define POLICY_SLEPT  ((s64)(~0ull >> 1))
#define POLICY_LATE   16u      /* a slot whose owner lacks more than this part of it is missed: alarms come a little late */

struct share;
struct share_heap {            /* by deadline */
    u32 n;
    struct share *at[POLICY_SHARES];
};
struct share_link { struct share_link *next, *prev; };

struct share {
    struct share_link link;    /* first: in the slack; next is NULL: it is not */
    u64 used;                  /* of the slack, as if the weight were POLICY_WEIGHT */
    u32 weight;
    bool capped, runnable;
    u64 period, budget;        /* 0: nothing is promised, or by a slot */
    s64 left;                  /* of what is promised; below 0: overdrawn */
    s64 owed;                  /* how much of that is not missed: it is from before this period; POLICY_SLEPT: it could not use all of it */
    u64 missed;                /* periods that it could use all of, without its budget by the deadline; or slots */
    u64 deadline, order;       /* among equal deadlines */
    struct share_heap *in;     /* NULL: in none */
    u32 pos;
};

struct runq {
    struct share *cur;         /* whose time it is; NULL: nobody's */
    u64 since, until;          /* charged up to; when a decision could differ */
    struct share *turn;        /* who has a turn in the slack; NULL: the next begins one */
    u64 round, round_end;      /* in the time of share.used: how long a round is, when the present one ends */
    struct share_link *here, *later; /* runnable and not due: those with time left in this round, and in the next */
    struct share_link slack[2]; /* the two lists, which take turns */
    u32 nr_slack, nr_runnable;
    u64 edge;                  /* when the next slot of the frame begins; POLICY_NEVER: there is none */
    struct share_heap due;     /* runnable, with promised time left */
    struct share_heap refill;  /* runnable, without until their deadline */
    struct share *missed;      /* who missed a deadline last; NULL: nobody, since that was set */
    u64 order;
    u64 frame;                 /* its length */
    u32 nr_slots;
    struct { u64 end; struct share *owner; } slot[POLICY_SLOTS]; /* ends counted from the frame's begin; NULL: nobody's */
    struct share *slot_owner;  /* of the slot that runs */
};

void policy_init(struct runq *q, u64 turn);
void share_init(struct share *s, u32 weight, bool capped, u64 period, u64 budget);
/* The next slot of the frame, up to @end; the last one's end is the frame's length, and frames begin at multiples of it. */
void policy_add_slot(struct runq *q, struct share *owner, u64 end);

/* It has something to do. True: more urgently than the current one, so that q->until is now; else that may have come nearer. */
bool policy_ready(struct runq *q, struct share *s, u64 now);
/* policy_ready() and policy_pick(), where nobody else is there and nothing is promised to it: true. */
bool policy_begin_alone(struct runq *q, struct share *s, u64 now);
/* It has not any more; of the current one after policy_charge(). */
void policy_block(struct runq *q, struct share *s);
/* Of the current one: policy_charge(), then that. */
void policy_end(struct runq *q, u64 now);
/* The current one has used the time up to @now. True: its turn, or what was promised to it, is over. */
bool policy_charge(struct runq *q, u64 now);
/* The current one renounces the rest of it, unless it is alone; then q->until is now. */
void policy_yield(struct runq *q, u64 now);
/* That, then policy_pick(). */
struct share *policy_pass(struct runq *q, u64 now);
/* @s had @of's time: its next turn is no earlier than @of's. */
void policy_follow(struct runq *q, struct share *s, const struct share *of);
/* Has @s, if nothing is promised to it now, so much at once. True: as policy_ready(). */
bool policy_hurry(struct runq *q, struct share *s, u64 ticks, u64 now);
/* Who has the time from @now to q->until, after policy_charge(); NULL: nobody. */
struct share *policy_pick(struct runq *q, u64 now);
/* How many have a use for the present, the current one included. */
static inline u32 policy_contenders(const struct runq *q)
{
    return q->due.n + q->nr_slack;
}
