/* SPDX-License-Identifier: MIT */
/*
 * Time on a core that partitions share: each measures by its TSC what it has, the judge compares it with what pith.conf says. On the
 * command line: me=, of= that many; role=1 wakes every millisecond and must be done within it, and with late=N no later than so many
 * microseconds, role=2 exits all the time, role=3 takes as long as one can in the hypervisor, else it spins; gap=N: it never waits longer
 * than so many ms; judge=1 p0=, p1= and so on: the parts of these, in thousandths of their sum.
 */
#include "guests/lib/test.h"
#include "tests/guest/turns.h"

#define RUN_MS  2000u
#define WORK_US 100u

static struct board *board;

static struct {
    uint64_t number, of, gap, khz;
    uint64_t last, longest;
} me;

/* Longer than this between two looks at the clock: somebody else ran. */
static uint64_t a_while(void)
{
    return me.khz / 20;
}

static void count_time(void)
{
    uint64_t now = pith_tsc(), passed = now - me.last;

    me.last = now;
    if (passed < a_while())
        board->of[me.number].ran += passed;
    else if (passed > me.longest)
        me.longest = passed;
}

static void meet(void)
{
    __atomic_store_n(&board->of[me.number].ready, 1, __ATOMIC_RELEASE);
    while (!board_ready(board, me.of))
        (void)pith_wait(pith_now() + 2 * MS);
    me.last = pith_tsc();
}

static bool stopped(void)
{
    return __atomic_load_n(&board->stop, __ATOMIC_ACQUIRE);
}

static void spin(bool exits)
{
    while (!stopped()) {
        if (exits)
            (void)pith_cpuid(0, 0);
        count_time();
    }
}

/* A period's work: so much time of its own. */
static void work(void)
{
    uint64_t *ran = &board->of[me.number].ran, end = *ran + WORK_US * me.khz / 1000;

    while (*ran < end)
        count_time();
}

static void every_ms(uint64_t late)
{
    uint64_t next = pith_now(), periods = 0, missed = 0, latest = 0;

    while (!stopped()) {
        uint64_t woke;

        next += MS;
        woke = pith_wait(next).rbx;
        latest = woke - next > latest ? woke - next : latest;
        me.last = pith_tsc();
        work();
        periods++;
        if (pith_now() >= next + MS) {
            missed++;
            next = pith_now();
        }
    }
    pith_printf("%lu periods, woken %lu ns late at most\n", periods, latest);
    test_equal(missed, 0, "no-period-missed");
    test_ok(latest <= late * 1000, "not-late");
    test_ok(periods > RUN_MS, "periods");
}

static char text[4096];

/* A long piece of text that is nothing but ends of lines, now and then; long instructions to ports and to where nothing is; events. */
static void dawdle(void)
{
    uint64_t next = 0;

    memset(text, '\n', sizeof(text));
    while (!stopped()) {
        uint64_t from = (uintptr_t)text, to = 0xd8000000u, n = 512;

        if (pith_tsc() > next) {
            (void)pith_console_write((uintptr_t)text, 1000);
            next = pith_tsc() + 100 * me.khz;
        }
        __asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(0x80) : "memory");
        n = 512;
        __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
        for (n = 0; n < 1000; n++)
            (void)pith_event_send(0, 1);
    }
}

static void run_for(uint64_t ms)
{
    uint64_t end = pith_tsc() + ms * me.khz;

    while (pith_tsc() < end)
        count_time();
}

/* Pith has counted the same, but for short interrupts that were for others. */
static void meter(uint64_t from)
{
    uint64_t ran = board->of[me.number].ran * 1000 / me.khz, metered = (pith_meter(0, 0, PITH_METER_RUN_NS).rbx - from) / 1000;

    pith_printf("%lu us, metered %lu\n", ran, metered);
    test_ok(metered + metered / 20 >= ran && metered <= ran + ran / 50, "metered");
}

static void judge(const struct pith_start *start, uint64_t metered)
{
    uint64_t from[MOST], part[MOST], sum = 0;

    run_for(RUN_MS / 10);
    for (unsigned i = 0; i < me.of; i++)
        from[i] = __atomic_load_n(&board->of[i].ran, __ATOMIC_RELAXED);
    run_for(RUN_MS);
    meter(metered);
    for (unsigned i = 0; i < me.of; i++) {
        char option[] = { 'p', (char)('0' + i), 0 };

        from[i] = __atomic_load_n(&board->of[i].ran, __ATOMIC_RELAXED) - from[i];
        part[i] = pith_option(start, option, 0);
        sum += part[i] ? from[i] : 0;
    }
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < me.of; i++) {
        uint64_t has = from[i] * 1000 / sum;
        char name[] = { 'p', 'a', 'r', 't', '-', (char)('0' + i), 0 };

        pith_printf("%u: %lu of 1000, wanted %lu\n", i, has, part[i]);
        if (part[i])
            test_ok(has + 10 >= part[i] && has <= part[i] + 10, name);
    }
}

int guest_main(const struct pith_start *start)
{
    uint64_t role = pith_option(start, "role", 0), metered;

    board = board_get();
    me.number = pith_option(start, "me", 0);
    me.of = pith_option(start, "of", 1);
    me.gap = pith_option(start, "gap", 0);
    me.khz = pith_time().rcx;
    /* Nothing comes; but Bochs preempts no guest that was entered with interrupts off. */
    __asm__ volatile("sti" ::: "memory");
    meet();
    metered = pith_meter(0, 0, PITH_METER_RUN_NS).rbx;
    if (pith_option(start, "judge", 0)) {
        judge(start, metered);
    } else if (role == 1) {
        every_ms(pith_option(start, "late", 1000));
    } else if (role == 3) {
        dawdle();
        (void)pith_wait(pith_now() + 500 * MS); /* what it wrote is still on its way, and the console loses what does not fit */
    } else {
        spin(role == 2);
        meter(metered);
    }
    if (me.gap) {
        pith_printf("waited %lu us at most\n", me.longest * 1000 / me.khz);
        test_ok(me.longest < me.gap * me.khz, "gap");
    }
    test_ok(true, "done");
    return test_end();
}
