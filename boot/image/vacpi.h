/* SPDX-License-Identifier: MIT */
/* ACPI tables for a guest: RSDP, XSDT, FADT, FACS, MADT, DSDT with UART and clock. */
#pragma once

#include "hv/lib/types.h"

#define VACPI_SIZE 4096u

/*
 * Builds the tables to stand at guest-physical @gpa (RSDP first, 16-byte aligned); buf has
 * VACPI_SIZE bytes. Returns bytes used; 0: more vCPUs than APIC ids of one byte (255).
 */
size_t vacpi_build(u8 *buf, gpa_t gpa, u32 nr_vcpus);
