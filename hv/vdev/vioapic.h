/* SPDX-License-Identifier: MIT */
/* One I/O APIC with 24 pins (82093AA data sheet). */
#pragma once

#include "hv/abi/platform.h"
#include "hv/lib/types.h"

#define VIOAPIC_PINS 24u

struct vioapic {
    u64 rte[VIOAPIC_PINS];
    u32 level;     /* pin inputs, as driven */
    u32 id;
    u8 index;      /* IOREGSEL */
};
struct vioapic_msg { u8 vector, delivery_mode; bool logical, level; u32 dest; };
/* Called for every interrupt message an access causes; must not call back into the I/O APIC. */
typedef void vioapic_deliver_fn(void *ctx, const struct vioapic_msg *msg);

void vioapic_reset(struct vioapic *io);
/* offset from the base, 4-byte accesses */
u32 vioapic_read(const struct vioapic *io, u32 offset);
void vioapic_write(struct vioapic *io, u32 offset, u32 val, vioapic_deliver_fn *deliver, void *ctx);
/* level: asserted? The polarity bit is kept, but devices here speak of meaning, not of volts. */
void vioapic_set_pin(struct vioapic *io, u32 pin, bool level, vioapic_deliver_fn *deliver,
                     void *ctx);
u32 vioapic_waiting(const struct vioapic *io, u8 vector); /* pins, a bit each, that an EOI of @vector would end */
void vioapic_eoi(struct vioapic *io, u8 vector, vioapic_deliver_fn *deliver, void *ctx);
