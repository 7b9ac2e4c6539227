/* SPDX-License-Identifier: MIT */
/* More than one vCPU: starting the others, as kernels do. */
#pragma once

#include "guests/lib/pith.h"

#ifdef __cplusplus
extern "C" {
#endif

/* INIT and two SIPIs to the vCPU with that local-APIC ID; it calls fn() in 64-bit mode, interrupts off, with this vCPU's page
 * tables, flat segments and no IDT. Its stack ends at @stack; when
 * fn() returns, it sleeps. The page at 0x8000 is used for it, the local APIC becomes an
 * x2APIC. False: it did not come within a minute. One at a time. */
bool smp_start(uint32_t apic_id, void (*fn)(void), void *stack);
/* An interrupt command of the x2APIC: @icr its low half, to @apic_id. */
void smp_icr(uint32_t apic_id, uint32_t icr);

#define SMP_INIT 0x4500u
#define SMP_SIPI 0x4608u /* to the page at 0x8000 */

#ifdef __cplusplus
}
#endif
