/* SPDX-License-Identifier: MIT */
/* An I/O APIC: interrupt pins to vectors. */
#pragma once

#include "hv/lib/types.h"

struct ioapic_route {
    u8 vector;
    bool level, active_low;
    u32 apic_id; /* physical destination, below 256 */
};

/* Masks every pin. Returns how many there are, 0: no I/O APIC answers at @mmio (mapped uncached). */
u32 ioapic_init(volatile void *mmio);
void ioapic_route(volatile void *mmio, u32 pin, const struct ioapic_route *route); /* and unmasks it */
void ioapic_mask(volatile void *mmio, u32 pin, bool masked);
