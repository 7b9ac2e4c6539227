/* SPDX-License-Identifier: MIT */
/* A 16550A with 16-byte FIFOs. Transmission takes no time. */
#pragma once

#include "hv/abi/platform.h"
#include "hv/lib/types.h"

struct vuart {
    u8 ier, lcr, mcr, scr, dll, dlm, fcr;
    u8 rx[16], rx_head, rx_count;
    bool thre_pending; /* transmitter-empty interrupt not yet seen */
    bool overrun;
};

void vuart_reset(struct vuart *u);
u8 vuart_read(struct vuart *u, u32 reg);                 /* reg 0-7 */
int vuart_write(struct vuart *u, u32 reg, u8 val);       /* byte to print, or -1: none */
bool vuart_rx_room(const struct vuart *u);               /* false in loopback: keep the byte */
void vuart_rx(struct vuart *u, u8 byte);                 /* sets overrun when full */
bool vuart_irq(const struct vuart *u);                   /* the interrupt line; MCR.OUT2 gates it */
