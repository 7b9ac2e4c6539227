/* SPDX-License-Identifier: MIT */
/* PCI configuration space (PCI Local Bus Specification, "Configuration Space Access Mechanism #1"). */
#include "drivers/pci.h"

#include "arch/x86/cpu/insn.h"

#define ADDRESS      0xcf8
#define DATA         0xcfc
#define ENABLE       0x80000000u

u32 pci_read(u32 function, u32 reg)
{
    outl(ADDRESS, ENABLE | function << 8 | reg);
    return inl(DATA);
}

/* Not the other half: writing ones to the status register clears bits of it. */
void pci_write16(u32 function, u32 reg, u16 val)
{
    outl(ADDRESS, ENABLE | function << 8 | (reg & ~3u));
    outw((u16)(DATA + (reg & 2)), val);
}
