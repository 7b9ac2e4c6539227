/* SPDX-License-Identifier: MIT */
/* Pith's serial line, without the firmware: a 16550 at ports, in memory or behind PCI, polled. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/abi/manifest.h"
#include "hv/lib/types.h"

#define SERIAL_TEXT 160

/*
 * Goes on at the line that @want names, which must be one: not auto. NULL, or "what is wrong", and it stays at the one before.
 * With the firmware there. @source: which table says so, or NULL.
 */
const char *serial_open(const struct manifest_serial *want, const char *source) MUST_CHECK;
void serial_write(const char *s); /* never waits for long, whoever listens */
/* "COM2 at port 0x2f8 (SPCR), 115200 baud, interrupt 3"; "none" */
const char *serial_text(char text[SERIAL_TEXT]);
struct handoff_serial serial_handoff(const struct handoff_isa_irq isa[HANDOFF_ISA_IRQS]);
/* The line at hand; kind MANIFEST_LINE_NONE: there is none. */
const struct manifest_serial *serial_at(void);
