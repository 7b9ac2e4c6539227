/* SPDX-License-Identifier: MIT */
/* Which processors are threads of one core. Pure: CPUID comes in as a function. */
#pragma once

#include "hv/lib/types.h"

typedef void topology_cpuid_fn(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d);

/* APIC IDs that differ in so many low bits only are threads of one core; 0: each is a core of its own. */
u32 topology_thread_bits(topology_cpuid_fn *cpuid);
