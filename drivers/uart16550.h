/* SPDX-License-Identifier: MIT */
/* A 16550 serial port, wherever its registers are; polled, until whoever routes its interrupt turns that on. */
#pragma once

#include "hv/lib/types.h"

struct uart {
    volatile u8 *mmio; /* mapped uncached; NULL: ports */
    u16 port;
    u8 stride;         /* bytes from one register to the next */
    bool wide;         /* each is read and written as 32 bits */
    bool dead;         /* took nothing for long: from then on it is asked, not waited for, until it is ready again */
};

enum uart_reg {
    UART_DATA = 0, UART_DLL = 0, UART_IER = 1, UART_DLM = 1, UART_FCR = 2, UART_IIR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5,
    UART_MSR = 6, UART_SCR = 7
};
#define UART_LCR_8N1  0x03u
#define UART_LCR_DLAB 0x80u

u8 uart_read(const struct uart *u, enum uart_reg reg);
void uart_write(const struct uart *u, enum uart_reg reg, u8 val);
/* 8N1 with FIFOs, no interrupts; the rate stays what it is. */
void uart_init(const struct uart *u);
void uart_interrupt(const struct uart *u); /* from now on, for what comes in */
/* Waits a bounded time for room; a byte that finds none is dropped, so that a dead line stops nobody. */
void uart_put(struct uart *u, u8 c);
u32 uart_room(const struct uart *u);   /* bytes that uart_send() may be given now; 0: it is still busy */
void uart_send(const struct uart *u, u8 c);
int uart_get(const struct uart *u);    /* the next byte that came in, -1: none */
void uart_flush(struct uart *u);       /* waits, bounded, until the last bit has left */
