/* SPDX-License-Identifier: MIT */
/* A local APIC as a pure state machine. SDM 3, Advanced Programmable Interrupt Controller. */
#include "hv/vdev/vlapic.h"

#include "arch/x86/cpu/regs.h"

enum reg {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_PPR = 0x0a, REG_EOI = 0x0b,
    REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20,
    REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR2 = 0x31, REG_LVT = 0x32, REG_INITIAL = 0x38,
    REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_SELF_IPI = 0x3f, REGS = 0x40
};
enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

#define VERSION              (0x14u | (LVTS - 1u) << 16) /* no directed EOI: bit 24 is clear */
#define MODE_MASK            (VLAPIC_BASE_ON | APIC_BASE_X2APIC)
#define SVR_ENABLE           BIT(8)
#define LVT_MASKED           (1u << 16)
#define LVT_PERIODIC         (1u << 17)
#define LVT_TSC_DEADLINE     (1u << 18)
#define LVT_DELIVERY_MODE    0x700u
#define LVT_EXTINT           0x700u
#define DELIVERY_LOWEST      1u
#define DELIVERY_RESERVED    0x88u /* set of modes: 3 and 7 */
#define ESR_SEND_ILLEGAL     BIT(5)
#define ESR_RECEIVED_ILLEGAL BIT(6)
#define ESR_ILLEGAL_REGISTER BIT(7)
#define NO_DEADLINE          (~0ull)

#define RANGE(first, last) (BIT(last) - BIT(first) + BIT(last))
static const u64 x2apic_readable = BIT(REG_ID) | BIT(REG_VERSION) | BIT(REG_TPR) | BIT(REG_PPR) |
    BIT(REG_LDR) | BIT(REG_SVR) | RANGE(REG_ISR, REG_ESR) | BIT(REG_ICR) |
    RANGE(REG_LVT, REG_CURRENT) | BIT(REG_DIVIDE);
static const u64 x2apic_writable = BIT(REG_TPR) | BIT(REG_EOI) | BIT(REG_SVR) | BIT(REG_ESR) |
    BIT(REG_ICR) | RANGE(REG_LVT, REG_INITIAL) | BIT(REG_DIVIDE) | BIT(REG_SELF_IPI);
static const u64 xapic_known = BIT(REG_ID) | BIT(REG_VERSION) | BIT(REG_TPR) | BIT(REG_PPR) |
    BIT(REG_EOI) | BIT(REG_LDR) | BIT(REG_DFR) | BIT(REG_SVR) | RANGE(REG_ISR, REG_ESR) |
    RANGE(REG_ICR, REG_CURRENT) | BIT(REG_DIVIDE);

/* What software can change, and the status bits it may write as 1 in x2APIC mode without a #GP. */
static const struct { u32 writable, status; } bits[REGS] = {
    [REG_TPR] = { 0xff, 0 },
    [REG_LDR] = { 0xff000000, 0 },
    [REG_DFR] = { 0xf0000000, 0 },
    [REG_SVR] = { 0x3ff, 0 },
    [REG_ICR] = { 0x000ccfff, 0x1000 },
    [REG_ICR2] = { 0xff000000, 0 },
    [REG_LVT + LVT_TIMER] = { 0x000700ff, 0x1000 },
    [REG_LVT + LVT_THERMAL] = { 0x000107ff, 0x1000 },
    [REG_LVT + LVT_PERF] = { 0x000107ff, 0x1000 },
    [REG_LVT + LVT_LINT0] = { 0x0001a7ff, 0x5000 },
    [REG_LVT + LVT_LINT1] = { 0x0001a7ff, 0x5000 },
    [REG_LVT + LVT_ERROR] = { 0x000100ff, 0x1000 },
    [REG_INITIAL] = { ~0u, 0 },
    [REG_DIVIDE] = { 0xb, 0 },
    [REG_SELF_IPI] = { 0xff, 0 },
};

static bool vector_test(const u32 set[8], u8 vector)
{
    return set[vector / 32] >> (vector % 32) & 1;
}

void vlapic_init(struct vlapic *l)
{
    struct vlapic fresh = {
        .id = l->id, .base = l->base, .bsp = l->bsp,
        .svr = 0xff, .dfr = ~0u, .deadline = NO_DEADLINE,
    };

    for (u32 i = 0; i < LVTS; i++)
        fresh.lvt[i] = LVT_MASKED;
    *l = fresh;
}

void vlapic_reset(struct vlapic *l, u32 id, bool bsp)
{
    l->id = id;
    l->bsp = bsp;
    l->base = VLAPIC_BASE | VLAPIC_BASE_ON | (bsp ? APIC_BASE_BSP : 0);
    vlapic_init(l);
    if (!bsp)
        return;
    l->svr |= SVR_ENABLE; /* MP Specification, Virtual Wire Mode */
    l->lvt[LVT_LINT0] = LVT_EXTINT;
}

bool vlapic_enabled(const struct vlapic *l)
{
    return vlapic_on(l) && (l->svr & SVR_ENABLE);
}

bool vlapic_extint(const struct vlapic *l)
{
    if (!vlapic_on(l))
        return true;
    return (l->lvt[LVT_LINT0] & (LVT_MASKED | LVT_DELIVERY_MODE)) == LVT_EXTINT;
}

static void post_lvt(struct vlapic *l, enum lvt which)
{
    if (!(l->lvt[which] & LVT_MASKED))
        vlapic_post(l, (u8)l->lvt[which], false);
}

/*
 * One error interrupt until software writes ESR, which rearms it (SDM 3, Error Handling). That also
 * ends the recursion when the error entry's own vector is illegal.
 */
static void log_error_bit(struct vlapic *l, u64 bit)
{
    bool armed = !l->esr_pending;

    l->esr_pending |= (u32)bit;
    if (armed)
        post_lvt(l, LVT_ERROR);
}

static inline void put(struct vlapic *l, u32 word, u32 vectors, u32 level)
{
    l->irr[word] |= vectors;
    l->irr_words |= 1u << word;
    l->tmr[word] = (l->tmr[word] & ~vectors) | level;
}

void vlapic_post(struct vlapic *l, u8 vector, bool level)
{
    u32 bit = 1u << (vector % 32);

    if (!vlapic_enabled(l))
        return;
    if (vector < 16)
        log_error_bit(l, ESR_RECEIVED_ILLEGAL);
    else
        put(l, vector / 32, bit, level ? bit : 0);
}

void vlapic_post_word(struct vlapic *l, u32 word, u32 vectors, u32 level)
{
    if (!vlapic_enabled(l))
        return;
    if (!word && (vectors & 0xffff)) {
        log_error_bit(l, ESR_RECEIVED_ILLEGAL);
        vectors &= ~0xffffu;
    }
    if (vectors)
        put(l, word, vectors, level & vectors);
}

int vlapic_highest_irr(const struct vlapic *l)
{
    return vlapic_vector_highest(l->irr, l->irr_words);
}

u8 vlapic_ppr(const struct vlapic *l)
{
    int isr = vlapic_vector_highest(l->isr, l->isr_words);
    u32 in_service = isr == VLAPIC_NONE ? 0 : (u32)isr & 0xf0;

    return (u8)((l->tpr & 0xf0) >= in_service ? l->tpr : in_service);
}

/*
 * Software-disabled is no reason to withhold: what IRR already holds stays deliverable (SDM 3,
 * Local APIC State After It Has Been Software Disabled).
 */
int vlapic_pending(const struct vlapic *l)
{
    int vector = vlapic_highest_irr(l);

    if (vector == VLAPIC_NONE || !vlapic_on(l))
        return VLAPIC_NONE;
    return (vector & 0xf0) > (vlapic_ppr(l) & 0xf0) ? vector : VLAPIC_NONE;
}

int vlapic_eoi(struct vlapic *l)
{
    int vector = vlapic_vector_highest(l->isr, l->isr_words);

    if (vector == VLAPIC_NONE)
        return VLAPIC_NONE;
    vlapic_vector_put(l->isr, &l->isr_words, (u8)vector, false);
    return vector_test(l->tmr, (u8)vector) ? vector : VLAPIC_NONE;
}

static void end_of_interrupt(struct vlapic *l, struct vlapic_effect *e)
{
    int vector = vlapic_eoi(l);

    e->eoi = vector != VLAPIC_NONE;
    e->eoi_vector = (u8)vector;
}

/* --- timer (SDM 3, APIC Timer) --- */

static bool deadline_mode(const struct vlapic *l)
{
    return l->lvt[LVT_TIMER] & LVT_TSC_DEADLINE;
}

static u32 divide_shift(const struct vlapic *l)
{
    return ((l->divide & 3) + (l->divide >> 1 & 4) + 1) & 7;
}

/* Rounded up: the count drops at the end of a divided tick and is zero exactly at the deadline. */
static u32 current_count(const struct vlapic *l, u64 now)
{
    u32 shift = divide_shift(l);
    u64 left;

    if (l->deadline == NO_DEADLINE || deadline_mode(l))
        return 0;
    if (now < l->deadline)
        left = l->deadline - now;
    else if (l->period)
        left = l->period - (now - l->deadline) % l->period;
    else
        return 0;
    return (u32)((left + BIT(shift) - 1) >> shift);
}

static void timer_set_period(struct vlapic *l)
{
    l->period = l->lvt[LVT_TIMER] & LVT_PERIODIC ? (u64)l->initial << divide_shift(l) : 0;
}

static void timer_start(struct vlapic *l, u32 count, u64 now)
{
    timer_set_period(l);
    l->deadline = count ? now + ((u64)count << divide_shift(l)) : NO_DEADLINE;
}

void vlapic_timer_expired(struct vlapic *l, u64 now)
{
    if (l->deadline == NO_DEADLINE || now < l->deadline)
        return;
    /* Periods that went by unnoticed collapse into this one interrupt, as they would in IRR. */
    if (l->period)
        l->deadline = now + l->period - (now - l->deadline) % l->period;
    else
        l->deadline = NO_DEADLINE;
    l->tsc_deadline = 0;
    post_lvt(l, LVT_TIMER);
}

/* What was due happens first: moved back below zero, its deadline would never come. */
void vlapic_tsc_moved(struct vlapic *l, u64 now, u64 delta)
{
    vlapic_timer_expired(l, now);
    if (l->deadline != NO_DEADLINE && !deadline_mode(l))
        l->deadline += delta;
}

static void write_lvt_timer(struct vlapic *l, u32 old)
{
    if ((old ^ l->lvt[LVT_TIMER]) & LVT_TSC_DEADLINE) {
        l->initial = 0;
        l->tsc_deadline = 0;
        l->deadline = NO_DEADLINE;
    }
    timer_set_period(l);
}

static void write_lvt(struct vlapic *l, u32 reg, u32 val)
{
    u32 which = reg - REG_LVT;
    u32 old = l->lvt[which];

    l->lvt[which] = val | (l->svr & SVR_ENABLE ? 0 : LVT_MASKED);
    if (which == LVT_TIMER)
        write_lvt_timer(l, old);
}

/* What was due before this access happens before it, by the old settings. */
static void write_timer(struct vlapic *l, u32 reg, u32 val, u64 now, struct vlapic_effect *e)
{
    u32 count;

    vlapic_timer_expired(l, now);
    count = current_count(l, now);
    e->timer = true;
    if (reg == REG_LVT + LVT_TIMER) {
        write_lvt(l, reg, val);
    } else if (reg == REG_DIVIDE) {
        l->divide = val;
        if (!deadline_mode(l))
            timer_start(l, count, now);
    } else if (!deadline_mode(l)) {
        l->initial = val;
        timer_start(l, val, now);
    }
}

/* One that has passed fires here and now, without a timer of the machine. */
static void write_tsc_deadline(struct vlapic *l, u64 val, u64 now, struct vlapic_effect *e)
{
    u64 armed = l->deadline;

    if (!deadline_mode(l))
        return;
    vlapic_timer_expired(l, now);
    l->tsc_deadline = val;
    l->deadline = val ? val : NO_DEADLINE;
    vlapic_timer_expired(l, now);
    e->timer = l->deadline != armed;
}

/* --- registers --- */

static void write_icr(struct vlapic *l, u32 val, struct vlapic_effect *e)
{
    u32 mode = val >> 8 & 7;

    l->icr_lo = val;
    if (DELIVERY_RESERVED >> mode & 1)
        return;
    if (mode <= DELIVERY_LOWEST && (val & 0xff) < 16) {
        log_error_bit(l, ESR_SEND_ILLEGAL);
        return;
    }
    e->ipi = true;
    e->icr_lo = val;
    e->dest = vlapic_x2apic(l) ? l->icr_hi : l->icr_hi >> 24;
}

static void write_self_ipi(struct vlapic *l, u8 vector)
{
    if (vector < 16)
        log_error_bit(l, ESR_SEND_ILLEGAL);
    else
        vlapic_post(l, vector, false);
}

static void write_svr(struct vlapic *l, u32 val)
{
    l->svr = val;
    if (val & SVR_ENABLE)
        return;
    for (u32 i = 0; i < LVTS; i++)
        l->lvt[i] |= LVT_MASKED;
}

/* What ESR shows is what was logged up to the last write to it. */
static void write_esr(struct vlapic *l)
{
    l->esr = l->esr_pending;
    l->esr_pending = 0;
}

/* Writes to read-only registers of the xAPIC have no effect. */
static void write_reg(struct vlapic *l, u32 reg, u32 raw, u64 now, struct vlapic_effect *e)
{
    u32 val = raw & bits[reg].writable;

    switch (reg) {
    case REG_TPR: l->tpr = val; break;
    case REG_EOI: end_of_interrupt(l, e); break;
    case REG_LDR: l->ldr = val; break;
    case REG_DFR: l->dfr = val | ~bits[reg].writable; break;
    case REG_SVR: write_svr(l, val); break;
    case REG_ESR: write_esr(l); break;
    case REG_ICR: write_icr(l, val, e); break;
    case REG_ICR2: l->icr_hi = val; break;
    case REG_LVT + LVT_TIMER:
    case REG_INITIAL:
    case REG_DIVIDE: write_timer(l, reg, val, now, e); break;
    case REG_LVT + LVT_LINT0: e->extint = true; /* fall through */
    case REG_LVT + LVT_THERMAL ... REG_LVT + LVT_PERF:
    case REG_LVT + LVT_LINT1 ... REG_LVT + LVT_ERROR: write_lvt(l, reg, val); break;
    case REG_SELF_IPI: write_self_ipi(l, (u8)val); break;
    default: break;
    }
}

static u32 read_reg(const struct vlapic *l, u32 reg, u64 now)
{
    bool x2apic = vlapic_x2apic(l);

    switch (reg) {
    case REG_ID: return x2apic ? l->id : l->id << 24;
    case REG_VERSION: return VERSION;
    case REG_TPR: return l->tpr;
    case REG_PPR: return vlapic_ppr(l);
    case REG_LDR: return x2apic ? vlapic_x2apic_ldr(l) : l->ldr;
    case REG_DFR: return l->dfr;
    case REG_SVR: return l->svr;
    case REG_ISR ... REG_ISR + 7: return l->isr[reg - REG_ISR];
    case REG_TMR ... REG_TMR + 7: return l->tmr[reg - REG_TMR];
    case REG_IRR ... REG_IRR + 7: return l->irr[reg - REG_IRR];
    case REG_ESR: return l->esr;
    case REG_ICR: return l->icr_lo;
    case REG_ICR2: return l->icr_hi;
    case REG_LVT ... REG_LVT + LVT_ERROR: return l->lvt[reg - REG_LVT];
    case REG_INITIAL: return l->initial;
    case REG_CURRENT: return current_count(l, now);
    case REG_DIVIDE: return l->divide;
    default: return 0;
    }
}

static bool xapic_access(struct vlapic *l, u32 reg)
{
    if (reg < REGS && (xapic_known & BIT(reg)))
        return true;
    log_error_bit(l, ESR_ILLEGAL_REGISTER);
    return false;
}

u32 vlapic_read(struct vlapic *l, u32 reg, u64 now)
{
    if ((l->base & MODE_MASK) != VLAPIC_BASE_ON)
        return ~0u;
    return xapic_access(l, reg) ? read_reg(l, reg, now) : 0;
}

void vlapic_write(struct vlapic *l, u32 reg, u32 val, u64 now, struct vlapic_effect *e)
{
    *e = (struct vlapic_effect){ 0 };
    if ((l->base & MODE_MASK) == VLAPIC_BASE_ON && xapic_access(l, reg))
        write_reg(l, reg, val, now, e);
}

/* Mode transitions: SDM 3, x2APIC State Transitions. */
static bool write_base(struct vlapic *l, u64 val, struct vlapic_effect *e)
{
    u64 from = l->base & MODE_MASK, to = val & MODE_MASK;

    if ((val & ~(MODE_MASK | APIC_BASE_BSP)) != VLAPIC_BASE)
        return false;
    if (to == APIC_BASE_X2APIC || (to == MODE_MASK && !from) ||
        (to == VLAPIC_BASE_ON && from == MODE_MASK))
        return false;

    l->base = val;
    if (from && !to) {
        vlapic_init(l);
        e->timer = e->extint = true;
    }
    return true;
}

static bool write_x2apic(struct vlapic *l, u32 reg, u64 val, u64 now, struct vlapic_effect *e)
{
    if (!vlapic_x2apic(l) || reg >= REGS || !(x2apic_writable & BIT(reg)))
        return false;
    if ((u32)val & ~(bits[reg].writable | bits[reg].status))
        return false;
    if (reg != REG_ICR && val >> 32)
        return false;

    if (reg == REG_ICR)
        l->icr_hi = (u32)(val >> 32);
    write_reg(l, reg, (u32)val, now, e);
    return true;
}

bool vlapic_msr_read(const struct vlapic *l, u32 msr, u64 now, u64 *val)
{
    u32 reg = msr - MSR_X2APIC;

    if (msr == MSR_APIC_BASE) {
        *val = l->base;
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        *val = now < l->tsc_deadline ? l->tsc_deadline : 0;
        return true;
    }
    if (!vlapic_x2apic(l) || reg >= REGS || !(x2apic_readable & BIT(reg)))
        return false;

    *val = read_reg(l, reg, now);
    if (reg == REG_ICR)
        *val |= (u64)l->icr_hi << 32;
    return true;
}

bool vlapic_msr_write(struct vlapic *l, u32 msr, u64 val, u64 now, struct vlapic_effect *e)
{
    *e = (struct vlapic_effect){ 0 };
    if (msr == MSR_APIC_BASE)
        return write_base(l, val, e);
    if (msr == MSR_TSC_DEADLINE) {
        write_tsc_deadline(l, val, now, e);
        return true;
    }
    return write_x2apic(l, msr - MSR_X2APIC, val, now, e);
}
