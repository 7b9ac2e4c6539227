/* SPDX-License-Identifier: MIT */
/* PCI devices, on segment 0. */
#pragma once

#include "drivers/pci.h"

#define PCI_BARS 6u

struct pci_bar { u64 first, last; bool ports; };

void pci_each(void (*fn)(void *ctx, u32 function), void *ctx);
/* What its base address registers decode, or would; host bridges, which are not asked, and others without: 0. The device
 * decodes nothing for a moment, for which interrupts are off: they are on before and after. */
u32 pci_bars(u32 function, struct pci_bar bars[PCI_BARS]);
/* Takes away the right to write to memory: what the firmware's drivers set up may still be running. */
void pci_stop_bus_masters(void);
