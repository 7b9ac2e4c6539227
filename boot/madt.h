/* SPDX-License-Identifier: MIT */
/* The cores that ACPI lists, for firmware without MP Services. Tables are read where they lie. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

/*
 * Appends the enabled cores of the MADT, but for @self, to @n entries of @out; beyond @max they are only counted. Returns
 * the new count: @n where there is no @rsdp (0) or no MADT.
 */
u32 madt_cpus(u64 rsdp, u32 self, struct handoff_cpu *out, u32 max, u32 n);
