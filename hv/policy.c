/* SPDX-License-Identifier: MIT */
/* Reservations by earliest deadline, slots of a frame, turns in the slack: all of it heaps of shares. */
#include "hv/policy.h"

#include "hv/lib/string.h"

static bool before(const struct share *a, const struct share *b, enum share_rank rank)
{
    return a->key[rank] != b->key[rank] ? a->key[rank] < b->key[rank] : a->order[rank] < b->order[rank];
}

static void put(struct share_heap *h, u32 i, struct share *s)
{
    h->at[i] = s;
    s->pos[h->rank] = i;
}

static u32 first_child(const struct share_heap *h, u32 i)
{
    u32 c = 2 * i + 1;

    return c + 1 < h->n && before(h->at[c + 1], h->at[c], h->rank) ? c + 1 : c;
}

/* To where its key belongs. */
static void settle(struct share_heap *h, struct share *s)
{
    u32 i = s->pos[h->rank];

    for (; i && before(s, h->at[(i - 1) / 2], h->rank); i = (i - 1) / 2)
        put(h, i, h->at[(i - 1) / 2]);
    for (u32 c; (c = first_child(h, i)) < h->n && before(h->at[c], s, h->rank); i = c)
        put(h, i, h->at[c]);
    put(h, i, s);
}

static void leave(struct share *s, enum share_rank rank)
{
    struct share_heap *h = s->in[rank];
    struct share *last;

    if (!h)
        return;
    s->in[rank] = NULL;
    last = h->at[--h->n];
    if (last == s)
        return;
    put(h, s->pos[rank], last);
    settle(h, last);
}

/* Behind those with the same key. */
static void enter(struct runq *q, struct share_heap *h, struct share *s)
{
    if (s->in[h->rank] != h) {
        leave(s, h->rank);
        s->in[h->rank] = h;
        put(h, h->n++, s);
    }
    s->order[h->rank] = q->order++;
    settle(h, s);
}

static struct share *first(const struct share_heap *h)
{
    return h->n ? h->at[0] : NULL;
}

void policy_init(struct runq *q, u64 turn)
{
    memset(q, 0, sizeof(*q));
    q->slack.rank = RANK_SLACK;
    q->round = turn;
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
    if (s->left > 0) {
        leave(s, RANK_SLACK);
        enter(q, &q->due, s);
        return;
    }
    if (s->period)
        enter(q, &q->refill, s);
    else
        leave(s, RANK_DEADLINE);
    if (s->capped)
        return;
    s->key[RANK_SLACK] = MAX(s->key[RANK_SLACK], q->vnow); /* who slept has saved nothing */
    enter(q, &q->slack, s);
}

/* The next period begins. What is owed or overdrawn is carried over; whole periods that have passed are not. */
static void renew(struct runq *q, struct share *s, u64 now)
{
    u64 *deadline = &s->key[RANK_DEADLINE];

    *deadline = (now - *deadline < s->period ? *deadline : now) + s->period;
    s->left = MIN(s->left, (s64)s->budget) + (s64)s->budget;
    place(q, s);
}

/* Who wakes goes on with his period, unless what he has left of it is more than his rate until its end. */
static void wake(struct share *s, u64 now)
{
    u64 *deadline = &s->key[RANK_DEADLINE];

    if (now < *deadline &&
        (s->left <= 0 || (unsigned __int128)s->left * s->period <= (unsigned __int128)(*deadline - now) * s->budget))
        return;
    *deadline = now + s->period;
    s->left = MIN(s->left, 0) + (s64)s->budget;
}

static void use_slack(struct share *s, u64 ticks)
{
    s->key[RANK_SLACK] += ticks * POLICY_WEIGHT / s->weight;
}

/* Nobody else wanted the core, and no alarm was set. What goes beyond a budget counts for nothing: another period begins. */
static void charge_alone(struct runq *q, struct share *s, u64 now, u64 used)
{
    q->turn = NULL;
    if (!s->period)
        return;
    s->left -= (s64)MIN(used, s->budget);
    if (s->left <= 0 || now >= s->key[RANK_DEADLINE]) {
        s->key[RANK_DEADLINE] = now + s->period;
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
    if (!s->in[RANK_SLACK]) {
        s->left -= (s64)used;
        if (s->left > 0)
            return false;
        place(q, s);
        return true;
    }
    use_slack(s, used);
    enter(q, &q->slack, s);
    if (s->key[RANK_SLACK] < q->turn_end)
        return false;
    q->turn = NULL;
    return true;
}

void policy_yield(struct runq *q, u64 now)
{
    struct share *s = q->cur;

    if (q->until == POLICY_NEVER) {
        policy_charge(q, now);
    } else if (s->in[RANK_SLACK]) {
        q->since = now;
        q->turn = NULL;
        s->key[RANK_SLACK] = q->turn_end;
        enter(q, &q->slack, s);
    } else if (!policy_charge(q, now)) {
        s->left = 0;
        place(q, s);
    }
}

/* When @s has had enough. */
static u64 run_end(const struct runq *q, const struct share *s, u64 now)
{
    if (s->in[RANK_DEADLINE] == &q->due)
        return now + (u64)s->left;
    return now + ((q->turn_end - s->key[RANK_SLACK]) * s->weight + POLICY_WEIGHT - 1) / POLICY_WEIGHT;
}

static void set_until(struct runq *q, u64 now)
{
    const struct share *s = q->cur, *next = first(&q->refill);

    q->until = POLICY_NEVER;
    if (q->nr_runnable == 0 || (s && q->nr_runnable == 1 && !s->capped))
        return;
    q->until = q->edge;
    if (next)
        q->until = MIN(q->until, next->key[RANK_DEADLINE]);
    if (s)
        q->until = MIN(q->until, run_end(q, s, now));
}

/* One slot ends, another begins. What its owner does not use is not saved for the next. */
static void next_slot(struct runq *q, u64 now)
{
    u64 at = now % q->frame;
    struct share *s = q->slot_owner;
    u32 i = 0;

    if (s) {
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
    s->key[RANK_DEADLINE] = q->edge;
    s->left = (s64)(q->edge - now);
    if (s->runnable)
        place(q, s);
}

static struct share *take_turn(struct runq *q)
{
    struct share *s = q->turn;

    if (s && s->in[RANK_SLACK])
        return s;
    q->turn = s = first(&q->slack);
    if (!s)
        return NULL;
    q->vnow = s->key[RANK_SLACK];
    q->turn_end = q->vnow - q->vnow % q->round + q->round;
    return s;
}

struct share *policy_pick(struct runq *q, u64 now)
{
    struct share *s;

    if (q->nr_runnable && now >= q->edge)
        next_slot(q, now);
    while ((s = first(&q->refill)) && s->key[RANK_DEADLINE] <= now)
        renew(q, s, now);
    while ((s = first(&q->due)) && s->period && s->key[RANK_DEADLINE] <= now) /* late: something ran that is not in the sum */
        renew(q, s, now);
    q->cur = s ? s : take_turn(q);
    q->since = now;
    set_until(q, now);
    return q->cur;
}

/* Is it to run before the current one? */
static bool urgent(const struct runq *q, const struct share *s)
{
    if (s->in[RANK_DEADLINE] != &q->due)
        return false;
    return q->cur->in[RANK_DEADLINE] != &q->due || before(s, q->cur, RANK_DEADLINE);
}

bool policy_ready(struct runq *q, struct share *s, u64 now)
{
    bool alone = q->cur && q->until == POLICY_NEVER;

    if (now >= q->edge)
        next_slot(q, now);
    if (alone)
        policy_charge(q, now);
    s->runnable = true;
    q->nr_runnable++;
    if (s->period)
        wake(s, now);
    place(q, s);
    if (!q->cur)
        return false;
    if (alone) {
        take_turn(q);
        set_until(q, now);
    } else if (s->in[RANK_DEADLINE] == &q->refill) {
        q->until = MIN(q->until, s->key[RANK_DEADLINE]);
    }
    return urgent(q, s);
}

void policy_block(struct runq *q, struct share *s)
{
    if (s == q->cur)
        q->cur = NULL;
    leave(s, RANK_DEADLINE);
    leave(s, RANK_SLACK);
    s->runnable = false;
    q->nr_runnable--;
}
