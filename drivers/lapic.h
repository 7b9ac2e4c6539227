/* SPDX-License-Identifier: MIT */
/* The local APIC of the core that calls, through xAPIC memory or x2APIC registers. */
#pragma once

#include "hv/lib/types.h"

enum lapic_command { /* delivery mode and level of the interrupt command register */
    LAPIC_FIXED = 0x4000,
    LAPIC_NMI = 0x4400,
    LAPIC_INIT = 0x4500,
    LAPIC_STARTUP = 0x4600,
};

/* Once, before anything else: its registers mapped uncached, or NULL for x2APIC on every core. */
void lapic_use(volatile void *mmio);
/* On each core: on, nothing masked by priority, local interrupts masked but LINT1, which carries the machine's NMI. */
void lapic_enable(u8 spurious_vector);
u32 lapic_id(void);
void lapic_eoi(void);
bool lapic_reaches(u32 apic_id);           /* can lapic_send() name that core? */
void lapic_send(u32 apic_id, u32 command); /* enum lapic_command | vector; returns when it was sent */
bool lapic_requested(u8 vector);           /* pending, not yet taken */

/* Count-down timer: lapic_timer_count(0) stops it. The counter runs at the bus clock, undivided. */
void lapic_timer_oneshot(u8 vector);
void lapic_timer_deadline(u8 vector); /* by MSR_TSC_DEADLINE instead */
void lapic_timer_mask(void);
void lapic_timer_count(u32 count);
u32 lapic_timer_left(void);
