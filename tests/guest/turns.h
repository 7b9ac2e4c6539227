/* SPDX-License-Identifier: MIT */
/* What the partitions of a core that is measured have in common: the channel "board". Those of tests/guest/turns.c write it. */
#pragma once

#include "guests/lib/pith.h"

#define MS   UINT64_C(1000000)
#define MOST 8u

struct board {
    struct { uint64_t ready, ran; } of[MOST]; /* ticks */
    uint64_t stop;
};

static inline struct board *board_get(void)
{
    struct pith_words name = pith_name("board");

    return (struct board *)(uintptr_t)pith_channel(name.low, name.high).rbx;
}

/* The first so many have begun. */
static inline bool board_ready(const struct board *board, uint64_t of)
{
    for (uint64_t i = 0; i < of; i++)
        if (!__atomic_load_n(&board->of[i].ready, __ATOMIC_ACQUIRE))
            return false;
    return true;
}
