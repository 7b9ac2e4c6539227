/* SPDX-License-Identifier: MIT */
/* The two 8259s as a pure state machine. Intel 8259A data sheet; for the ELCRs: 82371AB, Interrupt Controller. */
#include "hv/vdev/vpic.h"

#define CASCADE    2u
#define SPURIOUS   7u
#define ELCR_FIRST 0xf8u /* timer, keyboard and cascade are always edges */
#define ELCR_NEXT  0xdeu /* so are clock and coprocessor */

#define ICW1_ICW4   0x01u
#define ICW1_SINGLE 0x02u
#define ICW1        0x10u /* in a command: it is ICW1 */
#define ICW4_AUTO_EOI 0x02u
#define ICW4_NESTED 0x10u
#define OCW3        0x08u
#define OCW3_RIS    0x01u
#define OCW3_RR     0x02u
#define OCW3_POLL   0x04u
#define OCW3_SMM    0x20u
#define OCW3_ESMM   0x40u
#define OCW2_EOI    0x20u
#define OCW2_LINE   0x40u /* "specific" */
#define OCW2_ROTATE 0x80u
#define POLL_REQUEST 0x80u

enum { NO_LINE = 8 };

/* The line of the highest priority of a set, counted from the lowest one's neighbour; NO_LINE: the set is empty. */
static u32 first_of(const struct vpic_chip *c, u8 set)
{
    for (u32 i = 1; i <= 8; i++)
        if (set >> ((c->lowest + i) & 7) & 1)
            return (c->lowest + i) & 7;
    return NO_LINE;
}

static u32 rank(const struct vpic_chip *c, u32 line)
{
    return line == NO_LINE ? 8 : (line - c->lowest - 1) & 7;
}

/* The line that wants the processor now, or NO_LINE: also while initialization words are missing. */
static u32 request(const struct vpic_chip *c)
{
    u32 line = first_of(c, c->irr & (u8)~c->imr);
    u8 blocking = c->special_mask ? c->isr & (u8)~c->imr : c->isr;

    if (c->icw)
        return NO_LINE;
    if (c->nested) /* the slave's own order counts for what it asks */
        blocking &= (u8) ~(1u << CASCADE);
    return rank(c, line) < rank(c, first_of(c, blocking)) ? line : (u32)NO_LINE;
}

static void set_line(struct vpic_chip *c, u32 line, bool high)
{
    u8 bit = (u8)(1u << line);

    /* A request is withdrawn with its line in either mode: what is acknowledged after that is the spurious one. */
    if (!high)
        c->irr &= (u8)~bit;
    else if ((c->elcr | ~c->lines) & bit)
        c->irr |= bit;
    c->lines = high ? c->lines | bit : c->lines & (u8)~bit;
}

/* After any change: the slave's INT is the master's line 2. After an acknowledge a further request is an edge of its own. */
static void cascade(struct vpic *p, bool acknowledged)
{
    if (acknowledged)
        set_line(&p->chip[0], CASCADE, false);
    set_line(&p->chip[0], CASCADE, request(&p->chip[1]) != NO_LINE);
}

static void end_of_interrupt(struct vpic_chip *c, u32 line, bool rotate)
{
    if (line == NO_LINE)
        return;
    c->isr &= (u8) ~(1u << line);
    if (rotate)
        c->lowest = (u8)line;
}

static u32 acknowledge(struct vpic_chip *c)
{
    u32 line = request(c);
    u8 bit = (u8)(1u << (line & 7));

    if (line == NO_LINE)
        return NO_LINE;
    c->isr |= bit;
    if (!(c->elcr & bit))
        c->irr &= (u8)~bit;
    if (c->auto_eoi)
        end_of_interrupt(c, line, c->rotate_auto);
    return line;
}

bool vpic_intr(const struct vpic *p)
{
    return request(&p->chip[0]) != NO_LINE;
}

u8 vpic_ack(struct vpic *p)
{
    u32 line = acknowledge(&p->chip[0]);
    const struct vpic_chip *c = &p->chip[0];

    if (line == CASCADE && !c->single) {
        c = &p->chip[1];
        line = acknowledge(&p->chip[1]);
        cascade(p, true);
    }
    return (u8)(c->base + (line == NO_LINE ? SPURIOUS : line));
}

static void initialize(struct vpic_chip *c, u8 val)
{
    *c = (struct vpic_chip){
        .irr = c->irr & c->elcr, .lines = c->lines, .elcr = c->elcr, .base = c->base, .lowest = 7,
        .icw = 2, .icw4 = val & ICW1_ICW4, .single = val & ICW1_SINGLE,
    };
}

static void write_icw(struct vpic_chip *c, u8 val)
{
    switch (c->icw) {
    case 2:
        c->base = val & 0xf8;
        c->icw = !c->single ? 3 : c->icw4 ? 4 : 0;
        break;
    case 3: /* where the slave is: wired */
        c->icw = c->icw4 ? 4 : 0;
        break;
    default:
        c->auto_eoi = val & ICW4_AUTO_EOI;
        c->nested = val & ICW4_NESTED;
        c->icw = 0;
    }
}

static void write_ocw2(struct vpic_chip *c, u8 val)
{
    bool rotate = val & OCW2_ROTATE;
    /* In special mask mode a masked line's end must be told by name. */
    u8 ends = c->special_mask ? c->isr & (u8)~c->imr : c->isr;

    if (val & OCW2_EOI)
        end_of_interrupt(c, val & OCW2_LINE ? val & 7u : first_of(c, ends), rotate);
    else if (!(val & OCW2_LINE))
        c->rotate_auto = rotate;
    else if (rotate)
        c->lowest = val & 7;
}

static void write_ocw3(struct vpic_chip *c, u8 val)
{
    if (val & OCW3_ESMM)
        c->special_mask = val & OCW3_SMM;
    if (val & OCW3_POLL)
        c->poll = true;
    else if (val & OCW3_RR)
        c->read_isr = val & OCW3_RIS;
}

static void write_command(struct vpic_chip *c, u8 val)
{
    if (val & ICW1)
        initialize(c, val);
    else if (val & OCW3)
        write_ocw3(c, val);
    else
        write_ocw2(c, val);
}

/* A line that becomes level-triggered asks for as long as it is high; one that becomes an edge must rise first. */
static void write_elcr(struct vpic_chip *c, u8 val)
{
    u8 changed = c->elcr ^ val;

    c->elcr = val;
    c->irr = (c->irr & (u8)~changed) | (c->lines & val);
}

static struct vpic_chip *chip_at(struct vpic *p, u32 port)
{
    return &p->chip[port >= VPIC_ELCR ? port & 1 : port >= VPIC_SLAVE];
}

void vpic_write(struct vpic *p, u32 port, u8 val)
{
    struct vpic_chip *c = chip_at(p, port);

    if (port >= VPIC_ELCR)
        write_elcr(c, val & (port & 1 ? ELCR_NEXT : ELCR_FIRST));
    else if (!(port & 1))
        write_command(c, val);
    else if (c->icw)
        write_icw(c, val);
    else
        c->imr = val;
    cascade(p, false);
}

static u8 poll(struct vpic_chip *c)
{
    u32 line = acknowledge(c);

    c->poll = false;
    return line == NO_LINE ? 0 : (u8)(POLL_REQUEST | line);
}

u8 vpic_read(struct vpic *p, u32 port, bool *changed)
{
    struct vpic_chip *c = chip_at(p, port);
    u8 val;

    *changed = c->poll && port < VPIC_ELCR;
    if (port >= VPIC_ELCR)
        return c->elcr;
    if (!c->poll)
        return port & 1 ? c->imr : c->read_isr ? c->isr : c->irr;
    val = poll(c);
    cascade(p, true);
    return val;
}

void vpic_set_line(struct vpic *p, u32 irq, bool high)
{
    if (irq == CASCADE || irq >= VPIC_LINES)
        return;
    set_line(&p->chip[irq / 8], irq % 8, high);
    cascade(p, false);
}

void vpic_reset(struct vpic *p)
{
    *p = (struct vpic){ .chip = { { .base = 0x08, .imr = 0xff, .lowest = 7 }, { .base = 0x70, .imr = 0xff, .lowest = 7 } } };
}
