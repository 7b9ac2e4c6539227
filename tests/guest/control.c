/* SPDX-License-Identifier: MIT */
/*
 * Managing partitions: 'mate' and 'fails', and nobody else. They are this image too, role=1: 50 ms of life, then exit
 * status 7; 2: fails at once.
 */
#include "guests/lib/test.h"
#include "hv/abi/trace.h"

#define MS   UINT64_C(1000000)
#define LIFE (50 * MS)

typedef struct pith_result request_fn(uint64_t partition);

static request_fn *const requests[] = {
    pith_part_start, pith_part_stop, pith_part_pause, pith_part_resume, pith_part_restart, pith_part_create, pith_part_destroy,
};
static uint64_t mate, fails, late;

static struct pith_result find(const char *name)
{
    uint64_t words[2] = { 0 };

    memcpy(words, name, strlen(name));
    return pith_part_find(words[0], words[1]);
}

static uint64_t state(uint64_t partition)
{
    return pith_part_state(partition).rbx;
}

/* False: ten seconds are over. */
static bool reaches(uint64_t partition, uint64_t what)
{
    uint64_t end = pith_now() + 10 * PITH_NS_PER_S;

    while (state(partition) != what)
        if (pith_wait(pith_now() + MS).rbx > end)
            return false;
    return true;
}

/* As often as it is busy. */
static int64_t ask(request_fn *what, uint64_t partition)
{
    int64_t status;

    while ((status = what(partition).status) == PITH_E_BUSY)
        (void)pith_wait(pith_now() + MS);
    return status;
}

static request_fn *way(uint64_t from, uint64_t to)
{
    if (to == PITH_PART_STOPPED)
        return pith_part_stop;
    if (to == PITH_PART_PAUSED && from == PITH_PART_RUNNING)
        return pith_part_pause;
    return to == PITH_PART_RUNNING && from == PITH_PART_PAUSED ? pith_part_resume : pith_part_restart;
}

/* Asked for until it is so: it may end by itself at any time. */
static bool bring(uint64_t partition, uint64_t to)
{
    uint64_t end = pith_now() + 10 * PITH_NS_PER_S, now = state(partition);

    for (; now != to; now = state(partition)) {
        if (now != PITH_PART_LOADING && now != PITH_PART_STOPPING)
            (void)way(now, to)(partition);
        if (pith_wait(pith_now() + MS).rbx > end)
            return false;
    }
    return true;
}

static void finding(const struct pith_start *start)
{
    struct pith_result s = find("mate"), f = find("fails"), me = find(start->name);

    mate = s.rbx;
    fails = f.rbx;
    test_ok(s.status == PITH_OK && f.status == PITH_OK && mate != fails, "find");
    test_ok(me.status == PITH_OK && me.rbx == pith_self().rbx, "find-oneself");
    test_ok(find("stranger").status == PITH_E_PERM && find("nobody").status == PITH_E_PERM && find("").status == PITH_E_PERM &&
                pith_part_find(~0ull, ~0ull).status == PITH_E_PERM,
            "find-out-of-reach");
    late = find("late").rbx;
    test_ok(mate == 2 && fails == 3 && late == 5, "find-in-order"); /* of tests/boot/cases.py */
    test_equal(pith_part_next(0).rbx, mate, "next-first");
    test_equal(pith_part_next(mate).rbx, fails, "next-second");
    test_equal(pith_part_next(fails).rbx, late, "next-third");
    test_equal(pith_part_next(late).rbx, 0, "next-last");
    test_ok(pith_part_next(17).rbx == 0 && pith_part_next(~0ull).rbx == 0, "next-behind-all");
}

static void out_of_reach(void)
{
    uint64_t others[] = { 4 /* stranger */, 6, 17, 64, 65, ~0ull };
    bool all = true;

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        all &= pith_part_state(others[i]).status == PITH_E_PERM;
        for (unsigned k = 0; k < sizeof(requests) / sizeof(requests[0]); k++)
            all &= requests[k](others[i]).status == PITH_E_PERM;
    }
    test_ok(all, "not-mine");
    test_equal(state(0), PITH_PART_RUNNING, "state-of-oneself");
    test_equal((uint64_t)pith_part_start(0).status, PITH_E_STATE, "start-oneself");
}

static void life(void)
{
    struct pith_result r;
    uint64_t changes;

    test_ok(bring(mate, PITH_PART_STOPPED), "stop");
    test_ok(ask(pith_part_stop, mate) == PITH_E_STATE, "stop-in-wrong-state");
    test_ok(ask(pith_part_pause, mate) == PITH_E_STATE, "pause-in-wrong-state");
    test_ok(ask(pith_part_resume, mate) == PITH_E_STATE, "resume-in-wrong-state");
    changes = pith_part_state(mate).rdx;
    test_ok(ask(pith_part_start, mate) == PITH_OK, "start");
    test_ok(ask(pith_part_start, mate) == PITH_E_STATE, "start-in-wrong-state");
    test_ok(reaches(mate, PITH_PART_STOPPED), "ends-by-itself");
    r = pith_part_state(mate);
    test_equal(r.rcx, 7, "exit-status");
    test_equal(r.rsi, PITH_END_EXIT, "exit-end");
    test_equal(r.rdx - changes, 4, "changes: loading, running, stopping, stopped");
}

/* Paused it does not end. Its clock goes on: it ends at once when it may. */
static void standing_still(void)
{
    uint64_t from;

    test_ok(bring(mate, PITH_PART_RUNNING), "restart");
    test_ok(ask(pith_part_pause, mate) == PITH_OK && reaches(mate, PITH_PART_PAUSED), "pause");
    from = pith_now();
    while (pith_wait(from + 150 * MS).rbx < from + 150 * MS)
        continue;
    test_equal(state(mate), PITH_PART_PAUSED, "paused-does-not-end");
    test_ok(ask(pith_part_resume, mate) == PITH_OK, "resume");
    test_ok(reaches(mate, PITH_PART_STOPPED), "resumed-ends");
    test_equal(pith_part_state(mate).rcx, 7, "resumed-exit-status");
    test_ok(bring(mate, PITH_PART_RUNNING), "restart-to-stop");
    test_ok(ask(pith_part_pause, mate) == PITH_OK && reaches(mate, PITH_PART_PAUSED), "pause-to-stop");
    test_ok(ask(pith_part_stop, mate) == PITH_OK && reaches(mate, PITH_PART_STOPPED), "stop-paused");
    test_ok(pith_part_state(mate).rsi == PITH_END_STOPPED && pith_part_state(mate).rcx == 0, "stopped-end");
}

/* Stopped although its policy is to start again. */
static void failure(void)
{
    test_ok(reaches(fails, PITH_PART_RESTARTS), "restarts");
    test_equal(pith_part_state(fails).rsi, PITH_END_FAULT, "failure-end");
    test_ok(bring(fails, PITH_PART_STOPPED), "stop-restarting");
    (void)pith_wait(pith_now() + 300 * MS);
    test_equal(state(fails), PITH_PART_STOPPED, "stays-stopped");
}

/* Two in a row from a state, until the second comes before the first was done. */
static bool gets_busy(uint64_t from, request_fn *first, request_fn *second)
{
    bool busy = false;

    for (unsigned i = 0; i < 1000 && !busy && bring(mate, from); i++)
        busy = ask(first, mate) == PITH_OK && second(mate).status == PITH_E_BUSY;
    return busy;
}

static void in_a_row(void)
{
    test_ok(gets_busy(PITH_PART_STOPPED, pith_part_start, pith_part_start), "start-while-busy");
    test_ok(gets_busy(PITH_PART_RUNNING, pith_part_pause, pith_part_pause), "pause-while-busy");
    test_ok(gets_busy(PITH_PART_PAUSED, pith_part_resume, pith_part_resume), "resume-while-busy");
    test_ok(gets_busy(PITH_PART_RUNNING, pith_part_stop, pith_part_stop), "stop-while-busy");
    test_ok(gets_busy(PITH_PART_RUNNING, pith_part_restart, pith_part_restart), "restart-while-busy");
    (void)ask(pith_part_start, mate); /* it may be stopped, with a restart to come: not busy any more, and running, is behind that */
    test_ok(reaches(mate, PITH_PART_RUNNING) && bring(mate, PITH_PART_STOPPED), "stop-at-last");
}

static uint64_t meter(uint64_t partition, uint64_t item)
{
    return pith_meter(partition, PITH_ALL_VCPUS, item).rbx;
}

static void meters(void)
{
    uint64_t calls = meter(0, PITH_METER_EXITS + PITH_TRACE_HYPERCALL), idle = pith_meter_core(0, PITH_CORE_IDLE_NS).rbx, busy;
    uint64_t starts = meter(mate, PITH_METER_STARTS), denied = meter(0, PITH_METER_DENIED), ran = meter(mate, PITH_METER_RUN_NS);
    uint64_t nothing = meter(0, PITH_METER_NOTHING);

    (void)pith_part_state(4);
    (void)*(volatile uint64_t *)(uintptr_t)0xd0000000;
    test_ok(meter(0, PITH_METER_EXITS + PITH_TRACE_HYPERCALL) - calls == 7, "meter-exits");
    test_equal(meter(0, PITH_METER_DENIED) - denied, 1, "meter-denied");
    test_equal(meter(0, PITH_METER_NOTHING) - nothing, 1, "meter-nothing");
    test_equal(meter(mate, PITH_METER_RAM), 4 << 20, "meter-ram");
    test_ok(meter(mate, PITH_METER_FRAMES_USED) < meter(mate, PITH_METER_FRAMES) && meter(mate, PITH_METER_FRAMES_USED) > 8,
            "meter-frames");
    test_ok(bring(mate, PITH_PART_STOPPED) && bring(mate, PITH_PART_RUNNING) && bring(mate, PITH_PART_STOPPED), "meter-a-life");
    test_equal(meter(mate, PITH_METER_STARTS) - starts, 1, "meter-starts");
    test_ok(meter(mate, PITH_METER_RUN_NS) > ran && meter(mate, PITH_METER_RUN_NS) < pith_now(), "meter-run-time");
    busy = meter(0, PITH_METER_RUN_NS);
    test_ok(pith_meter(0, 0, PITH_METER_RUN_NS).rbx >= busy && busy, "meter-vcpu");
    test_ok(pith_meter_core(0, PITH_CORE_IDLE_NS).rbx >= idle && pith_meter_core(1, PITH_CORE_BUSY_NS).rbx, "meter-core");
    test_equal(pith_meter_core(0, PITH_CORE_VCPUS).rbx + pith_meter_core(1, PITH_CORE_VCPUS).rbx, 5, "meter-core-vcpus");
    test_ok(pith_meter(4, 0, 0).status == PITH_E_PERM && pith_meter(~0ull, 0, 0).status == PITH_E_PERM, "meter-not-mine");
    test_ok(pith_meter(0, 1, 0).status == PITH_E_ARG && pith_meter(0, 0, PITH_METER_RAM).status == PITH_E_ARG &&
                pith_meter(0, ~0ull, 8).status == PITH_E_ARG && pith_meter(0, 0, 255).status == PITH_E_ARG &&
                pith_meter(0, 0, 256 + 20).status == PITH_E_ARG && pith_meter(0, 0, 512 + 20).status == PITH_E_ARG &&
                pith_meter(0, 0, ~0ull).status == PITH_E_ARG,
            "meter-bad");
    test_ok(pith_meter_core(2, 0).status == PITH_E_ARG && pith_meter_core(~0ull, 0).status == PITH_E_ARG &&
                pith_meter_core(0, 3).status == PITH_E_ARG,
            "meter-core-bad");
}

/* What a vCPU ran is the guest's time, its exits' and its switches'; what exits take goes on with them. */
static void meter_parts(void)
{
    uint64_t calls = meter(0, PITH_METER_EXIT_NS + PITH_TRACE_HYPERCALL), parts = meter(0, PITH_METER_SWITCH_NS), kinds = 0;

    for (unsigned kind = 0; kind < PITH_TRACE_INJECT && pith_meter(0, 0, PITH_METER_EXITS + kind).status == PITH_OK; kind++) {
        uint64_t ns = meter(0, PITH_METER_EXIT_NS + kind);

        kinds += !meter(0, PITH_METER_EXITS + kind) == !ns;
        parts += ns;
    }
    test_equal(kinds, 20, "meter-exit-time");
    test_ok(parts && parts < meter(0, PITH_METER_RUN_NS), "meter-parts");
    test_ok(meter(0, PITH_METER_EXIT_NS + PITH_TRACE_HYPERCALL) > calls, "meter-exit-time-goes-on");
}

static uint64_t sum_of(struct pith_result r)
{
    return r.rbx + r.rcx + r.rdx + r.rsi + r.rdi;
}

/* The other two may: what counts there, until it is known whose it is. */
static bool none_smaller(struct pith_result a, struct pith_result b)
{
    return b.rcx >= a.rcx && b.rsi >= a.rsi && b.rdi >= a.rdi;
}

/* Between two looks at a core's accounts, what they grow by is what has passed: to the last tick, if it is one's own core. */
static void core_time(void)
{
    bool right = true, grows = true;

    for (unsigned i = 0; i < 40; i++) {
        uint64_t core = i & 1, t[4];
        struct pith_result from, to;

        t[0] = pith_tsc();
        from = pith_core_time(core);
        t[1] = pith_tsc();
        (void)pith_wait(pith_now() + i * MS / 8);
        t[2] = pith_tsc();
        to = pith_core_time(core);
        t[3] = pith_tsc();
        right &= sum_of(to) - sum_of(from) >= t[2] - t[1] && sum_of(to) - sum_of(from) <= t[3] - t[0];
        grows &= none_smaller(from, to) && to.rcx + to.rsi > from.rcx + from.rsi;
    }
    test_ok(right, "core-time-adds-up");
    test_ok(grows, "core-time-grows");
    test_ok(pith_core_time(2).status == PITH_E_ARG && pith_core_time(~0ull).status == PITH_E_ARG, "core-time-bad");
}

static void watching(void)
{
    struct pith_result r;

    test_ok(pith_part_watch(64).status == PITH_E_ARG && pith_part_watch(~0ull - 1).status == PITH_E_ARG, "watch-bad-event");
    test_ok(bring(mate, PITH_PART_STOPPED), "watch-stopped");
    (void)pith_event_bind(5, 0, 0);
    test_ok(pith_part_watch(5).status == PITH_OK && ask(pith_part_start, mate) == PITH_OK, "watch");
    r = pith_event_wait(1 << 5, pith_now() + 10 * PITH_NS_PER_S);
    test_ok(r.rbx == 1 << 5 && state(mate) != PITH_PART_STOPPED, "watch-sees-start");
    do
        r = pith_event_wait(1 << 5, pith_now() + 10 * PITH_NS_PER_S);
    while (r.rbx && state(mate) != PITH_PART_STOPPED);
    test_equal(state(mate), PITH_PART_STOPPED, "watch-sees-end");
    (void)pith_event_wait(1 << 5, 1);
    test_ok(pith_part_watch(PITH_NO_EVENT).status == PITH_OK && bring(mate, PITH_PART_RUNNING), "watch-no-more");
    test_equal(pith_event_wait(1 << 5, 1).rbx, 0, "watch-is-over");
}

static void reports(void)
{
    static char text[PITH_REPORT_MAX + 8];
    uint64_t at = (uintptr_t)text;
    struct pith_result r = pith_part_report(fails, at, PITH_REPORT_MAX);

    test_ok(r.status == PITH_OK && r.rbx > 500 && text[r.rbx - 1] == '\n' && text[r.rbx] == 0, "report-length");
    test_ok(memcmp(text, "vCPU 0 failed: triple fault\n", 28) == 0, "report-text");
    memset(text, 'x', 8);
    test_ok(pith_part_report(fails, at, 4).rbx == 4 && memcmp(text, "vCPUxxxx", 8) == 0, "report-beginning");
    test_equal(pith_part_report(mate, at, PITH_REPORT_MAX).rbx, 0, "report-of-nothing");
    test_ok(pith_part_report(4, at, 8).status == PITH_E_PERM, "report-not-mine");
    test_ok(pith_part_report(fails, (4 << 20) - 4, 8).status == PITH_E_ARG && pith_part_report(fails, ~0ull - 3, 8).status == PITH_E_ARG,
            "report-outside");
}

/* Until the second comes before the first was done. */
static bool busy_late(request_fn *what, request_fn *back, uint64_t from, uint64_t to)
{
    bool busy = false;

    for (unsigned i = 0; i < 200 && !busy && reaches(late, from); i++) {
        busy = ask(what, late) == PITH_OK && what(late).status == PITH_E_BUSY;
        if (!reaches(late, to) || (!busy && ask(back, late) != PITH_OK))
            return false;
    }
    return busy;
}

static void making(void)
{
    uint64_t lives = 0;

    test_equal(state(late), PITH_PART_ABSENT, "absent");
    test_equal(meter(late, PITH_METER_RAM), 0, "absent-has-no-memory");
    test_ok(ask(pith_part_start, late) == PITH_E_STATE && ask(pith_part_stop, late) == PITH_E_STATE, "start-absent");
    test_equal((uint64_t)ask(pith_part_restart, late), PITH_E_STATE, "restart-absent");
    test_ok(ask(pith_part_destroy, late) == PITH_E_STATE && ask(pith_part_destroy, mate) == PITH_E_STATE, "destroy-in-wrong-state");
    for (unsigned i = 0; i < 20; i++) {
        if (ask(pith_part_create, late) != PITH_OK || !reaches(late, PITH_PART_STOPPED) || meter(late, PITH_METER_RAM) != 4 << 20)
            break;
        if (i == 0)
            test_equal((uint64_t)ask(pith_part_create, late), PITH_E_STATE, "create-in-wrong-state");
        if (ask(pith_part_start, late) != PITH_OK || !reaches(late, PITH_PART_RUNNING) || !reaches(late, PITH_PART_STOPPED))
            break;
        lives += pith_part_state(late).rcx == 7;
        if (ask(pith_part_destroy, late) != PITH_OK || !reaches(late, PITH_PART_ABSENT))
            break;
    }
    test_equal(lives, 20, "made, lived and destroyed");
    test_ok(busy_late(pith_part_create, pith_part_destroy, PITH_PART_ABSENT, PITH_PART_STOPPED), "create-while-busy");
    test_ok(busy_late(pith_part_destroy, pith_part_create, PITH_PART_STOPPED, PITH_PART_ABSENT), "destroy-while-busy");
}

static int life_of_a_mate(void)
{
    while (pith_wait(LIFE).rbx < LIFE)
        continue;
    return 7;
}

int guest_main(const struct pith_start *start)
{
    switch (pith_option(start, "role", 0)) {
    case 1: return life_of_a_mate();
    case 2: __asm__ volatile("lidt %0; ud2"
                             :
                             : "m"(*(const char(*)[10]) "\0\0\0\0\0\0\0\0\0"));
    }
    finding(start);
    out_of_reach();
    life();
    standing_still();
    failure();
    in_a_row();
    meters();
    meter_parts();
    core_time();
    watching();
    reports();
    making();
    return test_end();
}
