/* SPDX-License-Identifier: MIT */
/* A 16550 serial port, polled; its receive interrupt is on so that whoever routes it may use it. */
#pragma once

#include "hv/lib/types.h"

/* 115200 8N1 with FIFOs; false when nothing answers at @base. */
bool uart_init(u16 base);
/* Waits a bounded time for room; a byte that finds none is dropped, so that a dead line stops nobody. */
void uart_put(u16 base, u8 c);
u32 uart_room(u16 base);   /* bytes that uart_send() may be given now; 0: it is still busy */
void uart_send(u16 base, u8 c);
int uart_get(u16 base);    /* the next byte that came in, -1: none */
void uart_flush(u16 base); /* waits, bounded, until the last bit has left */
