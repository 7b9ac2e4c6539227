/* SPDX-License-Identifier: MIT */
/* PCI configuration space by mechanism #1: segment 0, the first 256 bytes of each function. One core at a time. */
#pragma once

#include "hv/lib/types.h"

#define PCI_COMMAND       0x04u
#define PCI_CLASS         0x08u /* class, subclass, interface, revision: 8 bits each, from the top */
#define PCI_CMD_PORTS     1u
#define PCI_CMD_MEMORY    2u
#define PCI_CMD_MASTER    4u
#define PCI_CMD_INTX_OFF  0x400u

/* @function: bus, device and function in 8, 5 and 3 bits, as in the address register; @reg: of a dword. */
u32 pci_read(u32 function, u32 reg);
void pci_write16(u32 function, u32 reg, u16 val);
