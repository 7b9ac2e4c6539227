/* SPDX-License-Identifier: MIT */
/* HPET (IA-PC HPET specification, "Register Definitions") and PM timer (ACPI, "Power Management Timer"). */
#include "boot/refclock.h"

#include "arch/x86/cpu/insn.h"

enum hpet_reg { HPET_ID = 0x00, HPET_PERIOD = 0x04, HPET_CONFIG = 0x10, HPET_COUNTER = 0xf0 };

#define HPET_ENABLE     1u
#define HPET_MAX_PERIOD 100000000u /* femtoseconds: 10 MHz at least, says the specification */
#define HPET_MIN_PERIOD 100000u
#define FS_PER_S        1000000000000000ull
#define PM_TIMER_HZ     3579545u
#define TICK_TRIES      100000u

static bool refclock_ticks(const struct refclock *c)
{
    u32 first = refclock_read(c);

    for (u32 i = 0; i < TICK_TRIES; i++)
        if (refclock_read(c) != first)
            return true;
    return false;
}

bool refclock_hpet(struct refclock *c, volatile void *mmio)
{
    volatile u32 *regs = mmio;
    u32 id = regs[HPET_ID / 4];
    u32 period = regs[HPET_PERIOD / 4];

    if (id == 0 || id == ~0u || period < HPET_MIN_PERIOD || period > HPET_MAX_PERIOD)
        return false;
    regs[HPET_CONFIG / 4] |= HPET_ENABLE;
    *c = (struct refclock){ .name = "HPET", .hz = FS_PER_S / period, .mask = ~0u, .hpet = regs };
    return refclock_ticks(c);
}

/* No legacy replacement of the PIT and RTC interrupts. */
void refclock_take(const struct refclock *c)
{
    if (c->hpet)
        c->hpet[HPET_CONFIG / 4] = HPET_ENABLE;
}

bool refclock_pm_timer(struct refclock *c, u16 port)
{
    *c = (struct refclock){ .name = "PM timer", .hz = PM_TIMER_HZ, .mask = 0xffffff, .port = port };
    return refclock_ticks(c);
}

u32 refclock_read(const struct refclock *c)
{
    return c->hpet ? c->hpet[HPET_COUNTER / 4] : inl(c->port) & c->mask;
}
