/* SPDX-License-Identifier: MIT */
/* Where old chipsets keep the power-management ports that ACPI tables usually name: for firmware without such tables. */
#pragma once

#include "hv/lib/types.h"

struct chipset_pm {
    u16 base;     /* of the ACPI register block */
    u16 slp_typ;  /* sleep type of S5 */
};

#define CHIPSET_PM_CNT   4u /* PM1a control, from the base */
#define CHIPSET_PM_TIMER 8u

bool chipset_find(struct chipset_pm *pm); /* false: none of the known chipsets, or its block is off */
