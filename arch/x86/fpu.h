/* SPDX-License-Identifier: MIT */
/* Extended state, switched eagerly when a vCPU is loaded and unloaded; the hypervisor itself uses none of it. */
#pragma once

#include "arch/x86/vm.h"

/* Bytes of the area that holds every component the hardware has (CPUID.0DH.ECX), and the XCR0 that enables them all. */
u32 fpu_area_size(void);
u32 fpu_host_xcr0(void);
void fpu_reset(struct arch_vcpu *v);   /* area and XCR0 to power-on state; not while loaded */
void fpu_load(struct arch_vcpu *v);
void fpu_unload(struct arch_vcpu *v);  /* also picks up an XCR0 that the guest changed without an exit */
struct arch_vcpu *fpu_switch(struct arch_vcpu *from, struct arch_vcpu *to); /* both in one; @to */
bool fpu_xcr0_valid(u64 val);          /* would XSETBV take it here? */
