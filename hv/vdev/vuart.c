/* SPDX-License-Identifier: MIT */
/* A 16550A serial port as a pure state machine. National Semiconductor PC16550D data sheet. */
#include "hv/vdev/vuart.h"

enum reg { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX      0x01u
#define IER_THRE    0x02u
#define IER_LINE    0x04u
#define IER_MASK    0x0fu
#define IIR_NONE    0x01u
#define IIR_THRE    0x02u
#define IIR_RX      0x04u
#define IIR_LINE    0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFO    0xc0u
#define FCR_ENABLE  0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_TRIGGER 0xc0u
#define LCR_DLAB    0x80u
#define MCR_DTR     0x01u
#define MCR_RTS     0x02u
#define MCR_OUT1    0x04u
#define MCR_OUT2    0x08u
#define MCR_LOOP    0x10u
#define MCR_MASK    0x1fu
#define LSR_DATA    0x01u
#define LSR_OVERRUN 0x02u
#define LSR_EMPTY   0x60u /* THR and transmitter: bytes leave at once */
#define MSR_CTS     0x10u
#define MSR_DSR     0x20u
#define MSR_RI      0x40u
#define MSR_DCD     0x80u

void vuart_reset(struct vuart *u)
{
    *u = (struct vuart){ .dll = 1 }; /* 115200 */
}

static u8 capacity(const struct vuart *u)
{
    return u->fcr & FCR_ENABLE ? sizeof(u->rx) : 1;
}

static u8 trigger(const struct vuart *u)
{
    static const u8 levels[4] = { 1, 4, 8, 14 };

    return u->fcr & FCR_ENABLE ? levels[u->fcr >> 6] : 1;
}

/*
 * The highest of the pending, enabled sources. A line that is idle times out at once, so bytes
 * below the trigger level never wait. Modem lines never change: that source does not exist.
 */
static u8 interrupt(const struct vuart *u)
{
    if ((u->ier & IER_LINE) && u->overrun)
        return IIR_LINE;
    if ((u->ier & IER_RX) && u->rx_count)
        return u->rx_count >= trigger(u) ? IIR_RX : IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_pending)
        return IIR_THRE;
    return IIR_NONE;
}

/* On a PC, OUT2 gates the interrupt; loopback forces the pin inactive. */
bool vuart_irq(const struct vuart *u)
{
    return (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && interrupt(u) != IIR_NONE;
}

static void receive(struct vuart *u, u8 byte)
{
    u8 room = capacity(u);

    if (u->rx_count < room) {
        u->rx[(u->rx_head + u->rx_count++) % sizeof(u->rx)] = byte;
        return;
    }
    u->overrun = true;
    /* Without FIFOs the new byte replaces the old one; with them it is the one that is lost. */
    if (room == 1)
        u->rx[u->rx_head] = byte;
}

bool vuart_rx_room(const struct vuart *u)
{
    return !(u->mcr & MCR_LOOP) && u->rx_count < capacity(u);
}

void vuart_rx(struct vuart *u, u8 byte)
{
    if (!(u->mcr & MCR_LOOP))
        receive(u, byte);
}

static u8 read_data(struct vuart *u)
{
    u8 byte = u->rx[u->rx_head];

    if (!u->rx_count)
        return 0;
    u->rx_head = (u8)((u->rx_head + 1) % sizeof(u->rx));
    u->rx_count--;
    return byte;
}

static u8 read_iir(struct vuart *u)
{
    u8 source = interrupt(u);

    if (source == IIR_THRE)
        u->thre_pending = false;
    return (u8)(source | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static u8 read_lsr(struct vuart *u)
{
    u8 lsr = (u8)(LSR_EMPTY | (u->rx_count ? LSR_DATA : 0) | (u->overrun ? LSR_OVERRUN : 0));

    u->overrun = false;
    return lsr;
}

static u8 read_msr(const struct vuart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (u8)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

u8 vuart_read(struct vuart *u, u32 reg)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA: return dlab ? u->dll : read_data(u);
    case REG_IER: return dlab ? u->dlm : u->ier;
    case REG_IIR_FCR: return read_iir(u);
    case REG_LCR: return u->lcr;
    case REG_MCR: return u->mcr;
    case REG_LSR: return read_lsr(u);
    case REG_MSR: return read_msr(u);
    case REG_SCR: return u->scr;
    default: return 0xff;
    }
}

/* The byte leaves at once, and the transmitter is empty again: that is an event of its own. */
static int write_data(struct vuart *u, u8 byte)
{
    u->thre_pending = true;
    if (!(u->mcr & MCR_LOOP))
        return byte;
    receive(u, byte);
    return -1;
}

/* Enabling the source while the transmitter is empty raises it. */
static void write_ier(struct vuart *u, u8 val)
{
    if (val & ~u->ier & IER_THRE)
        u->thre_pending = true;
    u->ier = val & IER_MASK;
}

static void write_fcr(struct vuart *u, u8 val)
{
    if (((val ^ u->fcr) & FCR_ENABLE) || (val & FCR_CLEAR_RX))
        u->rx_head = u->rx_count = 0;
    u->fcr = val & FCR_ENABLE ? val & (FCR_ENABLE | FCR_TRIGGER) : 0;
}

int vuart_write(struct vuart *u, u32 reg, u8 val)
{
    bool dlab = u->lcr & LCR_DLAB;

    if (reg == REG_DATA && !dlab)
        return write_data(u, val);

    switch (reg) {
    case REG_DATA: u->dll = val; break;
    case REG_IER:
        if (dlab)
            u->dlm = val;
        else
            write_ier(u, val);
        break;
    case REG_IIR_FCR: write_fcr(u, val); break;
    case REG_LCR: u->lcr = val; break;
    case REG_MCR: u->mcr = val & MCR_MASK; break;
    case REG_SCR: u->scr = val; break;
    default: break;
    }
    return -1;
}
