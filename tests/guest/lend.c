/* SPDX-License-Identifier: MIT */
/*
 * Time that a call lends, on a core that others have a use for: role=1 has a promise, and every 2 ms an answer from to=, which has
 * none (role=2): no period is missed, though role=5, without a promise, asks the same one all the time. role=3 asks to= (role=4) once,
 * which works on and on and gets what its caller is promised, and the little that is promised to itself. All begin when the first of= of
 * tests/guest/turns.c have.
 */
#include "guests/lib/test.h"
#include "tests/guest/turns.h"

#define PERIOD  (2 * MS) /* Pith's own work, which is in no sum of promises, delays an answer too: some hundred microseconds */
#define WORK_US 100u
#define PROMISE 205u /* of 1000: 2 ms of every 10, and 50 us */

static struct board *board;
static uint64_t khz, last, ran;

static bool stopped(void)
{
    return __atomic_load_n(&board->stop, __ATOMIC_ACQUIRE);
}

/* What passes without a gap is its own. */
static void count_time(void)
{
    uint64_t now = pith_tsc();

    ran += now - last < khz / 20 ? now - last : 0;
    last = now;
}

static void work(uint64_t us)
{
    uint64_t end = ran + us * khz / 1000;

    last = pith_tsc();
    while (ran < end)
        count_time();
}

static void sleep_ms(uint64_t ms)
{
    uint64_t until = pith_now() + ms * MS;

    while (pith_wait(until).rbx < until)
        continue;
}

static int ask(uint64_t to)
{
    uint64_t next, asked = 1, missed = 0, latest = 0, answers = pith_ipc_call(to, 0, 0, 0, 0).rbx; /* whenever the other one is there */

    next = pith_now();
    for (; !stopped(); asked++) {
        uint64_t late;

        next += PERIOD;
        while (pith_wait(next).rbx < next)
            continue;
        answers += pith_ipc_call(to, asked, 0, 0, 0).rbx == asked + 1;
        late = pith_now() - next;
        latest = late > latest ? late : latest;
        if (late < PERIOD)
            continue;
        missed++;
        next = pith_now();
    }
    sleep_ms(20); /* others measure until their period ends, and what is printed takes its time */
    pith_printf("%lu answers, within %lu us\n", answers, latest / 1000);
    test_ok(answers == asked && asked > 500, "answers");
    test_equal(missed, 0, "no-period-missed");
    return test_end();
}

/* Until nobody asks any more. */
static int answer(void)
{
    uint64_t served = 0;

    for (struct pith_result c = pith_ipc_wait(0); c.rbx; served++) {
        work(WORK_US);
        c = pith_ipc_reply_wait(c.rbx, c.rcx + 1, 0, 0, pith_now() + 100 * MS);
    }
    test_ok(served > 500, "served");
    return test_end();
}

/* All the time, and without a promise: what the server does then, others wait for. */
static int ask_on(uint64_t to)
{
    uint64_t asked = 0, answers = 0;

    for (; !stopped(); asked++)
        answers += pith_ipc_call(to, asked, 0, 0, 0).rbx == asked + 1;
    sleep_ms(20);
    test_ok(answers == asked && asked > 10, "answers");
    return test_end();
}

static int ask_once(uint64_t to)
{
    test_equal(pith_ipc_call(to, 1, 0, 0, 0).rbx, 2, "answer");
    return test_end();
}

static int work_on(void)
{
    struct pith_result c = pith_ipc_wait(0);
    uint64_t from = pith_tsc(), part;

    last = from;
    while (!stopped())
        count_time();
    part = ran * 1000 / (last - from);
    pith_printf("had %lu of 1000\n", part);
    test_ok(part <= PROMISE && part + PROMISE / 10 >= PROMISE, "the caller's promise");
    (void)pith_ipc_reply_wait(c.rbx, c.rcx + 1, 0, 0, 1);
    return test_end();
}

int guest_main(const struct pith_start *start)
{
    uint64_t to = pith_option(start, "to", 0);

    khz = pith_time().rcx;
    board = board_get();
    while (!board_ready(board, pith_option(start, "of", 0)))
        sleep_ms(2);
    sleep_ms(100);                        /* what Pith says of the last of them takes its time on the screen */
    __asm__ volatile("sti" ::: "memory"); /* for Bochs, which preempts no guest that was entered with interrupts off */
    switch (pith_option(start, "role", 0)) {
    case 1: return ask(to);
    case 2: return answer();
    case 3: return ask_once(to);
    case 5: return ask_on(to);
    default: return work_on();
    }
}
