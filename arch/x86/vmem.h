/* SPDX-License-Identifier: MIT */
/* Guest-linear addresses of the resident vCPU, for the rest of arch/x86. */
#pragma once

#include "arch/x86/gwalk.h"
#include "arch/x86/vm.h"

u64 vmem_code_linear(struct arch_vcpu *v); /* CS:RIP, linear */
void vmem_cache_code(struct arch_vcpu *v, u64 linear); /* v->fetch becomes that page, or invalid */
