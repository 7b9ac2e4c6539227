/* SPDX-License-Identifier: MIT */
/*
 * For fuzzers: random numbers, changed bytes, and the loop over cases. Case N of seed S is what seed S + N makes first, so
 * the one that fails can be run again by itself, in a debugger for example.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hv/lib/types.h"

enum { FUZZ_FAILURES = 20,     /* enough to see what they have in common */
       FUZZ_SECONDS = 20,      /* of this process's own time, for FUZZ_BATCH cases: one that takes longer has no end */
       FUZZ_STALL = 10 };      /* times FUZZ_SECONDS by the clock: for a batch that hangs and computes nothing */
#define FUZZ_BATCH 256u

static u64 fuzz_state;
static u64 fuzz_accepted; /* cases that got past the first checks: were there none, nothing was tested */
static u32 fuzz_wrong;    /* of the case at hand */

/* Notes a wrong answer; the case goes on. */
#define FUZZ_CHECK(cond) \
    do { \
        if (!(cond) && fuzz_wrong++ == 0) \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
    } while (0)

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators): neighbouring seeds have nothing in common. */
static inline u64 fuzz_next(void)
{
    u64 z = fuzz_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline u64 fuzz_below(u64 n)
{
    return fuzz_next() % n;
}

/* Numbers where mistakes live: small, one beside a power of two, near the end, or anything. */
static inline u64 fuzz_number(void)
{
    u64 bits = fuzz_below(64);

    switch (fuzz_below(4)) {
    case 0: return fuzz_below(64);
    case 1: return BIT(bits) + fuzz_below(3) - 1;
    case 2: return ~0ull - fuzz_below(4096);
    default: return fuzz_next() >> bits;
    }
}

/* Puts an odd number, of 1 to 8 bytes, somewhere into @buf. */
static inline void fuzz_poke(u8 *buf, size_t len)
{
    u64 number = fuzz_number();
    size_t size = MIN((size_t)1 << fuzz_below(4), len);

    memcpy(buf + fuzz_below(len - size + 1), &number, size);
}

/* Ends the process by SIGPROF once it has computed that long, by SIGALRM when it hangs; 0: never. */
static inline void fuzz_limit(unsigned seconds)
{
    (void)setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = seconds }, NULL);
    alarm(seconds * FUZZ_STALL);
}

/* @one makes a case and tries it. at[0]: its seed; at[1]: all were tried. */
static inline int fuzz_cases(void (*one)(void), u64 count, u64 seed, volatile u64 *at)
{
    u32 failures = 0;

    for (*at = seed; *at != seed + count && failures < FUZZ_FAILURES; ++*at) {
        if ((*at - seed) % FUZZ_BATCH == 0)
            fuzz_limit(FUZZ_SECONDS);
        fuzz_state = *at;
        fuzz_wrong = 0;
        one();
        if (fuzz_wrong) {
            printf("    seed %lu\n", *at);
            failures++;
        }
    }
    fuzz_limit(0);
    at[1] = true;
    printf("%lu cases from seed %lu, %lu accepted, %u wrong\n", *at - seed, seed, fuzz_accepted, failures);
    if (count >= FUZZ_BATCH && !fuzz_accepted)
        printf("none was accepted: this tests nothing\n");
    return failures || (count >= FUZZ_BATCH && !fuzz_accepted);
}

/*
 * NAME [full | COUNT [SEED]]: @few cases, @many, or that many. A process of its own runs them: whatever ends it, a report of a
 * sanitizer, a signal or the limit, the seed of the case is told.
 */
static inline int fuzz_main(int argc, char **argv, void (*one)(void), u64 few, u64 many)
{
    u64 count = argc < 2 ? few : strcmp(argv[1], "full") == 0 ? many : strtoull(argv[1], NULL, 0);
    u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    volatile u64 *at = mmap(NULL, 2 * sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    if (at == MAP_FAILED)
        return 2;
    child = fork();
    if (child == 0)
        exit(fuzz_cases(one, count, seed, at));
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 2;
    if (!at[1])
        printf("%s; the last seed was %lu: %s 1 %lu\n",
               WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "ended early", *at, argv[0], *at);
    return status != 0;
}
