/* SPDX-License-Identifier: MIT */
/*
 * The division of a core's time against a slow model of it, which keeps no heaps: who is due, who waits for a budget and who is in the
 * slack is asked of each share, whenever it matters. Both are told the same, at random, and must say the same.
 * LINK: hv/policy.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/policy.h"

#define SHARES 12u
#define TURN   1000ull
#define NEVER  POLICY_NEVER

struct simple {
    u64 period, budget, weight, deadline, used, round, deadline_order, used_order;
    s64 left;
    bool capped, runs;
};
static struct model {
    struct simple s[SHARES];
    u32 n, cur, turn, owner; /* SHARES: none */
    u64 since, until, vnow, order, frame, edge;
    u32 nr_slots;
    struct { u64 end; u32 owner; } slot[POLICY_SLOTS];
} m;

static struct runq q;
static struct share shares[SHARES];
static u64 seed, began;

static u32 random_below(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static bool is_due(const struct simple *s) { return s->runs && s->left > 0; }
static bool is_refilled(const struct simple *s) { return s->runs && s->left <= 0 && s->period; }
static bool is_in_slack(const struct simple *s) { return s->runs && s->left <= 0 && !s->capped; }

static u32 earliest(bool (*among)(const struct simple *s))
{
    u32 best = SHARES;

    for (u32 i = 0; i < m.n; i++) {
        const struct simple *s = &m.s[i], *b = &m.s[best % SHARES];

        if (among(s) && (best == SHARES || s->deadline < b->deadline ||
                         (s->deadline == b->deadline && s->deadline_order < b->deadline_order)))
            best = i;
    }
    return best;
}

static u32 furthest_behind(void)
{
    u32 best = SHARES;

    for (u32 i = 0; i < m.n; i++) {
        const struct simple *s = &m.s[i], *b = &m.s[best % SHARES];

        if (is_in_slack(s) && (best == SHARES || s->round < b->round || (s->round == b->round && s->used_order < b->used_order)))
            best = i;
    }
    return best;
}

static void queue_in_slack(u32 i)
{
    struct simple *s = &m.s[i];

    s->used = MIN(MAX(s->used, m.vnow), m.vnow + 2 * TURN - 1);
    s->round = s->used / TURN;
    s->used_order = m.order++;
}

static void queue(u32 i)
{
    struct simple *s = &m.s[i];

    if (is_due(s) || is_refilled(s))
        s->deadline_order = m.order++;
    if (is_in_slack(s))
        queue_in_slack(i);
}

static bool model_charge(u64 now)
{
    u64 ticks = now - m.since;
    struct simple *s = &m.s[m.cur % SHARES];

    if (m.cur == SHARES || now <= m.since)
        return false;
    m.since = now;
    if (m.until == NEVER) {
        if (s->period) {
            s->left = ticks > s->budget ? s->left - (s64)s->budget : s->left - (s64)ticks;
            if (s->left <= 0 || now >= s->deadline) {
                s->deadline = now + s->period;
                s->left = (s64)s->budget;
            }
            queue(m.cur);
        }
        return false;
    }
    if (!is_in_slack(s)) {
        s->left -= (s64)ticks;
        if (s->left <= 0)
            queue(m.cur);
        return s->left <= 0;
    }
    s->used += ticks * 100 / s->weight;
    if (s->used < (m.vnow + TURN))
        return false;
    m.turn = SHARES;
    queue_in_slack(m.cur);
    return true;
}

static void model_begin_turn(u32 i)
{
    m.turn = i;
    m.vnow = m.s[i].round * TURN;
}

static void model_turn(void)
{
    if (m.turn != SHARES && is_in_slack(&m.s[m.turn]))
        return;
    m.turn = furthest_behind();
    if (m.turn != SHARES)
        model_begin_turn(m.turn);
}

static void model_until(u64 now)
{
    const struct simple *s = &m.s[m.cur % SHARES];
    u32 runnable = 0, refill = earliest(is_refilled);

    for (u32 i = 0; i < m.n; i++)
        runnable += m.s[i].runs;
    m.until = NEVER;
    if (runnable == 0 || (runnable == 1 && m.cur != SHARES && !s->capped))
        return;
    m.until = m.edge;
    if (refill != SHARES)
        m.until = MIN(m.until, m.s[refill].deadline);
    if (m.cur == SHARES)
        return;
    if (is_due(s))
        m.until = MIN(m.until, now + (u64)s->left);
    else
        m.until = m.cur != m.turn ? now : MIN(m.until, now + ((m.vnow + TURN - s->used) * s->weight + 99) / 100);
}

static void model_slot(u64 now)
{
    u64 at = now % MAX(m.frame, 1);
    u32 i = 0;

    if (now < m.edge)
        return;
    if (m.owner != SHARES) {
        m.s[m.owner].left = 0;
        queue(m.owner);
    }
    while (m.slot[i].end <= at)
        i++;
    m.edge = now - at + m.slot[i].end;
    m.owner = m.slot[i].owner;
    if (m.owner == SHARES)
        return;
    m.s[m.owner].left = (s64)(m.edge - now);
    m.s[m.owner].deadline = m.edge;
    queue(m.owner);
}

static u32 model_pick(u64 now)
{
    for (u32 i = 0; i < m.n; i++)
        if (m.s[i].runs) {
            model_slot(now);
            break;
        }
    for (u32 pass = 0; pass < 2; pass++)
        for (u32 i; (i = earliest(pass ? is_due : is_refilled)) != SHARES && m.s[i].period && m.s[i].deadline <= now;) {
            struct simple *s = &m.s[i];

            s->deadline = s->deadline + s->period > now ? s->deadline + s->period : now + s->period;
            s->left = MIN(s->left, (s64)s->budget) + (s64)s->budget;
            queue(i);
        }
    m.cur = earliest(is_due);
    if (m.cur == SHARES) {
        model_turn();
        m.cur = m.turn;
    }
    m.since = now;
    model_until(now);
    return m.cur;
}

static bool model_ready(u32 i, u64 now)
{
    struct simple *s = &m.s[i], *c = &m.s[m.cur % SHARES];
    bool alone = m.cur != SHARES && m.until == NEVER, urgent;

    model_slot(now);
    if (alone)
        (void)model_charge(now);
    s->runs = true;
    /* More than its rate until the deadline, in rationals: left / (deadline - now) > budget / period */
    if (s->period && (now >= s->deadline || (s->left > 0 && (double)s->left * (double)s->period >
                                                                (double)(s->deadline - now) * (double)s->budget))) {
        s->deadline = now + s->period;
        s->left = MIN(s->left, 0) + (s64)s->budget;
    }
    queue(i);
    if (alone)
        model_until(now);
    else if (is_refilled(s))
        m.until = MIN(m.until, s->deadline);
    if (m.cur == SHARES)
        return false;
    urgent = is_due(s) && (!is_due(c) || s->deadline < c->deadline ||
                           (s->deadline == c->deadline && s->deadline_order < c->deadline_order));
    if (urgent)
        m.until = now;
    return urgent;
}

static void model_block(u32 i)
{
    if (i == m.cur)
        m.cur = SHARES;
    m.s[i].runs = false;
}

static void model_yield(u64 now)
{
    struct simple *s = &m.s[m.cur];

    if (m.until == NEVER)
        return;
    m.until = now;
    if (!is_in_slack(s)) {
        if (model_charge(now))
            return;
        s->left = 0;
        queue(m.cur);
    } else {
        m.since = now;
        m.turn = SHARES;
        s->used = m.vnow + TURN;
        queue_in_slack(m.cur);
    }
}

static void add_share(u32 i, bool frames)
{
    bool promise = !frames && random_below(2);
    u64 period = promise ? 50 + random_below(3000) : 0;
    struct simple s = {
        .period = period, .budget = promise ? 1 + period * random_below(100) / 400 : 0,
        .weight = 10 + random_below(3) * 90, .capped = (promise || frames) && random_below(2),
    };

    m.s[i] = s;
    share_init(&shares[i], (u32)s.weight, s.capped, s.period, s.budget);
}

static void add_slots(void)
{
    u64 end = 0;

    m.edge = 0;
    m.nr_slots = 1 + random_below(POLICY_SLOTS - 1);
    for (u32 i = 0; i < m.nr_slots; i++) {
        u32 owner = random_below(m.n + 1);

        end += 1 + random_below(2000);
        m.slot[i].end = m.frame = end;
        m.slot[i].owner = owner == m.n ? SHARES : owner;
        policy_add_slot(&q, owner == m.n ? NULL : &shares[owner], end);
    }
}

static void begin(u64 run)
{
    bool frames = run % 3 == 0;

    seed = run;
    memset(&m, 0, sizeof(m));
    m.n = 1 + random_below(SHARES - 1);
    m.cur = m.turn = m.owner = SHARES;
    m.until = m.edge = NEVER;
    policy_init(&q, TURN);
    for (u32 i = 0; i < m.n; i++)
        add_share(i, frames);
    if (frames)
        add_slots();
}

static void same_pick(u64 now)
{
    const struct share *s = policy_pick(&q, now);
    u32 i = model_pick(now);

    assert_ptr_equal(s, i == SHARES ? NULL : &shares[i]);
    assert_int_equal(q.until, m.until);
    assert_int_equal(q.nr_runnable ? policy_contenders(&q) > 0 : 0, s != NULL);
}

/* As one that sleeps begins where nobody else is there; else that says so, and has done nothing. */
static void begins(u32 i, u64 now)
{
    struct runq before = q;
    struct share was = shares[i];

    if (policy_begin_alone(&q, &shares[i], now)) {
        assert_false(model_ready(i, now));
        assert_int_equal(model_pick(now), i);
        assert_ptr_equal(q.cur, &shares[i]);
        began++;
        return;
    }
    assert_memory_equal(&q, &before, sizeof(q));
    assert_memory_equal(&shares[i], &was, sizeof(was));
    if (policy_ready(&q, &shares[i], now) != model_ready(i, now))
        fail();
}

static void random_operations(void **state)
{
    (void)state;
    for (u64 run = 0; run < 3000; run++) {
        u64 now = 5000;

        begin(run);
        for (u32 op = 0; op < 400; op++) {
            u32 i = random_below(m.n);
            u64 to_until = q.until == NEVER ? 1000 : q.until > now ? q.until - now : 0;

            now += random_below(3) ? random_below(300) : to_until + (random_below(2) ? random_below(50) : 0);
            switch (random_below(4)) {
            case 0:
                if (m.s[i].runs && i == m.cur && random_below(2)) {
                    policy_end(&q, now);
                    (void)model_charge(now);
                    model_block(i);
                } else if (m.s[i].runs) {
                    policy_charge(&q, now);
                    policy_block(&q, &shares[i]);
                    (void)model_charge(now);
                    model_block(i);
                } else {
                    begins(i, now);
                }
                assert_int_equal(q.until, m.until);
                break;
            case 1:
                if (m.cur != SHARES) {
                    bool pass = random_below(2);

                    if (pass)
                        (void)policy_pass(&q, now);
                    else
                        policy_yield(&q, now);
                    model_yield(now);
                    if (pass)
                        assert_ptr_equal(q.cur, model_pick(now) == SHARES ? NULL : &shares[m.cur]);
                    else
                        same_pick(now);
                    assert_int_equal(q.until, m.until);
                }
                break;
            default:
                assert_int_equal(policy_charge(&q, now), model_charge(now));
                same_pick(now);
            }
        }
    }
    assert_true(began > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_operations) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
