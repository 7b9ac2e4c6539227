/* SPDX-License-Identifier: MIT */
/* TSC and local APIC timer, both measured: CPUID's word about their rates is wrong on too many machines. */
#include "boot/clock.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "boot/refclock.h"
#include "boot/say.h"
#include "drivers/lapic.h"

#define APIC_BASE_ADDR  0x000ffffffffff000ull
#define SPURIOUS_VECTOR 0xffu
#define MEASURE_MS      15u
#define MEASURE_TRIES   5u
#define SAMPLE_TRIES    5u
#define STALL_READS     20000000u /* a clock that has not moved for so many reads has stopped */

struct sample {
    u64 tsc, gap; /* gap: ticks the reading took, the error at worst */
    u32 ref, lapic;
};

static struct refclock clock;

void clock_find(volatile void *hpet, const u16 *pm_timers, u32 n)
{
    bool found = hpet && refclock_hpet(&clock, hpet);

    for (u32 i = 0; i < n && !found; i++)
        found = pm_timers[i] && refclock_pm_timer(&clock, pm_timers[i]);
    if (!found)
        boot_fail("no clock to measure the TSC against: neither HPET nor PM timer - switch the HPET on in the firmware setup");
}

/* The emulator or the firmware's SMM may stop us between two reads: the tightest of a few readings is taken. */
static struct sample sample_take(const struct refclock *ref)
{
    struct sample best = { .gap = ~0ull };

    for (u32 i = 0; i < SAMPLE_TRIES; i++) {
        struct sample s = { .tsc = rdtsc() };

        s.ref = refclock_read(ref);
        s.lapic = lapic_timer_left();
        s.gap = rdtsc() - s.tsc;
        if (s.gap < best.gap)
            best = s;
    }
    return best;
}

static bool ref_wait(const struct refclock *ref, u32 from, u32 ticks)
{
    for (u32 reads = 0; reads < STALL_READS; reads++)
        if (((refclock_read(ref) - from) & ref->mask) >= ticks)
            return true;
    return false;
}

/* Sets both rates. False: a clock stands still. *sure: the error is below one in a thousand. */
static bool measure(const struct refclock *ref, struct handoff_machine *m, bool *sure)
{
    struct sample a, b;
    u64 tsc, lapic, ticks;

    lapic_timer_count(~0u);
    a = sample_take(ref);
    if (!ref_wait(ref, a.ref, (u32)(ref->hz * MEASURE_MS / 1000)))
        return false;
    b = sample_take(ref);
    lapic_timer_count(0);

    ticks = (b.ref - a.ref) & ref->mask;
    tsc = (b.tsc - a.tsc) * ref->hz / ticks;
    lapic = (u64)(a.lapic - b.lapic) * ref->hz / ticks;
    if (tsc < 1000 || lapic < 1000)
        return false;
    m->tsc_khz = tsc / 1000;
    m->lapic_khz = lapic / 1000;
    *sure = (a.gap + b.gap) * 1000 < b.tsc - a.tsc;
    return true;
}

bool clock_measure(struct handoff_machine *m)
{
    u64 base = rdmsr(MSR_APIC_BASE);
    bool sure = false;

    refclock_take(&clock);
    lapic_use(base & APIC_BASE_X2APIC ? NULL : (void *)(base & APIC_BASE_ADDR));
    lapic_enable(SPURIOUS_VECTOR);
    for (u32 i = 0; i < MEASURE_TRIES && !sure; i++)
        if (!measure(&clock, m, &sure))
            return false;
    return true;
}
