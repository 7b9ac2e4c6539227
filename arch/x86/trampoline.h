/* SPDX-License-Identifier: MIT */
/* Start-up page of the other cores, shared with trampoline.S: code, then the arguments at a fixed place. */
#pragma once

#define TRAMPOLINE_ARGS 0xf00 /* offset in the page */

#define ARGS_APIC_ID 0x00     /* the one core that may pass */
#define ARGS_LEAF    0x04     /* CPUID leaf of its APIC ID: 1 or 0xb */
#define ARGS_CR3     0x08
#define ARGS_CR4     0x0c
#define ARGS_ENTRY   0x10
