/* SPDX-License-Identifier: MIT */
/* What the firmware's tables and the chipset tell about this machine. */
#pragma once

#include "arch/x86/host.h"
#include "drivers/acpi.h"

extern struct acpi_info platform_acpi;

/* Boot core, on the final page tables: local APIC mode, ACPI tables, old interrupt controllers silenced. */
enum pith_status platform_init(const struct handoff *h) MUST_CHECK;
