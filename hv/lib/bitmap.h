/* SPDX-License-Identifier: MIT */
/* Runs of bits in an array of 64-bit words, a word at a time. */
#pragma once

#include "hv/lib/types.h"

/* The first bit in [from, end) that equals @value; end when there is none. */
static inline u64 bitmap_find(const u64 *map, u64 from, u64 end, bool value)
{
    while (from < end) {
        u64 word = (value ? map[from / 64] : ~map[from / 64]) >> (from % 64);

        if (word)
            return MIN(from + (u64)__builtin_ctzll(word), end);
        from = (from | 63) + 1;
    }
    return end;
}

static inline void bitmap_fill(u64 *map, u64 from, u64 end, bool value)
{
    while (from < end) {
        u64 next = MIN((from | 63) + 1, end);
        u64 mask = (~0ull >> (64 - (next - from))) << (from % 64);

        if (value)
            map[from / 64] |= mask;
        else
            map[from / 64] &= ~mask;
        from = next;
    }
}
