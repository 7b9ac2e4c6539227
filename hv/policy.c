/* SPDX-License-Identifier: MIT */
/* Reservations by earliest deadline, in heaps; slots of a frame; turns in the slack, in two lists. */
#include "hv/policy.h"

#include "hv/lib/string.h"

static bool before(const struct share *a, const struct share *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void put(struct share_heap *h, u32 i, struct share *s)
{
    h->at[i] = s;
    s->pos = i;
}

static u32 first_child(const struct share_heap *h, u32 i)
{
    u32 c = 2 * i + 1;

    return c + 1 < h->n && before(h->at[c + 1], h->at[c]) ? c + 1 : c;
}

/* To where its deadline belongs. */
static void settle(struct share_heap *h, struct share *s)
{
    u32 i = s->pos;

    for (; i && before(s, h->at[(i - 1) / 2]); i = (i - 1) / 2)
        put(h, i, h->at[(i - 1) / 2]);
    for (u32 c; (c = first_child(h, i)) < h->n && before(h->at[c], s); i = c)
        put(h, i, h->at[c]);
    put(h, i, s);
}

static void leave(struct share *s)
{
    struct share_heap *h = s->in;
    struct share *last;

    if (!h)
        return;
    s->in = NULL;
    last = h->at[--h->n];
    if (last == s)
        return;
    put(h, s->pos, last);
    settle(h, last);
}

/* Behind those with the same deadline. */
static void enter(struct runq *q, struct share_heap *h, struct share *s)
{
    if (s->in != h) {
        leave(s);
        s->in = h;
        put(h, h->n++, s);
    }
    s->order = q->order++;
    settle(h, s);
}

static struct share *first(const struct share_heap *h)
{
    return h->n ? h->at[0] : NULL;
}

static bool in_slack(const struct share *s)
{
    return s->link.next;
}

static inline void cut(struct share *s)
{
    s->link.prev->next = s->link.next;
    s->link.next->prev = s->link.prev;
}

static inline void append(struct share_link *head, struct share *s)
{
    s->link.next = head;
    s->link.prev = head->prev;
    head->prev->next = &s->link;
    head->prev = &s->link;
}

static inline void unqueue(struct runq *q, struct share *s)
{
    cut(s);
    s->link.next = NULL;
    q->nr_slack--;
}

/* Behind those of the same round. Who slept has saved nothing; who had far too much owes no more than the next round. */
static inline struct share_link *list_of(struct runq *q, struct share *s)
{
    if (s->used < q->round_end - q->round) {
        s->used = q->round_end - q->round;
    } else if (s->used >= q->round_end) {
        s->used = MIN(s->used, q->round_end + q->round - 1);
        return q->later;
    }
    return q->here;
}

static inline void queue(struct runq *q, struct share *s)
{
    append(list_of(q, s), s);
    q->nr_slack++;
}

void policy_init(struct runq *q, u64 turn)
{
    memset(q, 0, sizeof(*q));
    for (u32 i = 0; i < 2; i++)
        q->slack[i].next = q->slack[i].prev = &q->slack[i];
    q->here = &q->slack[0];
    q->later = &q->slack[1];
    q->round = q->round_end = turn;
    q->until = q->edge = POLICY_NEVER;
}

void share_init(struct share *s, u32 weight, bool capped, u64 period, u64 budget)
{
    *s = (struct share){ .weight = weight, .capped = capped, .period = period, .budget = budget };
}

void policy_add_slot(struct runq *q, struct share *owner, u64 end)
{
    q->slot[q->nr_slots].end = end;
    q->slot[q->nr_slots++].owner = owner;
    q->frame = end;
    q->edge = 0; /* the first look finds out where in the frame it is */
}

/* Where a runnable one waits. */
static void place(struct runq *q, struct share *s)
{
    if (in_slack(s))
        unqueue(q, s);
    if (s->left > 0) {
        enter(q, &q->due, s);
        return;
    }
    if (s->period)
        enter(q, &q->refill, s);
    else
        leave(s);
    if (!s->capped)
        queue(q, s);
}

/* @ticks: what it still wants of its budget at the deadline, or how long it was over when it had all of it. */
static void count_missed(struct runq *q, struct share *s, s64 ticks)
{
    if (ticks <= s->owed)
        return;
    s->owed = POLICY_SLEPT; /* once a period */
    s->missed++;
    q->missed = s;
}

/* The next period begins. What is owed or overdrawn is carried over; whole periods that have passed are not. */
static void renew(struct runq *q, struct share *s, u64 now)
{
    count_missed(q, s, s->left);
    s->owed = MAX(MIN(s->left, (s64)s->budget), 0);
    s->deadline = (now - s->deadline < s->period ? s->deadline : now) + s->period;
    s->left = MIN(s->left, (s64)s->budget) + (s64)s->budget;
    place(q, s);
}

/* Who wakes goes on with his period, unless what he has left of it is more than his rate until its end. */
static void wake(struct share *s, u64 now)
{
    if (now < s->deadline &&
        (s->left <= 0 || (unsigned __int128)s->left * s->period <= (unsigned __int128)(s->deadline - now) * s->budget))
        return;
    s->deadline = now + s->period;
    s->owed = 0;
    s->left = MIN(s->left, 0) + (s64)s->budget;
}

/* Nobody else wanted the core, and no alarm was set. What goes beyond a budget counts for nothing: another period begins. */
static void charge_alone(struct runq *q, struct share *s, u64 now, u64 used)
{
    if (!s->period) {
        s->owed = POLICY_SLEPT; /* in its slot: it had all of it */
        return;
    }
    s->left -= (s64)MIN(used, s->budget);
    if (s->left <= 0 || now >= s->deadline) {
        s->deadline = now + s->period;
        s->left = (s64)s->budget;
    }
    place(q, s);
}

bool policy_charge(struct runq *q, u64 now)
{
    struct share *s = q->cur;
    u64 used = now - q->since;

    if (!s || now <= q->since)
        return false;
    q->since = now;
    if (q->until == POLICY_NEVER) {
        charge_alone(q, s, now, used);
        return false;
    }
    if (!in_slack(s)) {
        s->left -= (s64)used;
        if (s->left > 0)
            return false;
        if (s->period)
            count_missed(q, s, s->left + (s64)(now - s->deadline));
        place(q, s);
        return true;
    }
    s->used += s->weight == POLICY_WEIGHT ? used : used * POLICY_WEIGHT / s->weight;
    if (s->used < q->round_end)
        return false;
    q->turn = NULL;
    unqueue(q, s);
    queue(q, s);
    return true;
}

static inline void pass_turn(struct runq *q, struct share *s)
{
    s->used = q->round_end;
    cut(s);
    append(q->later, s);
}

void policy_yield(struct runq *q, u64 now)
{
    struct share *s = q->cur;

    if (q->until == POLICY_NEVER)
        return;
    q->until = now;
    if (in_slack(s)) {
        q->since = now;
        q->turn = NULL;
        pass_turn(q, s);
    } else if (!policy_charge(q, now)) {
        s->left = 0;
        place(q, s);
    }
}

static inline u64 turn_end(const struct runq *q, const struct share *s, u64 now)
{
    u64 left = q->round_end - s->used;

    return now + (s->weight == POLICY_WEIGHT ? left : (left * s->weight + POLICY_WEIGHT - 1) / POLICY_WEIGHT);
}

/* When @s has had enough. */
static u64 run_end(const struct runq *q, const struct share *s, u64 now)
{
    if (!in_slack(s))
        return now + (u64)s->left;
    return s == q->turn ? turn_end(q, s, now) : now; /* its slot has ended, and no alarm told it */
}

static void set_until(struct runq *q, u64 now)
{
    const struct share *s = q->cur;

    q->until = POLICY_NEVER;
    if (s ? q->nr_runnable == 1 && !s->capped : !q->nr_runnable)
        return;
    q->until = q->edge;
    if (q->refill.n)
        q->until = MIN(q->until, q->refill.at[0]->deadline);
    if (s)
        q->until = MIN(q->until, run_end(q, s, now));
}

/* One slot ends, another begins. What its owner does not use is not saved for the next. */
static void next_slot(struct runq *q, u64 now)
{
    u64 at = now % q->frame, begin;
    struct share *s = q->slot_owner;
    bool asked = q->until != POLICY_NEVER; /* who is alone has all of his slots */
    u32 i = 0;

    if (s) {
        if (s->runnable && asked)
            count_missed(q, s, s->left);
        s->left = 0;
        if (s->runnable)
            place(q, s);
    }
    while (q->slot[i].end <= at)
        i++;
    q->edge = now - at + q->slot[i].end;
    s = q->slot_owner = q->slot[i].owner;
    if (!s)
        return;
    s->deadline = q->edge;
    s->left = (s64)(q->edge - now);
    begin = i ? q->slot[i - 1].end : 0;
    s->owed = s->runnable && asked ? (s64)((q->slot[i].end - begin) / POLICY_LATE) - (s64)(at - begin) : POLICY_SLEPT;
    if (s->runnable)
        place(q, s);
}

static inline void next_round(struct runq *q)
{
    struct share_link *done = q->here;

    q->here = q->later;
    q->later = done;
    q->round_end += q->round;
}

/* Somebody is in the slack. */
static inline struct share *begin_turn(struct runq *q)
{
    if (q->here->next == q->here)
        next_round(q);
    return q->turn = (struct share *)q->here->next;
}

static struct share *take_turn(struct runq *q)
{
    if (q->turn && in_slack(q->turn))
        return q->turn;
    q->turn = NULL;
    return q->nr_slack ? begin_turn(q) : NULL;
}

static struct share *first_due(struct runq *q, u64 now)
{
    struct share *s;

    if (q->nr_runnable && now >= q->edge)
        next_slot(q, now);
    while ((s = first(&q->refill)) && s->deadline <= now)
        renew(q, s, now);
    while ((s = first(&q->due)) && s->period && s->deadline <= now) /* late: something ran that is not in the sum */
        renew(q, s, now);
    return s;
}

/* Nothing is promised to anybody who could use it now. */
static inline bool all_slack(const struct runq *q, u64 now)
{
    return !(q->due.n | q->refill.n) && now < q->edge;
}

/* Of those in the slack; there are some. */
static inline struct share *pick_turn(struct runq *q, struct share *s, u64 now)
{
    q->cur = s;
    q->since = now;
    q->until = q->nr_runnable == 1 ? POLICY_NEVER : MIN(q->edge, turn_end(q, s, now));
    return s;
}

struct share *policy_pick(struct runq *q, u64 now)
{
    struct share *s;

    if (all_slack(q, now) && q->nr_slack)
        return pick_turn(q, q->turn && in_slack(q->turn) ? q->turn : begin_turn(q), now);
    s = first_due(q, now);
    q->cur = s ? s : take_turn(q);
    q->since = now;
    set_until(q, now);
    return q->cur;
}

static __attribute__((noinline)) struct share *pass_any(struct runq *q, u64 now)
{
    policy_yield(q, now);
    return policy_pick(q, now);
}

struct share *policy_pass(struct runq *q, u64 now)
{
    struct share *s = q->cur;

    if (!all_slack(q, now) || q->until == POLICY_NEVER || !in_slack(s))
        return pass_any(q, now);
    pass_turn(q, s);
    return pick_turn(q, begin_turn(q), now);
}

/* Is it to run before the current one? */
static bool urgent(struct runq *q, const struct share *s, u64 now)
{
    if (!q->cur || s->in != &q->due || (q->cur->in == &q->due && before(q->cur, s)))
        return false;
    q->until = now;
    return true;
}

/* Only the slack is for it now. */
static inline bool is_plain(const struct share *s)
{
    return !s->period && !s->capped && s->left <= 0;
}

bool policy_ready(struct runq *q, struct share *s, u64 now)
{
    bool alone = q->cur && q->until == POLICY_NEVER;

    if (is_plain(s) && now < q->edge && (!alone || (is_plain(q->cur) && q->turn == q->cur))) {
        s->runnable = true;
        q->nr_runnable++;
        queue(q, s);
        if (alone)
            pick_turn(q, q->cur, now);
        return false;
    }
    if (now >= q->edge)
        next_slot(q, now);
    if (alone)
        policy_charge(q, now);
    s->runnable = true;
    q->nr_runnable++;
    s->owed = POLICY_SLEPT; /* of this period, or slot, it slept through a part */
    if (s->period)
        wake(s, now);
    place(q, s);
    if (alone)
        set_until(q, now);
    else if (s->in == &q->refill)
        q->until = MIN(q->until, s->deadline);
    return urgent(q, s, now);
}

bool policy_begin_alone(struct runq *q, struct share *s, u64 now)
{
    if (q->nr_runnable || !is_plain(s) || now >= q->edge)
        return false;
    if (list_of(q, s) != q->here)
        next_round(q);
    append(q->here, s);
    s->runnable = true;
    q->nr_runnable = q->nr_slack = 1;
    q->turn = pick_turn(q, s, now);
    return true;
}

void policy_follow(struct runq *q, struct share *s, const struct share *of)
{
    s->used = MAX(s->used, of->used);
    if (!in_slack(s))
        return;
    unqueue(q, s);
    queue(q, s);
}

bool policy_hurry(struct runq *q, struct share *s, u64 ticks, u64 now)
{
    if (!s->runnable || s->left > 0)
        return false;
    s->deadline = now + ticks;
    s->left = (s64)ticks;
    s->owed = POLICY_SLEPT;
    place(q, s);
    return urgent(q, s, now);
}

static inline void block(struct runq *q, struct share *s)
{
    if (s->in)
        leave(s);
    if (in_slack(s))
        unqueue(q, s);
    s->runnable = false;
    q->nr_runnable--;
}

void policy_block(struct runq *q, struct share *s)
{
    if (s == q->cur)
        q->cur = NULL;
    block(q, s);
}

void policy_end(struct runq *q, u64 now)
{
    struct share *s = q->cur;
    u64 used = s->used + (now - q->since);

    if (in_slack(s) && q->until != POLICY_NEVER && s->weight == POLICY_WEIGHT && now > q->since && used < q->round_end)
        s->used = used; /* the same, in the middle of a turn */
    else
        policy_charge(q, now);
    q->cur = NULL;
    block(q, s);
}
