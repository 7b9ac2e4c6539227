/* SPDX-License-Identifier: MIT */
/*
 * Spinners on a core, each of which notes how long it ran in each window of 10 ms. Their clocks differ by numbers that are found out by
 * looking at member 0's, which whoever runs writes down without end, as he knows it: what was seen soonest after it was written is off by
 * one switch. half=1: sleeps through the first half of the windows.
 */
#include "guests/bench/sched.h"

#define WINDOW_MS 10u
#define MEETING_MS 200u
#define AFTER 2u  /* windows that nobody looks at: who ends, and what it prints, is in nobody's way */
#define AWAY 256u /* instructions between two looks at the clock: longer, and somebody else ran */

#define UNKNOWN (~0ull >> 1)
static uint64_t offset = UNKNOWN;

static uint64_t look(void)
{
    uint64_t theirs = __atomic_load_n(&board->clock, __ATOMIC_RELAXED), now = pith_tsc();

    if (options.me == 0)
        offset = 0;
    else if (theirs && (int64_t)(now - theirs) < (int64_t)offset)
        offset = now - theirs;
    if (offset != UNKNOWN)
        __atomic_store_n(&board->clock, now - offset, __ATOMIC_RELAXED);
    return now - offset;
}

static bool all_ready(void)
{
    for (uint64_t i = 0; i < options.of; i++)
        if (!__atomic_load_n(&board->of[i].ready, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

static void meet(void)
{
    __atomic_store_n(&board->of[options.me].ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&board->begin, __ATOMIC_ACQUIRE)) {
        uint64_t now = look();

        if (options.me == 0 && all_ready())
            __atomic_store_n(&board->begin, now + MEETING_MS * options.khz, __ATOMIC_RELEASE);
    }
}

/* Until window @end. */
static void spin(uint64_t end)
{
    uint64_t length = WINDOW_MS * options.khz, last = look(), now, window;

    while ((now = look()), window = (now - board->begin) / length, (int64_t)(now - board->begin) < 0 || window < end) {
        if (now - last < AWAY << options.shift && (int64_t)(now - board->begin) >= 0 && window < WINDOWS)
            board->of[options.me].ran[window] += now - last;
        last = now;
    }
}

static void print(void)
{
    pith_printf("bench window %lu\n", WINDOW_MS * options.khz);
    for (unsigned w = 0; w < WINDOWS; w++) {
        char line[160];
        size_t n = pith_format(line, sizeof(line), "bench ran %u", w);

        for (uint64_t i = 0; i < options.of; i++)
            n += pith_format(line + n, sizeof(line) - n, " %lu", board->of[i].ran[w]);
        pith_printf("%s\n", line);
    }
}

void shares_part(const struct pith_start *start)
{
    /* Nothing comes; but Bochs preempts no guest that was entered with interrupts off. */
    __asm__ volatile("sti" ::: "memory");
    meet();
    if (pith_option(start, "half", 0)) {
        while ((int64_t)(look() - board->begin) < 0)
            ;
        (void)pith_wait(pith_now() + WINDOWS / 2 * WINDOW_MS * NS_PER_MS);
    }
    spin(WINDOWS + AFTER);
    if (options.me)
        return;
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE); /* who prints beside it leaves room for this */
    print();
    pith_printf("bench done\n");
}
