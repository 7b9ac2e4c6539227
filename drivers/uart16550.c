/* SPDX-License-Identifier: MIT */
/* 16550 serial port (PC16550D data sheet, "Registers"). */
#include "drivers/uart16550.h"

#include "arch/x86/cpu/insn.h"

#define FCR_ON    0x07u /* enable, clear both; interrupt at the first byte received */
#define MCR_READY 0x0bu /* DTR, RTS, and OUT2, which gates the interrupt line on PCs */
#define IER_RX    0x01u
#define IIR_FIFO  0xc0u
#define LSR_DATA  0x01u
#define LSR_THRE  0x20u
#define LSR_TEMT  0x40u

/*
 * A byte takes 87 us at 115200 baud and a port read about 1 us: enough for a full FIFO, for an emulator whose host is busy (20,000 were
 * not), and the end of a dead line.
 */
#define UART_TRIES 300000u

u8 uart_read(const struct uart *u, enum uart_reg reg)
{
    if (!u->mmio)
        return inb((u16)(u->port + reg * u->stride));
    return u->wide ? (u8)mmio_read32(u->mmio + reg * u->stride) : mmio_read8(u->mmio + reg * u->stride);
}

void uart_write(const struct uart *u, enum uart_reg reg, u8 val)
{
    if (!u->mmio)
        outb((u16)(u->port + reg * u->stride), val);
    else if (u->wide)
        mmio_write32(u->mmio + reg * u->stride, val);
    else
        mmio_write8(u->mmio + reg * u->stride, val);
}

void uart_init(const struct uart *u)
{
    uart_write(u, UART_LCR, UART_LCR_8N1); /* first: it tells which register IER is */
    uart_write(u, UART_IER, 0);
    uart_write(u, UART_FCR, FCR_ON);
    uart_write(u, UART_MCR, MCR_READY);
}

void uart_interrupt(const struct uart *u)
{
    uart_write(u, UART_IER, IER_RX);
}

static bool uart_wait(const struct uart *u, u8 bits)
{
    for (u32 i = 0; i < UART_TRIES; i++) {
        if ((uart_read(u, UART_LSR) & bits) == bits)
            return true;
        cpu_relax();
    }
    return false;
}

/* A line that takes nothing costs one wait, not one for each byte. */
void uart_put(struct uart *u, u8 c)
{
    u->dead = u->dead ? !(uart_read(u, UART_LSR) & LSR_THRE) : !uart_wait(u, LSR_THRE);
    if (!u->dead)
        uart_write(u, UART_DATA, c);
}

u32 uart_room(const struct uart *u)
{
    if (!(uart_read(u, UART_LSR) & LSR_THRE))
        return 0;
    return (uart_read(u, UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
}

void uart_send(const struct uart *u, u8 c)
{
    uart_write(u, UART_DATA, c);
}

int uart_get(const struct uart *u)
{
    u8 lsr = uart_read(u, UART_LSR);

    /* All ones: the port went away. */
    if (lsr == 0xff || !(lsr & LSR_DATA))
        return -1;
    return uart_read(u, UART_DATA);
}

void uart_flush(struct uart *u)
{
    u->dead = u->dead || !uart_wait(u, LSR_TEMT);
}
