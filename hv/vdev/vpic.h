/* SPDX-License-Identifier: MIT */
/* The two 8259s of a PC, cascaded at line 2, with the registers that make a line level-triggered. */
#pragma once

#include "hv/lib/types.h"

#define VPIC_MASTER 0x20u  /* and the next port */
#define VPIC_SLAVE  0xa0u
#define VPIC_ELCR   0x4d0u
#define VPIC_LINES  16u

struct vpic_chip {
    u8 irr, isr, imr;
    u8 lines, elcr;        /* inputs as driven; a bit: level-triggered */
    u8 base;               /* vector of line 0 */
    u8 lowest;             /* line of the lowest priority; the next one has the highest */
    u8 icw;                /* the next initialization word, 0: none */
    bool icw4, single;
    bool auto_eoi, rotate_auto, nested /* special fully */, special_mask;
    bool read_isr, poll;
};
struct vpic { struct vpic_chip chip[2]; /* master, slave */ };

/* As firmware leaves it: vectors 8 and 70h, all lines masked. */
void vpic_reset(struct vpic *p);
/* port: one of the six. Reading has effects in poll mode: the output may have *changed. */
u8 vpic_read(struct vpic *p, u32 port, bool *changed);
void vpic_write(struct vpic *p, u32 port, u8 val);
void vpic_set_line(struct vpic *p, u32 irq, bool high);
/* INTR, and the acknowledge cycles that answer it: the vector. Without a request that is the spurious one, of line 7. */
bool vpic_intr(const struct vpic *p);
u8 vpic_ack(struct vpic *p);
