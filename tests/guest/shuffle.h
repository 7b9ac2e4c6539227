/* SPDX-License-Identifier: MIT */
/* What tests/guest/shuffle.c and those that it starts, stops and pauses (shuffled.c) share: the channel "board". */
#pragma once

#include "guests/lib/pith.h"

#define SHUFFLED 16u

struct board {
    struct {
        uint64_t beats; /* it runs */
        uint64_t done;  /* and gets on with what it does with others: calls answered, events taken, vCPUs that went and came */
    } of[SHUFFLED + 1]; /* by partition; nobody writes another one's */
};

static inline struct board *board_get(void)
{
    struct pith_words name = pith_name("board");

    return (struct board *)(uintptr_t)pith_channel(name.low, name.high).rbx;
}

/* George Marsaglia, "Xorshift RNGs", 2003 */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
