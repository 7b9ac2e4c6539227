/* SPDX-License-Identifier: MIT */
/* How fast the TSC and the local APIC's timer are. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

/* Finds a clock of known rate, or fails the boot. @hpet NULL, a port 0: there is none. */
void clock_find(volatile void *hpet, const u16 *pm_timers, u32 n);
/* Once the firmware has ended, interrupts off: sets both rates. False: a clock stands still, and the rates are not known. */
bool clock_measure(struct handoff_machine *m) MUST_CHECK;
