/* SPDX-License-Identifier: MIT */
/* Physical interrupts: the handler only notes; cores look between exit and entry. */
#pragma once

/* Registers the handler and turns the console's input on. Boot core. */
void irq_init(void);
/* Core 0, from cpu_attend(): typed bytes to where the focus is, the terminal's text out. */
void irq_house(void);
