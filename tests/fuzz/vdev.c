/* SPDX-License-Identifier: MIT */
/*
 * I/O APIC, 8259s, 8254, serial port and clock under random accesses: no level interrupt is lost, nothing masked is sent, the
 * timer's edges are those of its output, bytes arrive in order, the date is the C library's.
 * LINK: hv/vdev/vioapic.c hv/vdev/vpic.c hv/vdev/vpit.c hv/vdev/vuart.c hv/vdev/vrtc.c
 */
#include <time.h>

#include "hv/vdev/vioapic.h"
#include "hv/vdev/vpic.h"
#include "hv/vdev/vpit.h"
#include "hv/vdev/vrtc.h"
#include "hv/vdev/vuart.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS = 64 };

/* --- I/O APIC */

static struct vioapic ioapic;
static u32 delivered;
static int eoi_vector; /* of the EOI under way, or -1 */

static bool is_level(u64 rte)
{
    return (rte & BIT(15)) && (rte >> 8 & 7) <= 1;
}

static void on_message(void *ctx, const struct vioapic_msg *msg)
{
    bool sent_by_one = false;

    FUZZ_CHECK(ctx == &ioapic && msg->dest <= 0xff && msg->delivery_mode <= 7);
    FUZZ_CHECK(eoi_vector < 0 || msg->vector == eoi_vector);
    for (u32 pin = 0; pin < VIOAPIC_PINS; pin++) {
        u64 rte = ioapic.rte[pin];

        sent_by_one |= !(rte & BIT(16)) && (u8)rte == msg->vector && rte >> 56 == msg->dest && is_level(rte) == msg->level &&
                       (rte >> 11 & 1) == msg->logical && (rte >> 8 & 7) == msg->delivery_mode && (ioapic.level & BIT(pin));
    }
    FUZZ_CHECK(sent_by_one);
    delivered++;
}

static void write_ioapic(void)
{
    u32 val = (u32)(fuzz_below(2) ? fuzz_below(8) << 13 | fuzz_below(4) << 8 | (0x30 + fuzz_below(3)) : fuzz_next());
    u8 index = (u8)(fuzz_below(4) ? 0x10 + 2 * fuzz_below(VIOAPIC_PINS) : fuzz_number());

    vioapic_write(&ioapic, 0, index, on_message, &ioapic);
    FUZZ_CHECK(vioapic_read(&ioapic, 0) == index);
    vioapic_write(&ioapic, fuzz_below(16) ? 0x10 : (u32)fuzz_number(), val, on_message, &ioapic);
    (void)vioapic_read(&ioapic, fuzz_below(16) ? 0x10 : (u32)fuzz_number());
    FUZZ_CHECK(delivered <= 1);
}

static void step_ioapic(void)
{
    delivered = 0;
    eoi_vector = -1;
    switch (fuzz_below(4)) {
    case 0:
        eoi_vector = (int)(0x30 + fuzz_below(3));
        vioapic_eoi(&ioapic, (u8)eoi_vector, on_message, &ioapic);
        break;
    case 1:
        write_ioapic();
        break;
    default:
        vioapic_set_pin(&ioapic, (u32)(fuzz_below(16) ? fuzz_below(VIOAPIC_PINS) : fuzz_number()), fuzz_below(2), on_message, &ioapic);
        FUZZ_CHECK(delivered <= 1);
    }
    FUZZ_CHECK(!(ioapic.id & ~0x0f000000u) && ioapic.level < BIT(VIOAPIC_PINS));
    for (u32 pin = 0; pin < VIOAPIC_PINS; pin++) {
        u64 rte = ioapic.rte[pin];

        FUZZ_CHECK(!(rte & ~0xff0000000001efffull));
        FUZZ_CHECK(!(rte & BIT(14)) || is_level(rte));
        FUZZ_CHECK(!is_level(rte) || (rte & (BIT(16) | BIT(14))) || !(ioapic.level & BIT(pin)));
    }
}

/* --- 8259s: what is asked for is unmasked and its line is high; what is acknowledged was the first of all that wait */

static struct vpic pic;
static u32 pic_lines;

static void acknowledge(void)
{
    struct vpic before = pic;
    const struct vpic_chip *master = &before.chip[0], *c = master;
    bool asked = vpic_intr(&pic);
    u32 vector = vpic_ack(&pic), line = vector & 7;

    if (!asked) {
        FUZZ_CHECK(vector == master->base + 7u && !memcmp(&pic, &before, sizeof(pic)));
        return;
    }
    if (master->base == before.chip[1].base)
        return; /* whose it is cannot be told */
    if (vector != (u32)master->base + line || !(master->irr >> line & 1) || (line == 2 && !master->single))
        c = &before.chip[1];
    FUZZ_CHECK(vector == (u32)c->base + line && (c->irr >> line & 1) && !(c->imr >> line & 1));
    for (u32 i = (c->lowest + 1) & 7; i != line; i = (i + 1) & 7) {
        bool open = c->special_mask && (c->imr >> i & 1);

        FUZZ_CHECK(!((c->irr & ~c->imr) >> i & 1) && (!(c->isr >> i & 1) || open || (c->nested && i == 2)));
    }
    FUZZ_CHECK(pic.chip[c != master].auto_eoi || (pic.chip[c != master].isr >> line & 1));
}

static void step_pic(void)
{
    static const u16 ports[] = { 0x20, 0x21, 0x20, 0x21, 0xa0, 0xa1, 0xa0, 0xa1, 0x4d0, 0x4d1 };
    static const u8 usual[] = { 0x11, 0x20, 0x20, 0x60, 0x64, 0xa0, 0xe3, 0xc5, 0x80, 0x00, 0x68, 0x48, 0x0c, 0x0b, 0x0a, 0x01, 0x03 };
    u32 irq = (u32)fuzz_below(16), port = ports[fuzz_below(10)];
    bool high = fuzz_below(2);

    switch (fuzz_below(4)) {
    case 0:
        vpic_write(&pic, port, fuzz_below(3) ? usual[fuzz_below(sizeof(usual))] : (u8)(fuzz_next() & fuzz_next()));
        break;
    case 1:
        acknowledge();
        break;
    case 2:
        (void)vpic_read(&pic, port, &(bool){ false });
        break;
    default:
        vpic_set_line(&pic, irq, high);
        pic_lines = irq == 2 ? pic_lines : (pic_lines & ~(1u << irq)) | (u32)high << irq;
    }
    FUZZ_CHECK(!(pic.chip[0].elcr & ~0xf8) && !(pic.chip[1].elcr & ~0xde) && pic.chip[0].lowest < 8 && pic.chip[1].lowest < 8);
    FUZZ_CHECK((pic.chip[0].lines & ~4u) == (pic_lines & 0xfb) && pic.chip[1].lines == pic_lines >> 8);
    for (u32 i = 0; i < 2; i++) {
        const struct vpic_chip *c = &pic.chip[i];

        FUZZ_CHECK(!(c->irr & ~c->lines) && (c->irr & c->elcr) == (c->lines & c->elcr));
        FUZZ_CHECK(c->icw || i || !(c->irr & ~c->imr) || c->isr || vpic_intr(&pic)); /* nothing waits for nothing */
    }
}

/* --- 8254: counter 0's edges, as announced, are those that its output shows tick by tick */

static struct vpit pit;
static u64 ticks;

static void write_pit(void)
{
    u32 port = (u32)(fuzz_below(8) ? 0x40 + fuzz_below(4) : 0x61);

    (void)vpit_due(&pit, ticks);
    vpit_write(&pit, port, (u8)(fuzz_below(2) ? fuzz_below(12) : fuzz_next()), ticks);
}

static void step_pit(void)
{
    bool was = vpit_out(&pit, ticks);

    switch (fuzz_below(4)) {
    case 0:
        write_pit();
        break;
    case 1:
        (void)vpit_read(&pit, (u32)(fuzz_below(8) ? 0x40 + fuzz_below(4) : 0x61), ticks);
        break;
    case 2:
        ticks += fuzz_below(fuzz_below(2) ? 100 : 200000);
        (void)vpit_due(&pit, ticks);
        break;
    default:
        for (u32 i = 0; i < 20; i++) {
            bool constant = pit.channel[0].count == 1; /* a period with one half only */
            bool due = vpit_due(&pit, ++ticks), is = vpit_out(&pit, ticks);

            FUZZ_CHECK(due == (is && !was) || constant || pit.channel[0].count == 1);
            was = is;
        }
    }
    FUZZ_CHECK(pit.edge > ticks || pit.channel[0].paused);
    for (u32 i = 0; i < 3; i++)
        FUZZ_CHECK(!pit.channel[i].counting || (pit.channel[i].count >= 1 && pit.channel[i].count <= 65536));
}

/* --- serial port, beside a queue of what it should still hold */

static struct vuart uart;
static u8 queue[16];
static u32 queued;

static void receive(u8 byte)
{
    u32 room = uart.fcr & 1 ? 16 : 1;

    if (queued < room)
        queue[queued++] = byte;
    else if (room == 1)
        queue[0] = byte; /* without FIFOs the new byte overruns the old one */
}

static void write_uart(u32 reg, u8 val)
{
    bool data = reg == 0 && !(uart.lcr & 0x80), loop = uart.mcr & 0x10;
    int sent;

    if (data && loop)
        receive(val);
    if (reg == 2 && (((val ^ uart.fcr) & 1) || (val & 2)))
        queued = 0;
    sent = vuart_write(&uart, reg, val);
    FUZZ_CHECK(sent == (data && !loop ? val : -1));
    FUZZ_CHECK(reg != 7 || vuart_read(&uart, 7) == val);
}

static void read_uart(u32 reg)
{
    bool data = reg == 0 && !(uart.lcr & 0x80), irq = vuart_irq(&uart);
    u8 val = vuart_read(&uart, reg);

    FUZZ_CHECK(!data || val == (queued ? queue[0] : 0));
    if (data && queued)
        memmove(queue, queue + 1, --queued);
    FUZZ_CHECK(reg != 2 || !irq || !(val & 1));
    if (reg == 5)
        FUZZ_CHECK((val & 1) == (queued > 0) && (val & 0x60) == 0x60 && !uart.overrun);
}

static void step_uart(void)
{
    u32 reg = (u32)fuzz_below(8);
    u8 byte = (u8)fuzz_next();

    switch (fuzz_below(4)) {
    case 0:
        write_uart(reg, reg == 3 || reg == 4 ? byte & (u8)fuzz_next() & (u8)fuzz_next() : byte);
        break;
    case 1:
        read_uart(reg);
        break;
    default: /* twice as often as anything else: the queue is to fill */
        if (!(uart.mcr & 0x10))
            receive(byte);
        vuart_rx(&uart, byte);
    }
    FUZZ_CHECK(uart.rx_count == queued && uart.rx_head < 16 && vuart_rx_room(&uart) <= (queued < 16));
    FUZZ_CHECK(!vuart_irq(&uart) || ((uart.mcr & 0x18) == 8 && (uart.ier & 7)));
}

/* --- clock */

static u8 encoded(const struct vrtc *rtc, int val)
{
    return (u8)(rtc->ram[0x0b] & 4 ? val : val / 10 << 4 | val % 10);
}

static void step_rtc(struct vrtc *rtc)
{
    u64 now = fuzz_number() >> 12; /* of years that struct tm can say */
    u8 index = (u8)(fuzz_below(2) ? fuzz_below(14) : fuzz_next()), val;
    time_t t = (time_t)now;
    struct tm tm;
    int hours;

    vrtc_write(rtc, 0x70 + 2 * (u32)fuzz_below(2), index);
    if (fuzz_below(2))
        vrtc_write(rtc, 0x71, (u8)fuzz_next());
    val = vrtc_read(rtc, 0x71, now);
    (void)gmtime_r(&t, &tm);
    hours = rtc->ram[0x0b] & 2 ? tm.tm_hour : (tm.tm_hour + 11) % 12 + 1;
    switch (index & 0x7f) {
    case 0: FUZZ_CHECK(val == encoded(rtc, tm.tm_sec)); break;
    case 2: FUZZ_CHECK(val == encoded(rtc, tm.tm_min)); break;
    case 4: FUZZ_CHECK(val == (encoded(rtc, hours) | (!(rtc->ram[0x0b] & 2) && tm.tm_hour >= 12 ? 0x80 : 0))); break;
    case 6: FUZZ_CHECK(val == tm.tm_wday + 1); break;
    case 7: FUZZ_CHECK(val == encoded(rtc, tm.tm_mday)); break;
    case 8: FUZZ_CHECK(val == encoded(rtc, tm.tm_mon + 1)); break;
    case 9: FUZZ_CHECK(val == encoded(rtc, (tm.tm_year + 1900) % 100)); break;
    case 0x0a: FUZZ_CHECK(!(val & 0x80)); break;
    case 0x32: FUZZ_CHECK(val == encoded(rtc, (tm.tm_year + 1900) / 100 % 100)); break;
    }
}

static void one(void)
{
    struct vrtc rtc;

    ioapic.level = 0; /* the devices', kept over a reset */
    vioapic_reset(&ioapic);
    vuart_reset(&uart);
    vrtc_reset(&rtc);
    vpic_reset(&pic);
    vpit_reset(&pit);
    pic_lines = 0;
    ticks = fuzz_below(1000);
    queued = 0;
    for (u32 i = 0; i < STEPS; i++) {
        step_ioapic();
        step_pic();
        step_pit();
        step_uart();
        step_rtc(&rtc);
    }
    fuzz_accepted += ioapic.level && queued;
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one, 40000, 2000000);
}
