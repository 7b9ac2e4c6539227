/* SPDX-License-Identifier: MIT */
/*
 * Memory that comes and goes. role=1 gives and takes, role=2 is made on request out of what that one gave; neither: manages them, and
 * first lets partitions that do nothing (the others it may manage) have what else is free.
 */
#include "guests/lib/event.h"
#include "guests/lib/smp.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define MIB(n)     ((uint64_t)(n) << 20)
#define MS         UINT64_C(1000000)
#define LONG       (120 * PITH_NS_PER_S)
#define SIZE       ((uint64_t)PITH_BALLOON_SIZE)
#define MINE(n)    (MIB(4) + (n) * SIZE) /* nothing else is in there */
#define GIVEN      4u                    /* pieces, of which the other one is made */
#define PIECES_MAX 32u                   /* "Limits" of ABI.md */

enum { MANAGER = 1, GIVER, TAKER };      /* numbers, by tests/boot/cases.py */
enum { READY, GAVE };                    /* events, of the giver to the manager */
enum { GIVE, TAKE };                     /* and back */

typedef struct pith_result call_fn(uint64_t address);

static uint64_t whole; /* of one's memory */
static volatile bool stop;
static volatile unsigned other_rounds;
static uint8_t stack[4096] __attribute__((aligned(16)));

static volatile uint64_t *at(uint64_t gpa)
{
    return (volatile uint64_t *)(uintptr_t)gpa;
}

static void fill(uint64_t gpa, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += 8)
        *at(gpa + i) = ~(gpa + i);
}

/* As fill() left it. */
static bool kept(uint64_t gpa, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += 8)
        if (*at(gpa + i) != ~(gpa + i))
            return false;
    return true;
}

static bool zero(uint64_t gpa, uint64_t size, uint64_t step)
{
    for (uint64_t i = 0; i < size; i += step)
        if (*at(gpa + i))
            return false;
    return true;
}

static uint64_t meter(uint64_t partition, uint64_t item)
{
    return pith_meter(partition, PITH_ALL_VCPUS, item).rbx;
}

/* The other one may not have come that far yet. */
static void send(uint64_t partition, uint64_t event)
{
    uint64_t end = pith_now() + LONG;

    while (pith_event_send(partition, event).status != PITH_OK && pith_now() < end)
        (void)pith_wait(pith_now() + MS);
}

static bool comes(uint64_t event)
{
    return pith_event_wait(1ull << event, pith_now() + LONG).rbx == 1ull << event;
}

/* --- the giver */

static bool all_refused(call_fn *call, const uint64_t *addresses, unsigned n)
{
    bool all = true;

    for (unsigned i = 0; i < n; i++)
        all &= call(addresses[i]).status == PITH_E_ARG;
    return all;
}

static void arguments(void)
{
    const uint64_t misaligned[] = { MINE(0) + 1, MINE(0) + 4096, MINE(0) + SIZE / 2, ~0ull };
    const uint64_t outside[] = { meter(0, PITH_METER_RAM), PITH_PAGE_RO_AT, PITH_CHANNELS_AT, PITH_GRANTS_AT, 0xfee00000,
                                 1ull << 32, 1ull << 48, 1ull << 63, -SIZE };

    test_ok(all_refused(pith_balloon_out, misaligned, 4), "out-misaligned");
    test_ok(all_refused(pith_balloon_in, misaligned, 4), "in-misaligned");
    test_ok(all_refused(pith_balloon_out, outside, 9), "out-outside");
    test_ok(all_refused(pith_balloon_in, outside, 9), "in-outside");
    test_equal((uint64_t)pith_balloon_in(MINE(1)).status, PITH_E_STATE, "in-where-memory-is");
    test_ok(pith_features().rbx & PITH_FEATURE_BALLOON, "feature");
}

static void execute(uint64_t gpa)
{
    ((void (*)(void))(uintptr_t)gpa)();
}

/* One piece, between two that stay. */
static void one_piece(void)
{
    uint64_t ram = meter(0, PITH_METER_RAM), nothing;

    fill(MINE(0), 3 * SIZE);
    test_equal((uint64_t)pith_balloon_out(MINE(1)).status, PITH_OK, "out");
    test_equal(meter(0, PITH_METER_RAM), ram - SIZE, "out-metered");
    nothing = meter(0, PITH_METER_NOTHING);
    *at(MINE(1) + 4096) = 1;
    test_ok(*at(MINE(1)) == ~0ull && *at(MINE(1) + 4096) == ~0ull && *at(MINE(2) - 8) == ~0ull, "out-is-nothing");
    test_equal(meter(0, PITH_METER_NOTHING) - nothing, 4, "out-counted");
    test_equal((uint64_t)trap_try(execute, MINE(1)), TRAP_UD, "out-no-code");
    test_equal((uint64_t)pith_console_write(MINE(1) - 4, 8).status, PITH_E_ARG, "out-no-argument");
    test_equal((uint64_t)pith_balloon_out(MINE(1)).status, PITH_E_STATE, "out-twice");
    test_ok(kept(MINE(0), SIZE) && kept(MINE(2), SIZE), "neighbours-stay");
    test_equal((uint64_t)pith_balloon_in(MINE(1)).status, PITH_OK, "in");
    test_ok(zero(MINE(1), SIZE, 8), "in-is-zero");
    test_equal(meter(0, PITH_METER_RAM), ram, "in-metered");
    fill(MINE(1), SIZE);
    test_ok(kept(MINE(0), 3 * SIZE), "in-is-memory");
}

static void granted(void)
{
    struct pith_result g = pith_grant(MANAGER, MINE(1) - 4096, 8192, 3);

    test_ok(g.status == PITH_OK && pith_balloon_out(MINE(1)).status == PITH_E_STATE && pith_balloon_out(MINE(0)).status == PITH_E_STATE,
            "out-granted");
    test_ok(pith_grant_revoke(g.rbx).status == PITH_OK && pith_balloon_out(MINE(1)).status == PITH_OK, "out-not-granted-any-more");
    test_ok(pith_grant(MANAGER, MINE(1) - 4096, 8192, 3).status == PITH_E_ARG, "grant-what-is-out");
    test_ok(pith_balloon_in(MINE(1)).status == PITH_OK, "in-again");
}

/* Every second one, until there are too many; how many that were. */
static unsigned perforate(void)
{
    unsigned n = 0;
    bool back = true;
    int64_t st;

    while ((st = pith_balloon_out(MINE(2 * n)).status) == PITH_OK && n <= PIECES_MAX)
        n++;
    test_equal((uint64_t)st, PITH_E_MEM, "out-in-too-many-pieces");
    *at(MINE(2 * n)) = 1;
    test_equal(*at(MINE(2 * n)), 1, "refused-stays");
    for (unsigned i = 0; i < n; i++)
        back &= pith_balloon_in(MINE(2 * i)).status == PITH_OK && zero(MINE(2 * i), SIZE, 512);
    test_ok(back, "in-of-many");
    return n;
}

static void many_pieces(void)
{
    unsigned n = perforate();
    bool all = true;

    test_ok(n > 8 && n < PIECES_MAX, "number-of-pieces");
    for (unsigned i = 0; i < GIVEN; i++)
        all &= pith_balloon_out(MINE(i)).status == PITH_OK;
    for (unsigned i = 0; i < GIVEN; i++)
        all &= pith_balloon_in(MINE(i)).status == PITH_OK;
    test_ok(all, "neighbours-out-and-in");
    test_equal(perforate(), n, "it-is-in-as-few-pieces-as-before");
}

/*
 * Again while the other one's is in flight; then a pause, in which the other one comes in. It sleeps: Bochs interrupts nobody who keeps
 * interrupts off.
 */
static bool until_done(call_fn *call, uint64_t gpa, uint64_t pause, bool *busy)
{
    int64_t st;

    while ((st = call(gpa).status) == PITH_E_BUSY) {
        *busy = true;
        (void)pith_wait(pith_now() + MS / 10);
    }
    (void)pith_wait(pith_now() + pause);
    return st == PITH_OK;
}

static void other_vcpu(void)
{
    bool busy;

    while (!stop && until_done(pith_balloon_out, MINE(5), MS / 3, &busy) && until_done(pith_balloon_in, MINE(5), MS / 3, &busy))
        other_rounds++;
    stop = true;
}

static void two_at_once(void)
{
    bool out_busy = false, in_busy = false, all = true;
    uint64_t end = pith_now() + LONG;

    test_ok(smp_start(1, other_vcpu, stack + sizeof(stack)), "second-vcpu");
    for (uint64_t n = 1; all && !(out_busy && in_busy && other_rounds > 3) && pith_now() < end; n++)
        all = until_done(pith_balloon_out, MINE(3), n % 16 * MS / 10, &out_busy) &&
              until_done(pith_balloon_in, MINE(3), n % 7 * MS / 10, &in_busy);
    test_ok(all && !stop, "two-at-once");
    test_ok(out_busy, "out-while-busy");
    test_ok(in_busy, "in-while-busy");
    stop = true;
    while (meter(0, PITH_METER_RAM) != whole && pith_now() < end)
        (void)pith_wait(pith_now() + MS);
}

/* What it gave is with the other one now. */
static void give(void)
{
    unsigned n = 0;
    bool all = true;
    int64_t st;

    fill(MINE(0), GIVEN * SIZE);
    for (unsigned i = 0; i < GIVEN; i++)
        all &= pith_balloon_out(MINE(i)).status == PITH_OK;
    test_ok(all, "give");
    send(MANAGER, GAVE);
    test_ok(comes(TAKE), "told-to-take");
    while ((st = pith_balloon_in(MINE(n)).status) == PITH_OK && n < GIVEN)
        n++;
    test_equal((uint64_t)st, PITH_E_MEM, "in-nothing-free");
    for (unsigned i = 0; i < n; i++)
        (void)pith_balloon_out(MINE(i));
}

/* The second life, of somebody's making: whole again, and nothing left in it. */
static void all_is_back(void)
{
    test_equal(meter(0, PITH_METER_RAM), whole, "whole-again");
    test_ok(zero(MINE(0), GIVEN * SIZE, 8) && zero(MINE(GIVEN), whole - MINE(GIVEN) - SIZE, 512), "zero-again");
    fill(MINE(0), GIVEN * SIZE);
    test_ok(kept(MINE(0), GIVEN * SIZE), "memory-again");
}

static int giver(void)
{
    (void)pith_event_bind(GIVE, 0, 0);
    (void)pith_event_bind(TAKE, 0, 0);
    if (meter(0, PITH_METER_STARTS) > 1) {
        all_is_back();
        return test_end();
    }
    arguments();
    one_piece();
    granted();
    many_pieces();
    two_at_once();
    send(MANAGER, READY);
    test_ok(comes(GIVE), "told-to-give");
    give();
    return test_end();
}

/* --- made of what the other one gave; it is destroyed with a hole in it */

static int taker(void)
{
    test_ok(zero(MINE(0), whole - MINE(0) - SIZE, 8), "nothing-of-others");
    test_equal((uint64_t)pith_balloon_out(MINE(0)).status, PITH_OK, "taker-gives");
    return test_end();
}

/* --- who manages them */

static uint64_t state(uint64_t partition)
{
    return pith_part_state(partition).rbx;
}

static bool reaches(uint64_t partition, uint64_t what)
{
    uint64_t end = pith_now() + LONG;

    while (state(partition) != what)
        if (pith_wait(pith_now() + MS).rbx > end)
            return false;
    return true;
}

/* Who may ask once more, as it is absent still, was refused. */
static bool make(uint64_t partition)
{
    unsigned asked = 0;
    int64_t st;

    while ((st = pith_part_create(partition).status) != PITH_E_STATE && (asked += st == PITH_OK) < 2)
        (void)pith_wait(pith_now() + MS);
    return st == PITH_E_STATE && reaches(partition, PITH_PART_STOPPED);
}

/* Until it is STOPPED again. */
static bool lives(uint64_t partition)
{
    uint64_t changes = pith_part_state(partition).rdx, end = pith_now() + LONG;
    struct pith_result r;

    if (pith_part_start(partition).status != PITH_OK)
        return false;
    do
        r = pith_part_state(partition);
    while ((r.rbx != PITH_PART_STOPPED || r.rdx == changes) && pith_wait(pith_now() + MS).rbx < end);
    return r.rbx == PITH_PART_STOPPED;
}

static bool succeeded(uint64_t partition)
{
    struct pith_result r = pith_part_state(partition);

    return r.rsi == PITH_END_EXIT && r.rcx == 0;
}

static int manager(void)
{
    unsigned made = 0;

    (void)pith_event_bind(READY, 0, 0);
    (void)pith_event_bind(GAVE, 0, 0);
    test_ok(comes(READY), "giver-is-ready");
    for (uint64_t hog = pith_part_next(TAKER).rbx; hog; hog = pith_part_next(hog).rbx)
        made += make(hog);
    test_ok(made, "nothing-is-free");
    test_ok(!make(TAKER), "too-little-to-make-one");
    send(GIVER, GIVE);
    test_ok(comes(GAVE), "giver-gave");
    test_ok(make(TAKER), "made-of-what-was-given");
    test_ok(lives(TAKER) && succeeded(TAKER), "taker-lives");
    send(GIVER, TAKE);
    test_ok(reaches(GIVER, PITH_PART_STOPPED) && succeeded(GIVER), "giver-ends");
    test_ok(lives(GIVER) && pith_part_state(GIVER).rsi == PITH_END_FAULT && meter(GIVER, PITH_METER_STARTS) == 1,
            "no-start-without-memory");
    test_equal(meter(GIVER, PITH_METER_RAM), MIB(136) - GIVEN * SIZE, "it-keeps-the-rest");
    test_ok(pith_part_destroy(TAKER).status == PITH_OK && reaches(TAKER, PITH_PART_ABSENT), "destroyed-with-a-hole");
    test_ok(lives(GIVER) && succeeded(GIVER), "giver-lives-again");
    return test_end();
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    whole = pith_memory(start);
    switch (pith_option(start, "role", 0)) {
    case 1: return giver();
    case 2: return taker();
    default: return manager();
    }
}
