/* SPDX-License-Identifier: MIT */
/* Power-management blocks of the PIIX4 and ICH9 south bridges (their data sheets, "Power Management" and "LPC Interface"). */
#include "drivers/pci_pm.h"

#include "arch/x86/cpu/insn.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  0x80000000u
#define PMBASE      0x40u

static const struct {
    const char *name;
    u32 id;          /* device << 16 | vendor */
    u8 device, function, enable_reg, enable_bit;
    u16 base_mask, slp_typ;
} chipsets[] = {
    { "PIIX4", 0x71138086, 1, 3, 0x80, 0, 0xffc0, 0 },
    { "ICH9", 0x29188086, 31, 0, 0x44, 7, 0xff80, 7 },
};

static u32 pci_read(u8 device, u8 function, u8 reg)
{
    outl(PCI_ADDRESS, PCI_ENABLE | (u32)device << 11 | (u32)function << 8 | reg);
    return inl(PCI_DATA);
}

bool pci_pm_find(struct pci_pm *pm)
{
    for (u32 i = 0; i < ARRAY_SIZE(chipsets); i++) {
        u8 dev = chipsets[i].device;
        u8 fn = chipsets[i].function;
        u16 base;

        if (pci_read(dev, fn, 0) != chipsets[i].id)
            continue;
        base = (u16)(pci_read(dev, fn, PMBASE) & chipsets[i].base_mask);
        if (!base || !(pci_read(dev, fn, chipsets[i].enable_reg) & BIT(chipsets[i].enable_bit)))
            return false;
        *pm = (struct pci_pm){ chipsets[i].name, base, chipsets[i].slp_typ };
        return true;
    }
    return false;
}
