/* SPDX-License-Identifier: MIT */
/* TSC and local APIC timer, both measured: CPUID's word about their rates is wrong on too many machines. */
#include "arch/x86/timers.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/platform.h"
#include "arch/x86/slots.h"
#include "drivers/lapic.h"
#include "drivers/refclock.h"
#include "hv/lib/log.h"

#define HPET_DEFAULT     0xfed00000u
#define CPUID_1C_DEADLINE BIT(24)
#define GUESS_KHZ        3000000u /* until it was measured; too high only makes delays longer */
#define MEASURE_MS       15u
#define MEASURE_TRIES    5u
#define SAMPLE_TRIES     5u
#define STALL_READS      20000000u /* a clock that has not moved for so many reads has stopped */
#define NO_DEADLINE      (~0ull)

enum timer_mode { TIMER_OFF, TIMER_ONESHOT, TIMER_DEADLINE };

struct sample {
    u64 tsc, gap; /* gap: ticks the reading took, the error at worst */
    u32 ref, lapic;
};

static enum timer_mode mode;
static u64 tsc_khz = GUESS_KHZ;
static u64 lapic_khz;
static u64 lapic_per_tsc; /* 32.32 fixed point */
static u64 longest;       /* TSC ticks that fit the local APIC's 32-bit counter */

static struct {
    u64 deadline;
} __attribute__((aligned(64))) armed[HOST_MAX_CORES];

u64 arch_tsc(void)
{
    return rdtsc();
}

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

static bool refclock_find(struct refclock *ref)
{
    void *hpet = host_map(platform_machine->hpet ? platform_machine->hpet : HPET_DEFAULT, PAGE_SIZE, HOST_UC);

    if (hpet && refclock_hpet(ref, hpet))
        return true;
    return platform_machine->pm_timer && refclock_pm_timer(ref, platform_machine->pm_timer);
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
static bool measure(const struct refclock *ref, bool *sure)
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
    tsc_khz = tsc / 1000;
    lapic_khz = lapic / 1000;
    *sure = (a.gap + b.gap) * 1000 < b.tsc - a.tsc;
    return true;
}

static bool calibrate(const struct refclock *ref)
{
    bool sure = false;

    for (u32 i = 0; i < MEASURE_TRIES && !sure; i++)
        if (!measure(ref, &sure))
            return false;
    lapic_per_tsc = (lapic_khz << 32) / tsc_khz;
    longest = 0xffffffffull * tsc_khz / lapic_khz;
    return true;
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

enum pith_status arch_timers_init(const struct handoff *h)
{
    struct refclock ref;

    (void)h; /* its tables were read by platform_init() */
    if (!refclock_find(&ref)) {
        log_error("no clock to measure the TSC against: neither HPET nor PM timer - switch the HPET on in the firmware setup");
        return PITH_E_HW;
    }
    if (!calibrate(&ref)) {
        log_error("%s, TSC or local APIC timer stands still", ref.name);
        return PITH_E_HW;
    }
    mode = deadline_works() ? TIMER_DEADLINE : TIMER_ONESHOT;
    timers_cpu_init();
    log_info("clock: TSC %lu kHz by %s, timer %lu kHz%s", tsc_khz, ref.name, lapic_khz,
             mode == TIMER_DEADLINE ? ", by TSC deadline" : "");
    return PITH_OK;
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
