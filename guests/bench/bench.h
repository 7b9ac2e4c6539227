/* SPDX-License-Identifier: MIT */
/* What the measurements share. */
#pragma once

#include "guests/lib/event.h"

#define ROUNDS    200
#define NS_PER_MS 1000000ul

#define MSR_APIC_BASE  0x1bu
#define MSR_X2APIC_SVR 0x80fu

#define VECTOR_X2APIC 0x40u
#define VECTOR_XAPIC  0x41u

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

extern volatile uint64_t bench_irqs, bench_taken; /* how many interrupts, and the TSC when the last one began */
void interrupts_on(void);
void x2apic_on(void);

/* Ticks between two readings of the TSC with nothing in between: what each figure below is too high by. */
static inline uint64_t tsc_takes(void)
{
    uint64_t from = pith_tsc();

    return pith_tsc() - from;
}

/*
 * Events between two partitions, by turns: the first one prints, the other one answers. With both on one core, and @across, on one each.
 * The local APIC is on, as x2APIC, and interrupts are.
 */
void events_measure(uint64_t peer, bool across);
void events_answer(uint64_t peer, bool across);
