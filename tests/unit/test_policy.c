/* SPDX-License-Identifier: MIT */
/*
 * How a core's time is divided, by a simulated clock: what is promised is kept, whatever the others do, and what is left is divided by
 * weight.
 * LINK: hv/policy.c
 */
#include "tests/unit/policy_sim.h"

#define WINDOW 10000ull

static struct sim sim;

static void assert_near(u64 is, u64 should, u64 tolerance)
{
    assert_in_range(is, should - tolerance, should + tolerance);
}

static void two_spinners(void **state)
{
    (void)state;
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 1000 * TURN);
    assert_near(sim.a[0].got, 500 * TURN, 5 * TURN);
    assert_near(sim.picks, 1000, 2); /* and each has whole turns */
}

static void spinners_by_weight(void **state)
{
    static const u32 weight[] = { 10, 50, 100, 300, 1000 };

    (void)state;
    sim_begin(&sim, 1);
    for (u32 i = 0; i < ARRAY_SIZE(weight); i++)
        sim_add(&sim, SPINS, weight[i], false, 0, 0);
    sim_run(&sim, 14600 * TURN);
    for (u32 i = 0; i < ARRAY_SIZE(weight); i++)
        assert_near(sim.a[i].got, 1000 * TURN * weight[i] / 100, 10 * TURN * weight[i] / 100);
}

/* What each of the first three had in the window at hand, checked at its end. */
static u64 in_window[ACTORS + 1 /* nobody */], promised[ACTORS];
static bool at_most;
static void count_windows(struct sim *s, struct actor *a, u64 from, u64 to)
{
    u32 i = a ? (u32)(a - s->a) : ACTORS;

    while (from < to) {
        u64 end = MIN(to, (from / WINDOW + 1) * WINDOW);

        in_window[i] += end - from;
        from = end;
        for (u32 k = 0; k < s->n && end % WINDOW == 0; k++) {
            if (promised[k])
                assert_true(at_most ? in_window[k] <= promised[k] : in_window[k] >= promised[k]);
            in_window[k] = 0;
        }
    }
}

static void entitlements(bool capped, u64 first, u64 second, u64 third)
{
    const u64 budget[] = { first, second, third };

    sim_begin(&sim, 1);
    memset(in_window, 0, sizeof(in_window));
    memset(promised, 0, sizeof(promised));
    memcpy(promised, budget, sizeof(budget));
    sim.ran = count_windows;
    for (u32 i = 0; i < 3; i++)
        sim_add(&sim, SPINS, 100, capped, WINDOW, budget[i]);
}

static void entitlements_every_window(void **state)
{
    (void)state;
    at_most = false;
    entitlements(false, 2000, 3000, 5000);
    sim_add(&sim, SPINS, 1000, false, 0, 0);
    sim_run(&sim, 1000 * WINDOW);
    assert_int_equal(sim.a[0].got, 2000 * 1000);
    assert_int_equal(sim.a[1].got, 3000 * 1000);
    assert_int_equal(sim.a[2].got, 5000 * 1000);
    entitlements(false, 2000, 3000, 1000); /* the slack of 0.4 by weight, and that of one more who is promised nothing */
    sim_add(&sim, SPINS, 300, false, 0, 0);
    sim_add(&sim, SPINS, 400, false, 0, 0);
    sim_run(&sim, 10000 * WINDOW);
    for (u32 i = 0; i < 3; i++)
        assert_near(sim.a[i].slack, 4000 * 10000 / 10, 10 * TURN);
    assert_near(sim.a[3].got, 4000 * 10000 * 3 / 10, 10 * TURN);
    assert_near(sim.a[4].got, 4000 * 10000 * 4 / 10, 10 * TURN);
}

static void capped_never_more(void **state)
{
    (void)state;
    at_most = true;
    entitlements(true, 2000, 3000, 1000);
    sim_run(&sim, 1000 * WINDOW); /* nobody else is there, and still */
    assert_int_equal(sim.a[1].got, 3000 * 1000);
    assert_int_equal(sim.idle, 4000 * 1000);
    entitlements(true, 2000, 3000, 1000);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 1000 * WINDOW);
    assert_int_equal(sim.a[3].got, 4000 * 1000);
    assert_int_equal(sim.idle, 0);
}

/* One alone, who may take the slack, needs no alarm; and owes nobody for it when others come. */
static void alone_without_alarm(void **state)
{
    (void)state;
    for (u32 promise = 0; promise <= 1; promise++) {
        sim_begin(&sim, 1);
        sim_add(&sim, SPINS, 100, false, promise ? WINDOW : 0, promise ? 2000 : 0);
        sim_add(&sim, SPINS, 100, false, 0, 0)->next = 5000 * TURN;
        sim_run(&sim, 5000 * TURN);
        assert_int_equal(sim.picks, 1);
        sim_run(&sim, 6000 * TURN);
        assert_near(sim.a[1].got, promise ? 400 * TURN : 500 * TURN, 2 * TURN);
        policy_charge(&sim.q, sim.now);
        policy_block(&sim.q, &sim.a[0].share);
        sim.a[0].next = sim.now + 3000 * TURN;
        sim_run(&sim, 9000 * TURN);
        sim.a[0].got = 0;
        sim_run(&sim, 10000 * TURN); /* who slept has saved nothing, and who did not has lost nothing */
        assert_near(sim.a[0].got, promise ? 600 * TURN : 500 * TURN, 2 * TURN);
    }
}

/* Random periods and budgets that come to at most @percent. */
static u64 random_budget(u64 period, u64 *left)
{
    u64 most = period * *left / 1000000, budget;

    budget = 1 + sim_random(&sim, (u32)MAX(most, 1));
    if (budget * 1000000 / period + 1 > *left)
        return 0;
    *left -= budget * 1000000 / period + 1;
    return budget;
}

/*
 * Sets that the admission test accepts: nobody whose jobs are no longer than his budget, and no closer than his period, is ever late.
 * Beside them those that keep to nothing: they want more than they have, sleep and wake at random, or spin in the slack.
 */
static void no_deadline_missed(void **state)
{
    u64 jobs = 0, hogs = 0;

    (void)state;
    for (u32 run = 0; run < 10000; run++) {
        u64 left = 1000000; /* parts of a core */
        u32 n;

        sim_begin(&sim, run);
        n = 2 + sim_random(&sim, 7);
        for (u32 i = 0; i < n; i++) {
            u64 period = 50 + sim_random(&sim, run % 2 ? 3000 : 300);
            u64 budget = random_budget(period, &left);
            bool capped = sim_random(&sim, 2);

            if (!budget)
                continue;
            if (sim_random(&sim, 3) == 0)
                sim_add(&sim, sim_random(&sim, 2) ? SPINS : ANYHOW, 100, capped, period, budget);
            else
                sim_job(&sim, capped, period, budget, budget, sim_random(&sim, 2) ? period : 2 * period);
        }
        if (left > 1 && sim_random(&sim, 2)) { /* up to the last tick */
            u64 period = 1000000 / left + 1;

            sim_job(&sim, true, period, 1, 1, period);
        }
        if (run % 3)
            sim_add(&sim, run % 3 == 1 ? SPINS : ANYHOW, 1000, false, 0, 0);
        sim_run(&sim, 20000);
        for (const struct actor *a = sim.a; a < sim.a + sim.n; a++) {
            assert_int_equal(a->late, 0);
            assert_int_equal(a->share.missed, 0);
            assert_true(a->habit != JOBS || a->todo == 0 || sim.now <= a->due); /* nor will be */
            jobs += a->habit == JOBS ? a->jobs : 0;
            hogs += a->habit != JOBS;
        }
    }
    assert_true(jobs > 1000000 && hogs > 10000);
}

/* The other side of the bound: where more is promised than there is, somebody is late. So the test above can fail. */
static void too_much_is_late(void **state)
{
    u64 late = 0;

    (void)state;
    sim_begin(&sim, 5);
    sim_job(&sim, true, 100, 51, 51, 100);
    sim_job(&sim, true, 200, 104, 104, 200);
    sim.a[0].next = sim.a[1].next = 0;
    sim_run(&sim, 100000);
    for (u32 i = 0; i < sim.n; i++)
        late += sim.a[i].late;
    assert_true(late > 10);
    assert_true(sim.a[0].share.missed + sim.a[1].share.missed > 10);
}

/* Without its budget by the deadline, though it could use all of the period: what is carried over from before is not asked for. */
static void missed_deadlines(void **state)
{
    struct actor *a;

    (void)state;
    sim_begin(&sim, 1);
    for (u32 i = 0; i < 2; i++)
        sim_add(&sim, SPINS, 100, true, 1000, 600);
    sim_run(&sim, 10500);
    assert_int_equal(sim.a[0].share.missed, 0);
    assert_int_equal(sim.a[1].share.missed, 10); /* 400 in each */
    assert_ptr_equal(sim.q.missed, &sim.a[1].share);
    /* What one lacks for good is missed once. */
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, true, 1000, 600);
    sim_add(&sim, SPINS, 100, true, 1000, 400);
    for (u32 i = 0; i < 2; i++)
        (void)sim_wake(&sim, &sim.a[i]);
    sim.now = 100;
    sim_run(&sim, 10500);
    assert_int_equal(sim.a[0].share.missed, 0);
    assert_int_equal(sim.a[1].share.missed, 1);
    /* All of it, but something that nobody asked for came before. */
    sim_begin(&sim, 1);
    a = sim_add(&sim, SPINS, 100, true, 1000, 500);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    policy_ready(&sim.q, &a->share, 0);
    policy_ready(&sim.q, &sim.a[1].share, 0);
    assert_ptr_equal(policy_pick(&sim.q, 500), a);
    policy_charge(&sim.q, 1000);
    assert_int_equal(a->share.missed, 0);
    policy_pick(&sim.q, 1000);
    policy_pick(&sim.q, 1501);
    policy_charge(&sim.q, 2001);
    policy_charge(&sim.q, 2002);
    assert_int_equal(a->share.missed, 1);
    assert_ptr_equal(policy_pick(&sim.q, 2002), a);
    assert_int_equal(a->share.missed, 1);
    /* Not who slept in between, nor who renounces it, nor who is to stop. */
    policy_charge(&sim.q, 2490);
    policy_block(&sim.q, &a->share);
    policy_pick(&sim.q, 2490);
    policy_ready(&sim.q, &a->share, 2900);
    assert_int_equal(a->share.deadline, 3000);
    assert_ptr_equal(policy_pick(&sim.q, 3100), a);
    assert_int_equal(a->share.missed, 1);
    policy_charge(&sim.q, 3101);
    policy_yield(&sim.q, 3101);
    policy_pick(&sim.q, 3101);
    policy_hurry(&sim.q, &a->share, 100, 3200);
    policy_pick(&sim.q, 3400);
    policy_yield(&sim.q, 3401);
    policy_pick(&sim.q, 3401);
    policy_charge(&sim.q, 4600);
    policy_pick(&sim.q, 4600);
    assert_int_equal(a->share.missed, 1);
}

/* Whoever sleeps as he likes has no more than his rate, and a period's budget, in any stretch of time. */
static void sleepers_gain_nothing(void **state)
{
    (void)state;
    for (u32 run = 0; run < 500; run++) {
        sim_begin(&sim, run);
        sim_add(&sim, ANYHOW, 100, true, 1000, 300);
        sim_add(&sim, SPINS, 100, false, 0, 0);
        sim_add(&sim, ANYHOW, 100, true, 700, 100 + sim_random(&sim, 200));
        for (u64 t = 1; t < 200; t++) {
            sim_run(&sim, t * 1000);
            assert_true(sim.a[0].got <= 300 * (t + 1));
            assert_true(sim.a[2].got <= sim.a[2].share.budget * (t * 1000 / 700 + 2));
        }
    }
    /* In the slack: the sleeper wakes for a tenth of each turn of the other, and has a tenth; the other loses nothing by it. */
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_add(&sim, ANYHOW, 100, false, 0, 0);
    sim_run(&sim, 3000 * TURN);
    assert_true(sim.a[2].got < 1000 * TURN);
    assert_near(sim.a[0].got, sim.a[1].got, TURN);
    /* Nor does one that has slept for long keep the others waiting. */
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, false, 0, 0)->next = 1000 * TURN;
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 1300 * TURN);
    assert_near(sim.a[0].got, 100 * TURN, TURN);
}

/* Who is ready in the slack waits for no more than a turn of each of the others, whatever they do. */
static void nobody_waits_long(void **state)
{
    (void)state;
    for (u32 run = 0; run < 200; run++) {
        u64 turns = 0;

        sim_begin(&sim, run);
        for (u32 i = 0; i < 2 + run % 6; i++) {
            u32 weight = run % 2 ? 100 : 50 + sim_random(&sim, 200);

            sim_add(&sim, sim_random(&sim, 3) ? ANYHOW : SPINS, weight, false, 0, 0);
            turns += TURN * weight / 100 + 1;
        }
        sim_run(&sim, 1000 * TURN);
        assert_true(sim.waited <= turns);
    }
}

/* One that wants more than he is promised takes it from nobody: EDF beside EDF beside entitled beside slack. */
static void greedy_hurts_nobody(void **state)
{
    (void)state;
    sim_begin(&sim, 3);
    sim_job(&sim, true, 1000, 200, 200, 1000);
    sim_add(&sim, SPINS, 100, true, 500, 100);
    sim_add(&sim, SPINS, 100, false, WINDOW, 3000);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 1000 * WINDOW);
    assert_int_equal(sim.a[0].late, 0);
    assert_near(sim.a[0].jobs, 10000, 2);
    assert_int_equal(sim.a[1].got, 1000 * WINDOW / 5);
    assert_near(sim.a[2].slack, sim.a[3].got, 3 * TURN);
}

/* a 5, slack 2, b 3, a 4, of 20. */
static struct { u64 from, to; u32 who; } frame[] = { { 0, 5000, 0 }, { 7000, 10000, 1 }, { 10000, 14000, 0 } };
static void check_frame(struct sim *s, struct actor *a, u64 from, u64 to)
{
    u32 i = a ? (u32)(a - s->a) : ACTORS;

    for (u32 k = 0; k < ARRAY_SIZE(frame); k++) {
        u64 begin = MAX(from % 20000, frame[k].from), end = MIN((from % 20000) + (to - from), frame[k].to);

        if (begin >= end)
            continue;
        in_window[k] += end - begin;
        assert_true(i == frame[k].who || !s->a[frame[k].who].share.runnable);
    }
}

static void begin_frame(bool capped)
{
    sim_begin(&sim, 7);
    memset(in_window, 0, sizeof(in_window));
    sim.ran = check_frame;
    sim_add(&sim, SPINS, 100, capped, 0, 0);
    sim_add(&sim, SPINS, 100, capped, 0, 0);
    policy_add_slot(&sim.q, &sim.a[0].share, 5000);
    policy_add_slot(&sim.q, NULL, 7000);
    policy_add_slot(&sim.q, &sim.a[1].share, 10000);
    policy_add_slot(&sim.q, &sim.a[0].share, 14000);
    policy_add_slot(&sim.q, NULL, 20000);
}

static void cyclic_frames(void **state)
{
    (void)state;
    begin_frame(true);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 20000 * 100);
    assert_int_equal(sim.a[0].got, 9000 * 100);
    assert_int_equal(sim.a[1].got, 3000 * 100);
    assert_int_equal(sim.a[2].got, 8000 * 100);
    begin_frame(true); /* nobody else: the core is idle, not theirs */
    sim_run(&sim, 20000 * 100);
    assert_int_equal(sim.idle, 8000 * 100);
    assert_int_equal(in_window[2], 4000 * 100);
    begin_frame(false); /* in the rest of the frame they have their part of the slack */
    sim_add(&sim, SPINS, 200, false, 0, 0);
    sim_run(&sim, 20000 * 1000);
    assert_near(sim.a[0].got, 9000 * 1000 + 2000 * 1000, 2 * TURN);
    assert_near(sim.a[1].got, 3000 * 1000 + 2000 * 1000, 2 * TURN);
    begin_frame(true); /* who sleeps through his slot leaves it to the slack, and has the rest of it when he wakes */
    sim_add(&sim, ANYHOW, 100, false, 0, 0);
    sim.a[0].habit = ANYHOW;
    sim_run(&sim, 20000 * 1000);
    assert_true(sim.a[0].got < 9000 * 1000 && sim.a[0].got > 1000 * 1000 && sim.a[2].got > 1000 * 1000);
    assert_int_equal(sim.a[1].got, 3000 * 1000);
}

/* Who could use all of his slot and lacks more of it than late alarms explain. */
static void missed_slots(void **state)
{
    struct share *a, *b;

    (void)state;
    begin_frame(true);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_run(&sim, 20000 * 100);
    for (u32 i = 0; i < 3; i++)
        assert_int_equal(sim.a[i].share.missed, 0);
    begin_frame(true);
    a = &sim.a[0].share, b = &sim.a[1].share;
    policy_ready(&sim.q, a, 0); /* it was not there as its slot began */
    policy_ready(&sim.q, b, 0);
    assert_ptr_equal(policy_pick(&sim.q, 1000), a);
    sim.q.since += 2000; /* for nobody: sched_spare() */
    policy_charge(&sim.q, 5003);
    assert_null(policy_pick(&sim.q, 5003));
    assert_int_equal(a->missed, 0);
    /* A little late at both ends is nothing. */
    assert_ptr_equal(policy_pick(&sim.q, 7100), b);
    policy_charge(&sim.q, 10010);
    assert_ptr_equal(policy_pick(&sim.q, 10010), a);
    assert_int_equal(b->missed, 0);
    /* Something else in the middle of it, and at its beginning. */
    sim.q.since += 1000;
    policy_charge(&sim.q, 14000);
    assert_null(policy_pick(&sim.q, 14000));
    assert_int_equal(a->missed, 1);
    assert_ptr_equal(sim.q.missed, a);
    assert_ptr_equal(policy_pick(&sim.q, 21000), a);
    policy_charge(&sim.q, 25000);
    assert_null(policy_pick(&sim.q, 25000));
    assert_int_equal(a->missed, 2);
    /* Who renounces it has missed nothing, nor who blocks; nor who is alone, and needs no alarm. */
    assert_ptr_equal(policy_pick(&sim.q, 27000), b);
    policy_yield(&sim.q, 27100);
    assert_null(policy_pick(&sim.q, 27100));
    assert_ptr_equal(policy_pick(&sim.q, 30000), a);
    policy_charge(&sim.q, 30100);
    policy_block(&sim.q, a);
    assert_null(policy_pick(&sim.q, 30100));
    assert_null(policy_pick(&sim.q, 34000));
    assert_int_equal(a->missed, 2);
    assert_int_equal(b->missed, 0);
    begin_frame(false);
    a = &sim.a[0].share;
    policy_ready(&sim.q, a, 0);
    assert_ptr_equal(policy_pick(&sim.q, 0), a);
    assert_int_equal(sim.q.until, POLICY_NEVER);
    policy_charge(&sim.q, 32000);
    policy_ready(&sim.q, &sim.a[1].share, 32000);
    policy_charge(&sim.q, 34001);
    policy_pick(&sim.q, 34001);
    assert_int_equal(a->missed, 0);
}

/* Late alarms: what somebody has overdrawn he pays back, so that the shares are exact in the long run. */
static void late_alarms(void **state)
{
    (void)state;
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, true, WINDOW, 2000);
    sim_add(&sim, SPINS, 100, false, WINDOW, 3000);
    sim_add(&sim, SPINS, 100, true, WINDOW, 5000);
    for (u32 i = 0; i < 3; i++)
        policy_ready(&sim.q, &sim.a[i].share, 0);
    while (sim.now < 10000 * WINDOW) {
        struct share *s = policy_pick(&sim.q, sim.now);
        u64 to = sim.q.until + 7;

        assert_non_null(s);
        ((struct actor *)(void *)s)->got += to - sim.now;
        sim.now = to;
        policy_charge(&sim.q, sim.now);
        assert_int_equal(s->deadline % WINDOW, 0);
    }
    assert_near(sim.a[0].got, 20000 * 1000, 20000);
    assert_near(sim.a[1].got, 30000 * 1000, 30000);
    assert_near(sim.a[2].got, 50000 * 1000, 50000);
}

static void yields(void **state)
{
    (void)state;
    sim_begin(&sim, 1);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_wakes(&sim);
    for (u32 i = 0; i < 10; i++) {
        assert_ptr_equal(policy_pick(&sim.q, i * 3), &sim.a[i % 2].share);
        policy_yield(&sim.q, i * 3 + 3);
    }
    sim_begin(&sim, 1); /* the rest of a budget */
    sim_add(&sim, SPINS, 100, true, WINDOW, 3000);
    sim_add(&sim, SPINS, 100, false, 0, 0);
    sim_wakes(&sim);
    assert_ptr_equal(policy_pick(&sim.q, 0), &sim.a[0].share);
    policy_yield(&sim.q, 1000);
    assert_ptr_equal(policy_pick(&sim.q, 1000), &sim.a[1].share);
    assert_int_equal(sim.q.until, WINDOW);
    policy_charge(&sim.q, WINDOW);
    assert_ptr_equal(policy_pick(&sim.q, WINDOW), &sim.a[0].share);
    assert_int_equal(sim.q.until, WINDOW + 3000);
}

/* Shares that an operation moves in its heaps: all that depends on how many there are; the slack is two lists. */
static u32 positions[ACTORS];
static u32 moved(void)
{
    u32 n = 0;

    for (u32 i = 0; i < sim.n; i++) {
        n += positions[i] != sim.a[i].share.pos;
        positions[i] = sim.a[i].share.pos;
    }
    return n;
}

static void cost_is_flat(void **state)
{
    (void)state;
    for (u32 k = 1; k <= 6; k++) {
        u64 sum = 0, worst = 0;

        sim_begin(&sim, k);
        for (u32 i = 0; i < 1u << k; i++)
            sim_add(&sim, SPINS, 100, i % 3 && i % 4 == 3, i % 3 ? 100 * (1u << k) + i : 0, i % 3 ? 90 : 0);
        sim_wakes(&sim);
        for (u64 t = 0; t < 2000; t++) {
            struct share *s;
            u32 m;

            sim.now += 40;
            moved();
            policy_charge(&sim.q, sim.now);
            s = policy_pick(&sim.q, sim.now);
            if (s && t % 3 == 0) {
                policy_block(&sim.q, s);
                policy_ready(&sim.q, s, sim.now);
            }
            m = moved();
            worst = MAX(worst, m);
            sum += m;
        }
        assert_true(worst <= 12 * (k + 1));
        assert_true(sum / 2000 <= 3 * (k + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_spinners), cmocka_unit_test(spinners_by_weight), cmocka_unit_test(entitlements_every_window),
        cmocka_unit_test(capped_never_more), cmocka_unit_test(alone_without_alarm), cmocka_unit_test(no_deadline_missed),
        cmocka_unit_test(too_much_is_late), cmocka_unit_test(missed_deadlines),
        cmocka_unit_test(missed_slots), cmocka_unit_test(sleepers_gain_nothing),
        cmocka_unit_test(nobody_waits_long), cmocka_unit_test(greedy_hurts_nobody),
        cmocka_unit_test(cyclic_frames), cmocka_unit_test(late_alarms), cmocka_unit_test(yields), cmocka_unit_test(cost_is_flat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
