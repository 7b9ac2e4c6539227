/* SPDX-License-Identifier: MIT */
/* A counter of known rate to measure others against: HPET or the ACPI power-management timer. */
#pragma once

#include "hv/lib/types.h"

struct refclock {
    const char *name;
    u64 hz;
    u32 mask;            /* of the bits that count */
    volatile u32 *hpet;  /* NULL: the PM timer at port */
    u16 port;
};

/* Each returns false when what it finds there does not look or tick like one. */
bool refclock_hpet(struct refclock *c, volatile void *mmio);
bool refclock_pm_timer(struct refclock *c, u16 port);
void refclock_take(const struct refclock *c); /* the firmware needs it no more */
u32 refclock_read(const struct refclock *c);
