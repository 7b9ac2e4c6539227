/* SPDX-License-Identifier: MIT */
/*
 * Turns on one core, by a simulated clock: vCPUs that lend each other their slices for ever, beside those that only run. What must
 * hold: who is ready runs again before every other one has had a slice (and who lends has it with the one he lends it to), no
 * matter who wakes, lends, gives way or sleeps; nobody is in two places; a slice that is lent is used at once.
 * LINK: hv/policy.c hv/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu.h"
static struct cpu core;
#define this_cpu() (&core)
#include "hv/sched.c"

#define KHZ    100ull
#define SLICE  (SLICE_MS * KHZ)
#define VCPUS  9u

enum habit { SPINS, CALLS /* hands its slice to the next one and waits */, YIELDS, ANYTHING };
struct actor {
    enum habit habit;
    u32 next;                 /* whom it calls */
    u64 ran, turns, since;    /* ticks, times, and when it became ready */
    bool called;
    struct timer alarm;
};

static struct vcpu vcpus[VCPUS];
static struct actor actors[VCPUS];
static u32 nr, nr_alone, lines;
static struct partition part;
static u64 now, alarm_at, worst, seed;
static bool promises; /* somebody more urgent may come between */

static u64 later; /* than the decision that is under way */
u64 arch_tsc(void) { return now + later; }
u64 arch_tsc_khz(void) { return KHZ; }
void arch_timer_set(u64 tsc) { alarm_at = tsc; }
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; lines++; }
static const struct vcpu *caller_of_1;
bool ipc_serves(const struct vcpu *server, const struct vcpu *caller) { return server == &vcpus[1] && caller == caller_of_1; }

static u32 random_below(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static struct actor *of(const struct vcpu *v) { return &actors[v - vcpus]; }

static void ready(struct vcpu *v)
{
    of(v)->since = now;
    sched_ready(&core, v);
}

static void wakes(struct timer *t)
{
    struct actor *a = (struct actor *)(void *)((u8 *)t - offsetof(struct actor, alarm));
    struct vcpu *v = &vcpus[a - actors];

    if (v->state == VCPU_BLOCKED)
        ready(v);
}

static u32 begin(u32 n)
{
    core = (struct cpu){ .self = &core };
    memset(vcpus, 0, sizeof(vcpus));
    memset(actors, 0, sizeof(actors));
    nr = n;
    promises = false;
    caller_of_1 = NULL;
    later = 0;
    now = 1000;
    alarm_at = TIMER_NEVER;
    worst = 0;
    core.now = now;
    sched_init(&core);
    policy_init(&core.rq, SLICE);
    for (u32 i = 0; i < n; i++) {
        vcpus[i].home = &core;
        vcpus[i].part = &part;
        vcpus[i].state = VCPU_BLOCKED;
        share_init(&vcpus[i].share, 100, false, 0, 0);
        timer_init(&actors[i].alarm, wakes);
    }
    return n;
}

/* Each in one place, and that the right one. */
static void check_places(void)
{
    u32 seen[VCPUS] = { 0 }, in_stacks = 0;

    for (u32 i = 0; i < nr; i++)
        for (const struct vcpu *v = vcpus[i].runners; v; v = v->next_runner) {
            seen[v - vcpus]++;
            assert_true(++in_stacks <= nr);
            assert_ptr_equal(v->runs_in, &vcpus[i]);
        }
    if (core.handoff)
        seen[core.handoff - vcpus]++;
    for (u32 i = 0; i < nr; i++)
        assert_int_equal(seen[i], vcpus[i].runs_in || &vcpus[i] == core.handoff);
    for (u32 i = 0; i < nr; i++) {
        bool lends = core.handoff && core.rq.cur == &vcpus[i].share;

        assert_true(!seen[i] || vcpus[i].state == VCPU_READY);
        if (&vcpus[i] != core.handoff)
            assert_int_equal(vcpus[i].share.runnable, vcpus[i].state == VCPU_READY || vcpus[i].runners || lends);
    }
}

static void take_interrupts(void)
{
    if (alarm_at <= now)
        timers_run(&core.timers, now);
}

static void hand_to(u32 i)
{
    if (vcpus[i].state != VCPU_BLOCKED)
        return;
    of(&vcpus[i])->since = now;
    sched_handoff(&core, &vcpus[i]);
}

/* One thing that a guest does; true: and then it waits. */
static bool act(u32 i)
{
    struct actor *a = &actors[i];

    now += 1 + (a->habit == SPINS ? 20 : random_below(9));
    take_interrupts();
    switch (a->habit == ANYTHING ? random_below(6) : a->habit == CALLS ? 0u : a->habit == YIELDS ? 5u : 6u) {
    case 0: /* a call, or the answer to one */
        a->called = true;
        hand_to(a->habit == CALLS ? a->next : random_below(nr));
        return true;
    case 1:
        hand_to(random_below(nr));
        return false;
    case 2: {
        u32 other = random_below(nr);

        if (vcpus[other].state == VCPU_BLOCKED)
            ready(&vcpus[other]);
        return false;
    }
    case 3: /* sleeps */
        timer_set(&core.timers, &a->alarm, now + random_below(3000));
        return true;
    case 5:
        sched_yield(core.current);
        return false;
    default:
        return false;
    }
}

/* On an idle core, as by its doorbell: one that sleeps is woken. True: there may be one to run; @v, if that is known at once. */
static bool rung(struct vcpu **v)
{
    struct vcpu *woken = &vcpus[random_below(nr)];

    if (woken->state != VCPU_BLOCKED || random_below(2))
        return false;
    of(woken)->since = now;
    if (sched_wake_alone(&core, woken)) {
        *v = woken;
        nr_alone++;
    } else {
        sched_ready(&core, woken);
    }
    return true;
}

/* As cpu_main() does, until @end. */
static void run_until(u64 end)
{
    while (now < end) {
        struct vcpu *lent, *v;
        struct actor *a;
        bool waits = false;
        u64 from;

        core.now = now;
        take_interrupts();
        lent = core.handoff;
        v = sched_next(&core);
        if (!v && rung(&v) && !v)
            continue;
        if (!v) {
            assert_true(alarm_at != TIMER_NEVER); /* else one that was ready is forgotten: somebody always wakes */
            now = MAX(now, alarm_at);
            continue;
        }
        a = of(v);
        worst = MAX(worst, now - a->since);
        assert_true(promises || !lent || v == lent);
        core.current = v;
        a->turns++;
        from = now;
        while (!waits && !core.resched && v->arch.wait == WAIT_NONE)
            waits = act((u32)(v - vcpus));
        v->arch.wait = WAIT_NONE;
        a->ran += now - from;
        core.now = now;
        if (waits) {
            sched_block(&core, v);
        } else {
            a->since = now;
            sched_give_way(&core, v);
        }
        core.current = NULL;
        if (waits && a->habit == ANYTHING && a->alarm.deadline == TIMER_NEVER)
            timer_set(&core.timers, &a->alarm, now + 5000); /* nobody sleeps for good */
        check_places();
    }
}

static void ring(u32 first, u32 n)
{
    for (u32 i = 0; i < n; i++)
        actors[first + i] = (struct actor){ .habit = CALLS, .next = first + (i + 1) % n };
    ready(&vcpus[first]);
}

static void spinners(u32 first, u32 n)
{
    for (u32 i = first; i < first + n; i++) {
        actors[i].habit = SPINS;
        ready(&vcpus[i]);
    }
}

/* Rings of vCPUs that call on and on count as one each, however many are in them: everybody has his share of the time, to a tenth. */
static void rings_and_spinners(void **state)
{
    (void)state;
    for (u32 size = 2; size <= 3; size++)
        for (u32 spin = 1; spin <= 3; spin++)
            for (u32 rings = 1; rings <= 2; rings++) {
                u64 calls = 0, share;

                begin(rings * size + spin);
                for (u32 r = 0; r < rings; r++)
                    ring(r * size, size);
                spinners(rings * size, spin);
                run_until(1000 + 1000 * SLICE);
                share = 1000 * SLICE / (rings + spin);
                for (u32 i = 0; i < spin; i++)
                    assert_in_range(actors[rings * size + i].ran, share * 9 / 10, share * 11 / 10);
                for (u32 i = 0; i < rings * size; i++)
                    calls += actors[i].turns;
                assert_true(calls > 1000 * SLICE / 25); /* they do get on: a call takes 5 ticks, and has a quarter of the time or more */
                assert_in_range(worst, 0, (rings + spin) * (SLICE + 30));
            }
}

/* Alone on the core, two that call each other need no slice and no timer. */
static void pair_alone(void **state)
{
    (void)state;
    begin(2);
    ring(0, 2);
    run_until(1000 + 100 * SLICE);
    assert_true(actors[0].turns > 50 * SLICE / 10 && actors[0].turns - actors[1].turns <= 1);
    assert_int_equal(alarm_at, TIMER_NEVER);
}

/* With promises of all kinds among them: each is in one place, nobody is forgotten, and what is promised is there for who wants it. */
static void random_promises(void **state)
{
    (void)state;
    for (u32 run = 0; run < 300; run++) {
        u32 n = 2 + run % (VCPUS - 1);

        seed = run;
        begin(n);
        promises = true;
        for (u32 i = 0; i < n; i++) {
            u64 period = SLICE / 2 + random_below(20 * SLICE);
            u64 budget = random_below(3) ? 1 + period / (n + 1) : 0;

            share_init(&vcpus[i].share, 50 + random_below(100), budget && random_below(2), budget ? period : 0, budget);
            actors[i].habit = i % 4 == 3 ? SPINS : ANYTHING;
            ready(&vcpus[i]);
        }
        run_until(1000 + 1000 * SLICE);
        for (u32 i = 3; i < n; i += 4)
            if (vcpus[i].share.budget)
                assert_true(actors[i].ran + 25 * SLICE >= 1000 * SLICE * vcpus[i].share.budget / vcpus[i].share.period);
        for (u32 i = 0; i < n; i++)
            assert_true(actors[i].turns > 5);
    }
    assert_true(nr_alone > 1000);
}

/* More is promised than there is: who is late is told, but not each time. */
static void missed_deadlines_are_told(void **state)
{
    (void)state;
    begin(2);
    lines = 0;
    for (u32 i = 0; i < 2; i++)
        share_init(&vcpus[i].share, 100, true, 10 * SLICE, 6 * SLICE);
    spinners(0, 2);
    run_until(1000 + 1005 * SLICE);
    assert_int_equal(vcpus[1].share.missed, 100);
    assert_in_range(lines, 7, 7 + (vcpus[0].share.missed != 0) * 7);
}

static void runs(u32 i)
{
    core.now = now;
    check_places();
    assert_ptr_equal(sched_next(&core), &vcpus[i]);
    core.current = &vcpus[i];
}

static void leaves(u32 i, bool waits)
{
    core.now = now;
    if (waits)
        sched_block(&core, &vcpus[i]);
    else
        sched_give_way(&core, &vcpus[i]);
    core.current = NULL;
}

/* One that lends its slice and goes on has the rest of it when the other is done: in the turn of both. */
static void lender_goes_on(void **state)
{
    (void)state;
    begin(3);
    ready(&vcpus[0]);
    ready(&vcpus[2]);
    assert_ptr_equal(sched_next(&core), &vcpus[0]);
    core.current = &vcpus[0];
    now += 10;
    sched_handoff(&core, &vcpus[1]);
    assert_int_equal(vcpus[0].arch.wait, WAIT_TURN);
    vcpus[0].arch.wait = WAIT_NONE;
    leaves(0, false);
    runs(1);
    leaves(1, true);
    runs(0);
    assert_int_equal(core.rq.until, 1000 + SLICE);
    leaves(0, true);
    runs(2);
}

/* A second one that is handed the same slice comes to the end of the queue. */
static void one_at_a_time(void **state)
{
    (void)state;
    begin(3);
    ready(&vcpus[0]);
    assert_ptr_equal(sched_next(&core), &vcpus[0]);
    core.current = &vcpus[0];
    sched_handoff(&core, &vcpus[1]);
    sched_handoff(&core, &vcpus[2]);
    leaves(0, true);
    runs(1);
    leaves(1, true);
    runs(2);
}

/* The slice is over between the call and the next turn: first those who wait. */
static void slice_ends_at_the_call(void **state)
{
    (void)state;
    begin(3);
    ready(&vcpus[0]);
    ready(&vcpus[2]);
    assert_ptr_equal(sched_next(&core), &vcpus[0]);
    core.current = &vcpus[0];
    sched_handoff(&core, &vcpus[1]);
    vcpus[1].steal.msr = 1;
    now += SLICE;
    take_interrupts();
    leaves(0, true);
    runs(2);
    assert_int_equal(vcpus[1].steal.since, 1000 + SLICE); /* from now on others have the core, which it was lent */
    leaves(2, true);
    runs(1);
}

/* The turn is not over, and somebody is more urgent than the one that it was lent to. */
static void urgent_at_the_call(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[2].share, 100, true, 10 * SLICE, SLICE);
    ready(&vcpus[0]);
    runs(0);
    now += 10;
    sched_lend(&core, &vcpus[1]);
    vcpus[1].steal.msr = 1;
    ready(&vcpus[2]);
    leaves(0, true);
    runs(2);
    assert_int_equal(vcpus[1].steal.since, 1010);
    leaves(2, true);
    runs(1);
}

/* A server works in the promise of its caller, and that is what it is charged to, whoever comes between. */
static void server_in_the_callers_promise(void **state)
{
    (void)state;
    begin(4);
    share_init(&vcpus[0].share, 100, true, 10 * SLICE, 3 * SLICE); /* calls 1, which is promised nothing */
    share_init(&vcpus[2].share, 100, true, SLICE, SLICE / 10);
    ready(&vcpus[3]);
    ready(&vcpus[0]);
    runs(0);
    now += 100;
    sched_handoff(&core, &vcpus[1]);
    leaves(0, true);
    runs(1);
    now += 100;
    ready(&vcpus[2]); /* more urgent */
    assert_true(core.resched);
    leaves(1, false);
    runs(2);
    now += 50;
    leaves(2, true);
    runs(1); /* not 3, which only has what is left */
    assert_int_equal(vcpus[0].share.left, 3 * SLICE - 200);
    now += 3 * SLICE - 200;
    take_interrupts();
    assert_true(core.resched);
    leaves(1, false); /* the promise is used up, and what is lent of it ends */
    runs(3);
    now += SLICE;
    leaves(3, false);
    runs(1);
    leaves(1, true);
    runs(3);
}

/* The answer comes when somebody more urgent does: the owner of the share is ready in it as before. */
static void answer_when_others_are_urgent(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[2].share, 100, true, SLICE, SLICE / 10);
    ready(&vcpus[0]);
    runs(0);
    sched_handoff(&core, &vcpus[1]);
    leaves(0, true);
    runs(1);
    sched_handoff(&core, &vcpus[0]);
    ready(&vcpus[2]);
    leaves(1, true);
    runs(2);
    leaves(2, true);
    runs(0);
    leaves(0, true);
    assert_null(sched_next(&core));
}

/* One that was called by somebody without a promise has its own, too. */
static void server_with_a_promise(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[1].share, 100, true, 10 * SLICE, 3 * SLICE);
    share_init(&vcpus[2].share, 100, true, 20 * SLICE, 2 * SLICE);
    ready(&vcpus[0]);
    runs(0);
    now += 100;
    sched_handoff(&core, &vcpus[1]);
    leaves(0, true);
    runs(1);
    assert_int_equal(vcpus[1].share.left, 0); /* it works for another, in that one's time */
    ready(&vcpus[2]);
    assert_true(core.resched);
    leaves(1, false);
    runs(1); /* more urgent than 2 in its own share, where it would be last in that of 0 */
    assert_ptr_equal(core.rq.cur, &vcpus[1].share);
    now += 10;
    leaves(1, true);
    assert_false(vcpus[0].share.runnable);
    runs(2);
}

static void has_a_turn(u32 i, u32 owner)
{
    runs(i);
    assert_ptr_equal(core.rq.cur, &vcpus[owner].share);
    now += SLICE;
    take_interrupts();
    assert_true(core.resched);
    leaves(i, false);
}

/* An answer that takes longer than one promise of the caller: in the next one, too, and after turns of its own. */
static void server_in_the_next_promise(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[0].share, 100, true, 7 * SLICE, SLICE);
    ready(&vcpus[0]);
    ready(&vcpus[2]);
    runs(0);
    sched_lend(&core, &vcpus[1]);
    caller_of_1 = &vcpus[0];
    leaves(0, true);
    has_a_turn(1, 0);
    for (u32 i = 0; i < 3; i++) {
        has_a_turn(2, 2);
        has_a_turn(1, 1);
    }
    has_a_turn(1, 0); /* with the next period */
    has_a_turn(2, 2);
    has_a_turn(1, 1);
    has_a_turn(2, 2);
    caller_of_1 = NULL; /* it works for others by now */
    has_a_turn(1, 1);
    assert_false(vcpus[0].share.runnable);
    now = 1000 + 14 * SLICE;
    has_a_turn(2, 2);
    has_a_turn(1, 1);
}

/* The server works for 3, who is promised nothing, when 0 calls: it comes to both in the promise of 0, before others have a turn. */
static void busy_server(void **state)
{
    (void)state;
    begin(4);
    share_init(&vcpus[0].share, 100, true, 4 * SLICE, SLICE);
    ready(&vcpus[3]);
    runs(3);
    sched_lend(&core, &vcpus[1]);
    leaves(3, true);
    runs(1);
    now += 10;
    ready(&vcpus[2]);
    ready(&vcpus[0]);
    leaves(1, false);
    assert_ptr_equal(vcpus[1].runs_in, &vcpus[3]);
    runs(0);
    sched_lend_busy(&core, &vcpus[1]);
    sched_lend_busy(&core, &vcpus[1]); /* no more than once */
    caller_of_1 = &vcpus[0];
    assert_false(vcpus[3].share.runnable);
    leaves(0, true);
    has_a_turn(1, 0);
    now = 1000 + 10 + 4 * SLICE;
    has_a_turn(1, 0);
    ready(&vcpus[0]);
    caller_of_1 = NULL;
    now += 3 * SLICE;
    runs(0);
}

/* It is seen in the decision under way that its own promise is more urgent than what it was lent. */
static void own_promise_at_once(void **state)
{
    (void)state;
    begin(2);
    share_init(&vcpus[1].share, 100, true, 10 * SLICE, 3 * SLICE);
    ready(&vcpus[0]);
    runs(0);
    sched_lend(&core, &vcpus[1]);
    leaves(0, true);
    runs(1);
    now += 10;
    later = 5;
    leaves(1, false);
    runs(1);
    assert_ptr_equal(core.rq.cur, &vcpus[1].share);
}

/* That ends with a promise that comes when there is an answer. */
static void last_promise_of_a_call(void **state)
{
    (void)state;
    begin(2);
    share_init(&vcpus[0].share, 100, true, 4 * SLICE, SLICE);
    ready(&vcpus[0]);
    runs(0);
    sched_lend(&core, &vcpus[1]);
    caller_of_1 = &vcpus[0];
    leaves(0, true);
    now += SLICE / 2;
    runs(1);
    caller_of_1 = NULL;
    now += SLICE / 2;
    leaves(1, false);
    assert_null(vcpus[1].runs_in);
    assert_false(vcpus[0].share.runnable);
    runs(1);
}

/* Who wakes while another runs in his share has it for himself; the other goes on afterwards. */
static void owner_takes_back(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[0].share, 100, true, 10 * SLICE, 3 * SLICE);
    ready(&vcpus[0]);
    ready(&vcpus[2]);
    runs(0);
    sched_handoff(&core, &vcpus[1]);
    leaves(0, true);
    runs(1);
    now += 10;
    ready(&vcpus[0]);
    assert_true(core.resched);
    leaves(1, false);
    runs(0);
    now += 10;
    leaves(0, true); /* it only had an interrupt */
    runs(1);
    assert_ptr_equal(core.rq.cur, &vcpus[0].share);
    leaves(1, true);
    runs(2);
}

/* Who yields renounces what is his own, and never what was lent to him. */
static void yields_his_own(void **state)
{
    (void)state;
    begin(3);
    share_init(&vcpus[0].share, 100, true, 10 * SLICE, 3 * SLICE);
    ready(&vcpus[0]);
    ready(&vcpus[2]);
    runs(0);
    sched_handoff(&core, &vcpus[1]);
    leaves(0, false); /* and is ready */
    runs(1);
    sched_yield(core.current);
    leaves(1, false);
    runs(0);
    assert_int_equal(vcpus[0].share.left, 3 * SLICE);
    sched_yield(core.current);
    leaves(0, false);
    runs(2);
    assert_int_equal(core.rq.until, 1000 + SLICE);
}

/* Where others are promised everything, one that is to stop comes to it all the same. */
static void stops_all_the_same(void **state)
{
    (void)state;
    begin(2);
    share_init(&vcpus[0].share, 100, false, SLICE, SLICE);
    ready(&vcpus[0]);
    ready(&vcpus[1]);
    for (u32 i = 0; i < 10; i++) {
        runs(0);
        now += SLICE;
        leaves(0, false);
    }
    runs(0);
    sched_hurry(&core, &vcpus[1]);
    assert_true(core.resched);
    leaves(0, false);
    runs(1);
    sched_stop(&core, &vcpus[1]);
    core.current = NULL;
    runs(0);
}

/* Nobody may have the core: it sleeps until somebody may. */
static void all_are_capped(void **state)
{
    (void)state;
    begin(2);
    share_init(&vcpus[0].share, 100, true, 10 * SLICE, SLICE);
    share_init(&vcpus[1].share, 100, true, 10 * SLICE, SLICE);
    ready(&vcpus[0]);
    runs(0);
    now += 10;
    sched_handoff(&core, &vcpus[1]);
    leaves(0, false);
    runs(1);
    now += SLICE - 10;
    take_interrupts();
    leaves(1, false);
    runs(1); /* in its own share now */
    now += SLICE;
    take_interrupts();
    leaves(1, false);
    assert_null(sched_next(&core));
    assert_int_equal(alarm_at, 1000 + 10 * SLICE);
    now = core.now = alarm_at;
    take_interrupts();
    runs(0);
}

/* What the core did for others in the middle of it, like printing, costs a promise nothing. */
static void house_keeping_is_spared(void **state)
{
    u64 from;

    (void)state;
    begin(2);
    share_init(&vcpus[0].share, 100, true, 10 * SLICE, SLICE);
    ready(&vcpus[0]);
    ready(&vcpus[1]);
    runs(0);
    from = now += SLICE / 2;
    now += SLICE / 4;
    sched_spare(&core, from);
    now += SLICE / 4;
    take_interrupts();
    leaves(0, false);
    runs(0);
    assert_int_equal(vcpus[0].share.left, SLICE / 4);
    now += SLICE / 4;
    take_interrupts();
    leaves(0, false);
    runs(1);
    sched_stop(&core, &vcpus[1]);
    core.current = NULL;
    now += 10;
    sched_spare(&core, now - 10); /* nobody's time */
    assert_null(core.rq.cur);
}

/* Whatever they do: nobody who is ready waits for more than a slice of each of the others. */
static void random_sequences(void **state)
{
    (void)state;
    for (u32 run = 0; run < 300; run++) {
        u32 n = 2 + run % (VCPUS - 1);

        seed = run;
        begin(n);
        for (u32 i = 0; i < n; i++) {
            actors[i].habit = i % 4 == 3 ? (run % 2 ? SPINS : YIELDS) : ANYTHING;
            ready(&vcpus[i]);
        }
        run_until(1000 + 300 * SLICE);
        assert_in_range(worst, 0, n * (SLICE + 30));
        for (u32 i = 0; i < n; i++)
            assert_true(actors[i].turns > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_and_spinners), cmocka_unit_test(pair_alone), cmocka_unit_test(lender_goes_on),
        cmocka_unit_test(one_at_a_time), cmocka_unit_test(slice_ends_at_the_call),
        cmocka_unit_test(urgent_at_the_call), cmocka_unit_test(random_sequences),
        cmocka_unit_test(missed_deadlines_are_told), cmocka_unit_test(random_promises),
        cmocka_unit_test(server_in_the_callers_promise), cmocka_unit_test(server_with_a_promise),
        cmocka_unit_test(server_in_the_next_promise),
        cmocka_unit_test(last_promise_of_a_call), cmocka_unit_test(busy_server),
        cmocka_unit_test(own_promise_at_once), cmocka_unit_test(owner_takes_back),
        cmocka_unit_test(answer_when_others_are_urgent),
        cmocka_unit_test(yields_his_own), cmocka_unit_test(stops_all_the_same), cmocka_unit_test(all_are_capped),
        cmocka_unit_test(house_keeping_is_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
