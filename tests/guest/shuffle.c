/* SPDX-License-Identifier: MIT */
/*
 * ops=N requests at random for all that it may manage (shuffled.c, and seed=S): pause, resume, stop, start, restart, and for the one
 * called "late" create and destroy. Each does what it says, nothing else changes, and each core's accounts come to what has passed; at the
 * end all of them get on with what they do.
 * Lives on core 0, where requests are served: when one is seen done, nothing of it is left to do.
 */
#include "guests/lib/test.h"
#include "tests/guest/shuffle.h"

#define MS       UINT64_C(1000000)
#define PATIENCE (60 * PITH_NS_PER_S)

enum op { PAUSE, RESUME, STOP, START, RESTART, CREATE, DESTROY, OPS };
#define IN(state) (1u << PITH_PART_##state)

static const struct {
    struct pith_result (*ask)(uint64_t partition);
    const char *name;
    uint32_t from; /* the states, of those that last, in which it may be asked for */
    uint32_t to;
    bool starts;
} ops[OPS] = {
    [PAUSE] = { pith_part_pause, "pause", IN(RUNNING), PITH_PART_PAUSED, false },
    [RESUME] = { pith_part_resume, "resume", IN(PAUSED), PITH_PART_RUNNING, false },
    [STOP] = { pith_part_stop, "stop", IN(RUNNING) | IN(PAUSED), PITH_PART_STOPPED, false },
    [START] = { pith_part_start, "start", IN(STOPPED), PITH_PART_RUNNING, true },
    [RESTART] = { pith_part_restart, "restart", IN(RUNNING) | IN(PAUSED) | IN(STOPPED), PITH_PART_RUNNING, true },
    [CREATE] = { pith_part_create, "create", IN(ABSENT), PITH_PART_STOPPED, false },
    [DESTROY] = { pith_part_destroy, "destroy", IN(STOPPED), PITH_PART_ABSENT, false },
};

/* What each is to be. */
static struct victim {
    uint64_t number, state, starts, ram;
    uint64_t beats; /* when it was seen standing still */
    bool late;
} victims[SHUFFLED];
static unsigned nr;
static struct board *board;
static uint64_t seed, count[OPS], asked_in_vain;

static uint64_t meter(const struct victim *v, uint64_t item)
{
    return pith_meter(v->number, PITH_ALL_VCPUS, item).rbx;
}

static uint64_t state(const struct victim *v)
{
    return pith_part_state(v->number).rbx;
}

static bool lasts(uint64_t state)
{
    return (IN(STOPPED) | IN(RUNNING) | IN(PAUSED) | IN(ABSENT)) >> state & 1;
}

static bool is_so(const struct victim *v)
{
    return meter(v, PITH_METER_STARTS) == v->starts && state(v) == v->state;
}

static bool wrong(const struct victim *v, const char *what)
{
    pith_printf("partition %lu: %s: state %lu of %lu, starts %lu of %lu\n", v->number, what, state(v), v->state,
                meter(v, PITH_METER_STARTS), v->starts);
    return false;
}

static bool until_so(const struct victim *v)
{
    uint64_t end = pith_now() + PATIENCE;

    while (!is_so(v))
        if (pith_wait(pith_now() + MS / 2).rbx > end)
            return false;
    return true;
}

static bool stands(const struct victim *v)
{
    return v->state != PITH_PART_RUNNING;
}

/*
 * All of its vCPUs have been asked to, and the time of one that runs is counted while it does: once that stands, they have seen it. (Later
 * it may grow again: what others send to one that is paused is taken and kept.)
 */
static bool stands_still(struct victim *v)
{
    uint64_t end = pith_now() + PATIENCE, ran;

    do {
        ran = meter(v, PITH_METER_RUN_NS);
        if (pith_wait(pith_now() + MS).rbx > end)
            return false;
    } while (ran != meter(v, PITH_METER_RUN_NS));
    v->beats = board->of[v->number].beats;
    return true;
}

static bool stood_still(const struct victim *v)
{
    return board->of[v->number].beats == v->beats;
}

/* Of a core, the difference between its accounts' sum and the clock: always the same, as near as can be seen from here. */
#define CORES 2u
#define LOOKS 100u
static struct { int64_t low, high; } offset[CORES] = { { INT64_MIN, INT64_MAX }, { INT64_MIN, INT64_MAX } };

static bool account_exact(uint64_t core)
{
    uint64_t from = pith_tsc();
    struct pith_result r = pith_core_time(core);
    int64_t sum = (int64_t)(r.rbx + r.rcx + r.rdx + r.rsi + r.rdi), low = sum - (int64_t)pith_tsc(), high = sum - (int64_t)from;

    if (r.status != PITH_OK || low > offset[core].high || high < offset[core].low)
        return false;
    offset[core].low = low > offset[core].low ? low : offset[core].low;
    offset[core].high = high < offset[core].high ? high : offset[core].high;
    return true;
}

/* Another core may be between two accounts, and an emulator's host may hold it there; not for long, and not each time that one looks. */
static bool accounts_exact(void)
{
    for (uint64_t core = 0; core < CORES; core++)
        for (unsigned looks = 0; !account_exact(core); looks++) {
            if (looks == LOOKS) {
                pith_printf("core %lu: its accounts are wrong\n", core);
                return false;
            }
            (void)pith_wait(pith_now() + MS);
        }
    return true;
}

static bool all_as_they_should(void)
{
    for (const struct victim *v = victims; v < victims + nr; v++) {
        if (!is_so(v))
            return wrong(v, "changed by itself");
        if (stands(v) && !stood_still(v))
            return wrong(v, "ran");
        if (meter(v, PITH_METER_RAM) != (v->state == PITH_PART_ABSENT ? 0 : v->ram))
            return wrong(v, "has not its memory");
    }
    return true;
}

/* Asked for in a state that lasts: the answer, and what comes of it, are certain. */
static bool perform(struct victim *v, enum op op)
{
    bool may = ops[op].from >> v->state & 1 && (op != DESTROY || v->late);
    int64_t status = ops[op].ask(v->number).status;

    if (status != (may ? PITH_OK : PITH_E_STATE))
        return wrong(v, status == PITH_E_BUSY ? "busy" : ops[op].name);
    if (!may) {
        asked_in_vain++;
        return true;
    }
    count[op]++;
    v->state = ops[op].to;
    v->starts += ops[op].starts;
    return (until_so(v) || wrong(v, ops[op].name)) && (!stands(v) || stands_still(v) || wrong(v, "does not stand still"));
}

/* Some at once: who comes first has it, and it comes to something. */
static bool burst(struct victim *v)
{
    uint64_t end = pith_now() + PATIENCE;

    for (unsigned i = 0; i < 3; i++) {
        enum op op = (enum op)(next_random(&seed) % (v->late ? OPS : RESTART + 1));
        int64_t status = ops[op].ask(v->number).status;

        if (status != PITH_OK && status != PITH_E_STATE && status != PITH_E_BUSY)
            return wrong(v, ops[op].name);
        *(status == PITH_OK ? &count[op] : &asked_in_vain) += 1;
        if (next_random(&seed) % 2)
            (void)pith_wait(pith_now() + next_random(&seed) % (3 * MS));
    }
    do { /* what was asked last is served within the first two milliseconds */
        if (pith_wait(pith_now() + 3 * MS).rbx > end)
            return wrong(v, "does not settle");
        v->state = state(v);
    } while (!lasts(v->state));
    v->starts = meter(v, PITH_METER_STARTS);
    return !stands(v) || stands_still(v) || wrong(v, "does not stand still");
}

/* More often than not something that it may be asked for. */
static enum op any_op(const struct victim *v)
{
    enum op op;

    do
        op = (enum op)(next_random(&seed) % (v->late ? OPS : RESTART + 1));
    while (!(ops[op].from >> v->state & 1) && next_random(&seed) % 8);
    return op;
}

static uint64_t performed(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < OPS; i++)
        sum += count[i];
    return sum;
}

static bool shuffle(uint64_t n)
{
    while (performed() < n) {
        struct victim *v = &victims[next_random(&seed) % nr];

        if (stands(v) && !stood_still(v))
            return wrong(v, "ran");
        if (!(next_random(&seed) % 8 ? perform(v, any_op(v)) : burst(v)) || !all_as_they_should() || !accounts_exact())
            return false;
        (void)pith_wait(pith_now() + next_random(&seed) % (2 * MS));
    }
    return true;
}

static bool bring(struct victim *v, enum op op)
{
    return !(ops[op].from >> v->state & 1) || perform(v, op);
}

/* Each does more of what it does, with those that it does it with. */
static bool all_get_on(void)
{
    uint64_t end = pith_now() + PATIENCE, from[SHUFFLED];

    for (struct victim *v = victims; v < victims + nr; v++)
        if (!bring(v, CREATE) || !bring(v, START) || !bring(v, RESUME))
            return false;
    for (unsigned i = 0; i < nr; i++)
        from[i] = board->of[victims[i].number].done;
    for (unsigned i = 0; i < nr; i++)
        while (board->of[victims[i].number].done < from[i] + 3)
            if (pith_wait(pith_now() + MS).rbx > end)
                return wrong(&victims[i], "does not get on");
    return true;
}

static bool all_stop(void)
{
    for (struct victim *v = victims; v < victims + nr; v++)
        if (!bring(v, STOP) || (v->late && !bring(v, DESTROY)))
            return false;
    return all_as_they_should();
}

/* All that live on the cores are known: what they had is no more than the cores were busy. */
static bool accounts(void)
{
    uint64_t had = pith_meter(0, PITH_ALL_VCPUS, PITH_METER_RUN_NS).rbx, busy = 0;

    for (const struct victim *v = victims; v < victims + nr; v++)
        had += meter(v, PITH_METER_RUN_NS);
    for (uint64_t core = 0; pith_meter_core(core, PITH_CORE_VCPUS).status == PITH_OK; core++)
        busy += pith_meter_core(core, PITH_CORE_BUSY_NS).rbx;
    return had && had <= busy;
}

static bool find_all(void)
{
    struct pith_words late = pith_name("late");
    uint64_t last = pith_part_find(late.low, late.high).rbx;

    for (uint64_t n = 0; (n = pith_part_next(n).rbx);) {
        struct victim *v = &victims[nr++];

        *v = (struct victim){ .number = n, .state = PITH_PART_RUNNING, .starts = 1, .late = n == last };
        if (v->late)
            v->state = PITH_PART_ABSENT, v->starts = 0;
        if (!until_so(v))
            return wrong(v, "is not there");
        if (stands(v) && !stands_still(v))
            return wrong(v, "runs");
        v->ram = v->late ? victims[0].ram : meter(v, PITH_METER_RAM);
    }
    return nr > 0;
}

int guest_main(const struct pith_start *start)
{
    board = board_get();
    __asm__ volatile("sti" ::: "memory"); /* for Bochs, which preempts no guest that was entered with interrupts off */
    seed = pith_option(start, "seed", 1) * 0x9e3779b97f4a7c15u;
    if (!test_ok(find_all(), "all are there"))
        return test_end();
    test_ok(all_get_on(), "all begin");
    test_ok(shuffle(pith_option(start, "ops", 100)), "shuffled");
    test_ok(all_get_on(), "all get on");
    test_ok(accounts(), "accounts");
    test_ok(all_stop(), "all stop");
    for (unsigned i = 0; i < nr; i++)
        pith_printf("partition %lu did its work %lu times\n", victims[i].number, board->of[victims[i].number].done);
    for (unsigned i = 0; i < OPS; i++)
        pith_printf("%lu times %s\n", count[i], ops[i].name);
    pith_printf("%lu in all, and %lu that may not be asked for then\n", performed(), asked_in_vain);
    return test_end();
}
