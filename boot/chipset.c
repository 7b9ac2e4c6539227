/* SPDX-License-Identifier: MIT */
/* Power-management blocks of the PIIX4 and ICH9 south bridges (their data sheets, "Power Management" and "LPC Interface"). */
#include "boot/chipset.h"

#include "drivers/pci.h"

#define PMBASE 0x40u

static const struct {
    u32 id;          /* device << 16 | vendor */
    u8 device, function, enable_reg, enable_bit;
    u16 base_mask, slp_typ;
} chipsets[] = {
    { 0x71138086, 1, 3, 0x80, 0, 0xffc0, 0 },
    { 0x29188086, 31, 0, 0x44, 7, 0xff80, 7 },
};

bool chipset_find(struct chipset_pm *pm)
{
    for (u32 i = 0; i < ARRAY_SIZE(chipsets); i++) {
        u32 f = chipsets[i].device * 8u + chipsets[i].function;
        u16 base;

        if (pci_read(f, 0) != chipsets[i].id)
            continue;
        base = (u16)(pci_read(f, PMBASE) & chipsets[i].base_mask);
        if (!base || !(pci_read(f, chipsets[i].enable_reg) & BIT(chipsets[i].enable_bit)))
            return false;
        *pm = (struct chipset_pm){ base, chipsets[i].slp_typ };
        return true;
    }
    return false;
}
