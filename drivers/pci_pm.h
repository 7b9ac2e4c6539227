/* SPDX-License-Identifier: MIT */
/* Where old chipsets keep the power-management ports that ACPI tables usually name: for firmware without such tables. */
#pragma once

#include "hv/lib/types.h"

struct pci_pm {
    const char *name;
    u16 base;     /* of the ACPI register block */
    u16 slp_typ;  /* sleep type of S5 */
};

#define PCI_PM_CNT   4u /* PM1a control, from the base */
#define PCI_PM_TIMER 8u

bool pci_pm_find(struct pci_pm *pm); /* false: none of the known chipsets, or its block is off */
