/* SPDX-License-Identifier: MIT */
/* TSC and local APIC timer, at the rates that the loader has measured. */
#include "arch/x86/timers.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/slots.h"
#include "drivers/lapic.h"
#include "hv/lib/log.h"

#define CPUID_1C_DEADLINE BIT(24)
#define GUESS_KHZ        3000000u /* until arch_timers_init(); too high only makes delays longer */
#define NO_DEADLINE      (~0ull)

enum timer_mode { TIMER_OFF, TIMER_ONESHOT, TIMER_DEADLINE };

static enum timer_mode mode;
static u64 tsc_khz = GUESS_KHZ;
static u64 lapic_per_tsc; /* 32.32 fixed point */
static u64 longest;       /* TSC ticks that fit the local APIC's 32-bit counter */

static struct {
    u64 deadline;
} __attribute__((aligned(64))) armed[HOST_MAX_CORES];

u64 arch_tsc_khz(void)
{
    return tsc_khz;
}

void arch_udelay(u64 us)
{
    u64 end = rdtsc() + us * tsc_khz / 1000;

    while (rdtsc() < end)
        cpu_relax();
}

/* Some machines announce the deadline mode and do not have it (errata, emulators): it must fire once. */
static bool deadline_works(void)
{
    u32 a, b, c, d;
    u64 now;

    cpuid(1, 0, &a, &b, &c, &d);
    if (!(c & CPUID_1C_DEADLINE))
        return false;
    lapic_timer_deadline(HOST_VEC_TIMER);
    now = rdtsc();
    wrmsr(MSR_TSC_DEADLINE, now + tsc_khz / 10);
    while (rdtsc() - now < 5 * tsc_khz)
        if (lapic_requested(HOST_VEC_TIMER))
            return true;
    wrmsr(MSR_TSC_DEADLINE, 0);
    return false;
}

void arch_timers_init(const struct handoff *h)
{
    u64 lapic_khz = h->machine.lapic_khz;

    tsc_khz = h->machine.tsc_khz;
    lapic_per_tsc = (lapic_khz << 32) / tsc_khz;
    longest = 0xffffffffull * tsc_khz / lapic_khz;
    mode = deadline_works() ? TIMER_DEADLINE : TIMER_ONESHOT;
    timers_cpu_init();
    log_info("clock: TSC %lu kHz, timer %lu kHz%s", tsc_khz, lapic_khz, mode == TIMER_DEADLINE ? ", by TSC deadline" : "");
}

void timers_cpu_init(void)
{
    armed[slot_index()].deadline = NO_DEADLINE;
    if (mode == TIMER_DEADLINE)
        lapic_timer_deadline(HOST_VEC_TIMER);
    else if (mode == TIMER_ONESHOT)
        lapic_timer_oneshot(HOST_VEC_TIMER);
    else
        lapic_timer_mask();
}

void timers_fired(void)
{
    armed[slot_index()].deadline = NO_DEADLINE;
}

/* Rounded up; a deadline beyond the counter fires early, and whoever set it sets it again. */
static u32 lapic_ticks(u64 deadline)
{
    u64 now = rdtsc();

    if (deadline == NO_DEADLINE)
        return 0;
    if (deadline <= now)
        return 1;
    if (deadline - now >= longest)
        return ~0u;
    return (u32)MIN(((deadline - now) * lapic_per_tsc >> 32) + 1, 0xffffffffull);
}

void arch_timer_set(u64 tsc)
{
    u64 *deadline = &armed[slot_index()].deadline;

    if (*deadline == tsc)
        return;
    *deadline = tsc;
    if (mode == TIMER_DEADLINE)
        wrmsr(MSR_TSC_DEADLINE, tsc == NO_DEADLINE ? 0 : MAX(tsc, 1ull));
    else
        lapic_timer_count(lapic_ticks(tsc));
}
