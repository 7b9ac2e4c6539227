/* SPDX-License-Identifier: MIT */
/* The 8254 of a PC and port 61h. Time is counted in its own ticks, 1193182 a second, and comes in as an argument. */
#pragma once

#include "hv/lib/types.h"

#define VPIT_BASE    0x40u /* three counters and the control word */
#define VPIT_CONTROL 0x61u
#define VPIT_IRQ     0u
#define VPIT_NEVER   (~0ull)

struct vpit_channel {
    u64 start;             /* tick of the last load of the counting element; while paused: how many it had counted */
    u64 switch_at;         /* periodic modes: when a new count takes over */
    u32 count, next;       /* what it counts from, and what the next load takes: from 1 */
    u16 latch;
    u8 mode, access;       /* access: 1 low byte, 2 high byte, 3 both */
    u8 low, status;        /* the first byte written; what the status latch holds */
    bool bcd, gate;
    bool written, null;    /* next is valid; but the counting element has not taken it yet */
    bool counting, paused; /* it took one since the control word; stands still for its gate */
    bool write_high, read_high; /* the second byte is next */
    bool count_latched, status_latched;
};
struct vpit {
    struct vpit_channel channel[3];
    u8 control;            /* port 61h, bits 0-3 as written */
    u64 edge;              /* the next rise of counter 0's output, or VPIT_NEVER */
};

void vpit_reset(struct vpit *p);
u8 vpit_read(struct vpit *p, u32 port, u64 now);
/* Ask vpit_due() first: what a write ends may have happened before. After it p->edge is new. */
void vpit_write(struct vpit *p, u32 port, u8 val, u64 now);
/* Has counter 0's output risen since the last call or write? Several times count once. */
bool vpit_due(struct vpit *p, u64 now);
bool vpit_out(const struct vpit *p, u64 now);   /* counter 0's output */
bool vpit_periodic(const struct vpit *p);       /* it rises again and again */
