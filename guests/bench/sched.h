/* SPDX-License-Identifier: MIT */
/* Time that partitions share, as they see it themselves: what the parts have in common. tests/bench/sched.py runs them. */
#pragma once

#include "guests/bench/bench.h"

#define MEMBERS 8u
#define WINDOWS 240u

/* In a channel of that name. Times are TSC ticks; where several partitions note them, those of member 0's clock. */
struct board {
    uint64_t clock;            /* member 0's, as it ran last */
    uint64_t begin;            /* when the first window begins; 0: not yet known */
    uint64_t stop;
    uint64_t phase;            /* what the hog, or the manager, does at present; an index of names that its file has */
    uint64_t busy;             /* the manager wants the hog to run */
    uint64_t active;
    struct {
        uint64_t ready;
        uint64_t ran[WINDOWS];
    } of[MEMBERS];
};

/* From the command line. */
struct bench_options {
    uint64_t me, of;           /* which member, of how many */
    uint64_t shift;            /* 2^shift ticks are an instruction */
    uint64_t khz;
};
extern struct bench_options options;
extern struct board *board;

static inline bool stopped(void)
{
    return __atomic_load_n(&board->stop, __ATOMIC_ACQUIRE);
}

static inline uint64_t instructions(uint64_t ticks)
{
    return ticks >> options.shift;
}

/* So many instructions of its own, and a few. */
static inline void work(uint64_t n)
{
    n /= 2;
    __asm__ volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
}

/* From an interrupt to vCPU 1, which sleeps in HLT on this core, until one that it sends back has ended this one's HLT. */
struct round_trips { uint64_t best, worst; };
struct round_trips ipi_round_trips(bool memory);

/* A part that the command line names by its first word: true when it was one of these, and is over. */
bool sched_part(const struct pith_start *start);

void shares_part(const struct pith_start *start);
void periods_part(const struct pith_start *start);
void hog_part(const struct pith_start *start);
void yields_part(const struct pith_start *start);
void ipi_part(const struct pith_start *start);
void manager_part(const struct pith_start *start);
void idle_part(const struct pith_start *start);

/* What the hog can do, and what the manager does: a name for each phase. */
#define BENCH_NAME 32u
extern const unsigned nr_hogs, nr_steps;
void hog_name(uint64_t phase, char name[BENCH_NAME]);
void step_name(uint64_t phase, char name[BENCH_NAME]);
