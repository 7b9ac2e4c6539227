/* SPDX-License-Identifier: MIT */
/* Guest-linear addresses of the resident vCPU, for the rest of arch/x86. */
#pragma once

#include "arch/x86/gwalk.h"
#include "arch/x86/vm.h"

void vmem_cache_code(struct arch_vcpu *v); /* v->fetch becomes the page of RIP, if that is a linear address, or invalid */
