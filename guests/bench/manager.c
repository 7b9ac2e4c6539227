/* SPDX-License-Identifier: MIT */
/*
 * Has the partition "big" made, loaded, loaded again, ended and destroyed, and tells on the board which of these is going on: once while
 * nobody else wants the core, once while somebody does. rounds=N of it.
 */
#include "guests/bench/sched.h"

enum step { CREATE, LOAD, RELOAD, STOP, DESTROY, STEPS };

static const struct {
    const char *name;
    struct pith_result (*ask)(uint64_t partition);
    enum pith_part_state until;
} steps[STEPS] = {
    [CREATE] = { "create", pith_part_create, PITH_PART_STOPPED },
    [LOAD] = { "load", pith_part_start, PITH_PART_RUNNING },
    [RELOAD] = { "reload", pith_part_restart, PITH_PART_RUNNING },
    [STOP] = { "stop", pith_part_stop, PITH_PART_STOPPED },
    [DESTROY] = { "destroy", pith_part_destroy, PITH_PART_ABSENT },
};
const unsigned nr_steps = 2 * STEPS;

void step_name(uint64_t phase, char name[BENCH_NAME])
{
    (void)pith_format(name, BENCH_NAME, "%s%s", steps[phase % STEPS].name, phase >= STEPS ? "_busy" : "");
}

static void nap(void)
{
    (void)pith_wait(pith_now() + 2 * NS_PER_MS);
}

static void take(uint64_t big, enum step step)
{
    uint64_t changes = pith_part_state(big).rdx;
    struct pith_result now;

    while (steps[step].ask(big).status != PITH_OK)
        nap();
    do {
        nap();
        now = pith_part_state(big);
    } while (now.rbx != (uint64_t)steps[step].until || now.rdx == changes);
}

static void round(uint64_t big)
{
    for (uint64_t phase = 0; phase < 2 * STEPS; phase++) {
        __atomic_store_n(&board->phase, phase, __ATOMIC_RELEASE);
        __atomic_store_n(&board->busy, phase >= STEPS, __ATOMIC_RELEASE);
        take(big, (enum step)(phase % STEPS));
        (void)pith_wait(pith_now() + 20 * NS_PER_MS);
    }
}

void manager_part(const struct pith_start *start)
{
    uint64_t rounds = pith_option(start, "rounds", 1);
    struct pith_words name = pith_name("big");
    uint64_t big = pith_part_find(name.low, name.high).rbx;

    (void)pith_wait(pith_now() + 300 * NS_PER_MS);
    while (rounds--)
        round(big);
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
}

void idle_part(const struct pith_start *start)
{
    (void)start;
    for (;;)
        (void)pith_wait(0);
}
