/* SPDX-License-Identifier: MIT */
/* Ticks to nanoseconds by one multiplication, as KVM's paravirtual clock has guests do it. */
#include "hv/vdev/vclock.h"

#define NS_PER_SECOND 1000000000ull

/*
 * The shift brings the rate into (1, 2] GHz, so that the multiplier has its top bit set: 32
 * significant bits, an error below 0.25 parts in 10^9. Rounded to nearest.
 */
void vclock_scale(u64 tsc_khz, u32 *mul, s8 *shift)
{
    u64 hz = MAX(tsc_khz, 1) * 1000;
    s8 s = 0;

    for (; hz > 2 * NS_PER_SECOND; s--)
        hz >>= 1;
    for (; hz <= NS_PER_SECOND; s++)
        hz <<= 1;
    *mul = (u32)(((NS_PER_SECOND << 32) + hz / 2) / hz);
    *shift = s;
}
