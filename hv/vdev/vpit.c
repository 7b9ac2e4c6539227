/* SPDX-License-Identifier: MIT */
/* The 8254 as a pure state machine: what software can see of its six modes. Intel 8254 data sheet. */
#include "hv/vdev/vpit.h"

#define CONTROL_WORD   3u
#define READ_BACK      3u    /* in place of a counter's number */
#define READ_NO_COUNT  0x20u
#define READ_NO_STATUS 0x10u
#define ACCESS_BOTH    3u
#define STATUS_OUT     0x80u
#define STATUS_NULL    0x40u
#define SPEAKER        2u    /* the counter that port 61h gates and shows */
#define CONTROL_WRITABLE 0x0fu
#define CONTROL_GATE   0x01u
#define CONTROL_REFRESH 0x10u
#define CONTROL_OUT    0x20u
#define REFRESH_TICKS  18u   /* counter 1 asks for a refresh of memory every 15 us */

static u32 modulus(const struct vpit_channel *c)
{
    return c->bcd ? 10000 : 0x10000;
}

static u32 from_register(const struct vpit_channel *c, u32 val)
{
    if (c->bcd)
        val = (val >> 12) * 1000 + (val >> 8 & 0xf) * 100 + (val >> 4 & 0xf) * 10 + (val & 0xf);
    return val ? val : modulus(c);
}

static u16 to_register(const struct vpit_channel *c, u32 val)
{
    val %= modulus(c);
    if (c->bcd)
        val = val / 1000 << 12 | val / 100 % 10 << 8 | val / 10 % 10 << 4 | val % 10;
    return (u16)val;
}

static bool periodic(const struct vpit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Modes 1 and 5 begin when their gate rises. */
static bool triggered(const struct vpit_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

static u64 elapsed(const struct vpit_channel *c, u64 now)
{
    return c->paused ? c->start : now - c->start;
}

static void load(struct vpit_channel *c, u64 now)
{
    c->count = c->next;
    c->start = now;
    c->counting = true;
    c->null = c->paused = false;
}

static void pause(struct vpit_channel *c, u64 now)
{
    c->start = elapsed(c, now);
    c->paused = true;
}

/* A count written in a periodic mode takes over when the period ends (mode 3: hardware may do so at its half). */
static void settle(struct vpit_channel *c, u64 now)
{
    if (periodic(c) && c->counting && c->null && !c->paused && now >= c->switch_at)
        load(c, c->switch_at);
}

/* Ticks into the half of mode 3 that is running. */
static u64 into_half(const struct vpit_channel *c, u64 into_period)
{
    u64 high = (c->count + 1) / 2;

    return into_period < high ? into_period : into_period - high;
}

static u32 counting_element(const struct vpit_channel *c, u64 now)
{
    u64 passed = elapsed(c, now);

    if (!c->counting)
        return 0;
    if (c->mode == 2)
        return c->count - (u32)(passed % c->count);
    if (c->mode == 3) /* counts by two, from an even number */
        return (c->count & ~1u) - 2 * (u32)into_half(c, passed % c->count);
    return c->count + modulus(c) - (u32)(passed % modulus(c));
}

static bool out(const struct vpit_channel *c, u64 now)
{
    u64 passed = elapsed(c, now);

    if (!c->counting)
        return c->mode != 0;
    switch (c->mode) {
    case 2:
        return c->paused || passed % c->count != c->count - 1;
    case 3:
        return c->paused || passed % c->count < (c->count + 1) / 2;
    case 4:
    case 5:
        return passed != c->count;
    default:
        return passed >= c->count;
    }
}

static u64 next_rise(const struct vpit_channel *c, u64 now)
{
    u64 passed = elapsed(c, now);
    u64 rise = c->mode < 4 ? c->count : c->count + 1;

    if (!c->counting || c->paused)
        return VPIT_NEVER;
    if (periodic(c))
        return c->start + (passed / c->count + 1) * c->count;
    return passed < rise ? c->start + rise : VPIT_NEVER;
}

static void set_count(struct vpit_channel *c, u32 val, u64 now)
{
    c->next = from_register(c, val);
    c->written = c->null = true;
    if (triggered(c))
        return;
    if (periodic(c) && c->counting && !c->paused) {
        c->switch_at = next_rise(c, now);
        return;
    }
    load(c, now);
    if (!c->gate)
        pause(c, now);
}

static void write_count(struct vpit_channel *c, u8 val, u64 now)
{
    if (c->access != ACCESS_BOTH) {
        set_count(c, c->access == 1 ? val : (u32)val << 8, now);
    } else if (c->write_high) {
        set_count(c, c->low | (u32)val << 8, now);
    } else {
        c->low = val;
        c->counting &= c->mode != 0; /* its first byte stops mode 0 */
    }
    c->write_high = c->access == ACCESS_BOTH && !c->write_high;
}

static void set_gate(struct vpit_channel *c, bool gate, u64 now)
{
    if (gate == c->gate)
        return;
    c->gate = gate;
    if (triggered(c) || periodic(c)) {
        if (gate && c->written)
            load(c, now);
        else if (periodic(c))
            pause(c, now);
    } else if (!gate) {
        pause(c, now);
    } else {
        c->start = now - c->start;
        c->paused = false;
    }
}

static void latch_count(struct vpit_channel *c, u64 now)
{
    if (c->count_latched)
        return;
    c->latch = to_register(c, counting_element(c, now));
    c->count_latched = true;
}

static void latch_status(struct vpit_channel *c, u64 now)
{
    if (c->status_latched)
        return;
    c->status = (u8)((out(c, now) ? STATUS_OUT : 0) | (c->null ? STATUS_NULL : 0) | (u32)c->access << 4 | (u32)c->mode << 1 | c->bcd);
    c->status_latched = true;
}

static void read_back(struct vpit *p, u8 val, u64 now)
{
    for (u32 i = 0; i < 3; i++) {
        if (!(val & 2u << i))
            continue;
        if (!(val & READ_NO_COUNT))
            latch_count(&p->channel[i], now);
        if (!(val & READ_NO_STATUS))
            latch_status(&p->channel[i], now);
    }
}

static void write_control(struct vpit *p, u8 val, u64 now)
{
    struct vpit_channel *c = &p->channel[(val >> 6) % 3];
    u8 access = val >> 4 & 3, mode = val >> 1 & 7;

    if (val >> 6 == READ_BACK)
        read_back(p, val, now);
    else if (!access)
        latch_count(c, now);
    else /* modes 6 and 7 are 2 and 3 */
        *c = (struct vpit_channel){ .mode = mode & (mode > 5 ? 3 : 7), .access = access, .bcd = val & 1, .gate = c->gate,
                                    .null = true };
}

static u8 read_channel(struct vpit_channel *c, u64 now)
{
    u16 val = c->count_latched ? c->latch : to_register(c, counting_element(c, now));
    bool high = c->access == 2 || c->read_high;

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    c->read_high = c->access == ACCESS_BOTH && !c->read_high;
    c->count_latched &= c->read_high;
    return (u8)(high ? val >> 8 : val);
}

static u8 read_61(const struct vpit *p, u64 now)
{
    return (u8)(p->control | (now / REFRESH_TICKS % 2 ? CONTROL_REFRESH : 0) |
                (out(&p->channel[SPEAKER], now) ? CONTROL_OUT : 0));
}

static void settle_all(struct vpit *p, u64 now)
{
    for (u32 i = 0; i < 3; i++)
        settle(&p->channel[i], now);
}

u8 vpit_read(struct vpit *p, u32 port, u64 now)
{
    settle_all(p, now);
    if (port == VPIT_CONTROL)
        return read_61(p, now);
    return port % 4 == CONTROL_WORD ? 0xff : read_channel(&p->channel[port % 4], now);
}

void vpit_write(struct vpit *p, u32 port, u8 val, u64 now)
{
    settle_all(p, now);
    if (port == VPIT_CONTROL) {
        p->control = val & CONTROL_WRITABLE;
        set_gate(&p->channel[SPEAKER], val & CONTROL_GATE, now);
    } else if (port % 4 == CONTROL_WORD) {
        write_control(p, val, now);
    } else {
        write_count(&p->channel[port % 4], val, now);
    }
    p->edge = next_rise(&p->channel[0], now);
}

bool vpit_due(struct vpit *p, u64 now)
{
    if (now < p->edge)
        return false;
    settle(&p->channel[0], now);
    p->edge = next_rise(&p->channel[0], now);
    return true;
}

bool vpit_out(const struct vpit *p, u64 now)
{
    return out(&p->channel[0], now);
}

bool vpit_periodic(const struct vpit *p)
{
    return periodic(&p->channel[0]);
}

/* Firmware's tick of 18.2 Hz is not running: who wants one programs it. */
void vpit_reset(struct vpit *p)
{
    *p = (struct vpit){ .edge = VPIT_NEVER };
    for (u32 i = 0; i < 3; i++)
        p->channel[i] = (struct vpit_channel){ .mode = 3, .access = ACCESS_BOTH, .gate = i != SPEAKER, .null = true };
}
