/* SPDX-License-Identifier: MIT */
/* Where a guest finds its devices: said by the ACPI tables (boot/image/vacpi.c), made true by the hypervisor (hv/bus.c). */
#pragma once

#define VLAPIC_BASE  0xfee00000ull
#define VIOAPIC_BASE 0xfec00000ull
#define VUART_BASE   0x3f8u
#define VUART_IRQ    4u

/* Sleep control and status register, reset register: ACPI, Sleep Control and Status Registers; Reset Register. */
#define VACPI_SLEEP_PORT   0x600u
#define VACPI_RESET_PORT   0x602u
#define VACPI_S5           5u
#define VACPI_RESET        1u
#define VACPI_SLEEP_ENABLE 0x20u
#define VACPI_SLEEP_TYPE(val) ((val) >> 2 & 7)
