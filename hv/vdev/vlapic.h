/* SPDX-License-Identifier: MIT */
/* A local APIC: (state, access) -> effect. xAPIC, x2APIC, the timer in its three modes. */
#pragma once

#include "hv/abi/platform.h"
#include "hv/lib/types.h"

#define VLAPIC_NONE (-1)
#define VLAPIC_BASE_ON     0x800ull /* of IA32_APIC_BASE */
#define VLAPIC_BASE_X2APIC 0xc00ull /* that, and in x2APIC mode */

struct vlapic {
    u32 id;                   /* x2APIC id; xAPIC: id << 24 */
    u64 base;                 /* IA32_APIC_BASE */
    u32 tpr, ldr, dfr, svr, esr, esr_pending, icr_hi, icr_lo;
    u32 lvt[6];               /* timer, thermal, performance, LINT0, LINT1, error: as from 0x320 */
    u32 initial, divide;      /* timer registers */
    u32 irr[8], isr[8], tmr[8];
    u32 irr_words, isr_words; /* bit n: word n has a bit set */
    u64 deadline;             /* guest TSC of the next expiry, ~0: none */
    u64 period;               /* guest TSC ticks, 0: not periodic */
    u64 tsc_deadline;         /* IA32_TSC_DEADLINE as read */
    bool bsp;
};

struct vlapic_effect {
    bool ipi;                 /* send: icr_lo and dest (8 bits in xAPIC mode, else 32) as written */
    bool eoi;                 /* a level-triggered interrupt ended: tell the I/O APICs */
    bool timer;               /* vlapic.deadline changed */
    bool extint;              /* vlapic_extint() may have changed */
    u8 eoi_vector;
    u32 icr_lo, dest;
};

void vlapic_reset(struct vlapic *l, u32 id, bool bsp);        /* as firmware leaves it */
void vlapic_init(struct vlapic *l);                           /* INIT: id and base stay */

/*
 * One timer tick is one TSC tick, divided by the divide register. now: guest TSC. reg: offset / 16,
 * 0-0x3f. Reserved xAPIC registers read 0 and set ESR. Every write sets all of *e; a self IPI is
 * posted at once and has no effect but that.
 */
u32 vlapic_read(struct vlapic *l, u32 reg, u64 now);          /* xAPIC MMIO */
void vlapic_write(struct vlapic *l, u32 reg, u32 val, u64 now, struct vlapic_effect *e);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800-0x8ff. False: #GP. */
bool vlapic_msr_read(const struct vlapic *l, u32 msr, u64 now, u64 *val);
bool vlapic_msr_write(struct vlapic *l, u32 msr, u64 val, u64 now, struct vlapic_effect *e);
/* The most frequent write of all by a shorter way: the level-triggered vector that ended, or VLAPIC_NONE. */
int vlapic_eoi(struct vlapic *l);
bool vlapic_enabled(const struct vlapic *l);                  /* globally and by software */
static inline bool vlapic_x2apic(const struct vlapic *l)
{
    return (~l->base & VLAPIC_BASE_X2APIC) == 0;
}

static inline bool vlapic_on(const struct vlapic *l)          /* globally */
{
    return l->base & VLAPIC_BASE_ON;
}

/* Into IRR; dropped when disabled, or when vector < 16 (ESR). */
void vlapic_post(struct vlapic *l, u8 vector, bool level);
/* The same of several, and of them those in @level are level-triggered: all in one word of IRR. */
void vlapic_post_word(struct vlapic *l, u32 word, u32 vectors, u32 level);
int vlapic_pending(const struct vlapic *l);                   /* deliverable now, or VLAPIC_NONE */
int vlapic_highest_irr(const struct vlapic *l);               /* regardless of priority */
static inline bool vlapic_any_irr(const struct vlapic *l)
{
    return l->irr_words;
}
u8 vlapic_ppr(const struct vlapic *l);
static inline __attribute__((always_inline)) void vlapic_vector_put(u32 set[8], u32 *words, u32 vector, bool on)
{
    u32 word = vector / 32;

    if (on) {
        set[word] |= 1u << (vector % 32);
        *words |= 1u << word;
        return;
    }
    set[word] &= ~(1u << (vector % 32));
    if (!set[word])
        *words &= ~(1u << word);
}
static inline int vlapic_vector_highest(const u32 set[8], u32 words)
{
    u32 word;

    if (!words)
        return VLAPIC_NONE;
    word = 31 ^ (u32)__builtin_clz(words);
    return (int)(word * 32 + (31 ^ (u32)__builtin_clz(set[word])));
}
static inline void vlapic_ack(struct vlapic *l, u8 vector)    /* delivered: IRR -> ISR */
{
    vlapic_vector_put(l->irr, &l->irr_words, vector, false);
    vlapic_vector_put(l->isr, &l->isr_words, vector, true);
}
/* When now >= deadline: posts, and advances a periodic one. */
void vlapic_timer_expired(struct vlapic *l, u64 now);
/* The guest's TSC was set, by delta from now: counting timers do not notice. */
void vlapic_tsc_moved(struct vlapic *l, u64 now, u64 delta);
/* LINT0 as ExtINT and unmasked (or the APIC disabled): an 8259 interrupt reaches the processor. */
bool vlapic_extint(const struct vlapic *l);
/* The logical id of x2APIC mode: cluster in the upper half, one bit of sixteen in the lower. */
static inline u32 vlapic_x2apic_ldr(const struct vlapic *l)
{
    return (l->id >> 4) << 16 | 1u << (l->id & 0xf);
}
/* Does a message with this destination and mode reach l? The shorthand is the sender's business. */
bool vlapic_match(const struct vlapic *l, u32 dest, bool logical, bool x2apic_sender);
