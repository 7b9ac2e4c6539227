/* SPDX-License-Identifier: MIT */
/* Where a guest finds its devices: said by the ACPI tables (boot/image/vacpi.c), made true by the hypervisor (hv/bus.c, hv/isa.c). */
#pragma once

#define VLAPIC_BASE  0xfee00000ull
#define VIOAPIC_BASE 0xfec00000ull
#define VUART_BASE   0x3f8u
#define VUART_IRQ    4u

#define VPIT_GSI     2u       /* of the I/O APIC; IRQ 0 at the 8259s */

/* Fixed hardware, as far as it is there: ACPI, PM1 Event Grouping; PM1 Control Grouping; PM Timer; Reset Register. */
#define VACPI_PM1          0x600u /* status */
#define VACPI_PM1_ENABLE   0x602u
#define VACPI_BUTTON       0x100u /* in both: the power button, the only event there is */
#define VACPI_PM1_CONTROL  0x604u
#define VACPI_TIMER        0x608u /* 3.579545 MHz, 32 bits */
#define VACPI_RESET_PORT   0x60cu
#define VACPI_SCI          9u
#define VACPI_RESET        1u
#define VACPI_SCI_ENABLED  1u     /* always in ACPI mode */
#define VACPI_S5           5u
#define VACPI_SLEEP_ENABLE 0x2000u
#define VACPI_SLEEP_TYPE(control) ((control) >> 10 & 7)
