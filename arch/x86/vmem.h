/* SPDX-License-Identifier: MIT */
/* Guest-linear addresses of the resident vCPU, for the rest of arch/x86. */
#pragma once

#include "arch/x86/gwalk.h"
#include "arch/x86/vm.h"

void vmem_cache_code(struct arch_vcpu *v); /* v->fetch becomes the page of RIP, if that is a linear address, or invalid */
/*
 * The same without a walk, if it is known which page it was the last time: other code, or another vCPU, may have run since. For who
 * compares bytes there, as in skip.h. False: it is not known.
 */
bool vmem_recall_code(struct arch_vcpu *v, u64 rip, u64 cr3);
