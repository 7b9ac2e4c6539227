/* SPDX-License-Identifier: MIT */
/* Guest-linear addresses of the resident vCPU, for the rest of arch/x86. */
#pragma once

#include "arch/x86/decode.h"
#include "arch/x86/gwalk.h"
#include "arch/x86/vm.h"

/* Host-physical address of one byte; false: *fault is what to inject. */
bool vmem_translate(struct arch_vcpu *v, u64 linear, enum gwalk_access access, hpa_t *hpa,
                    struct x86_event *fault);
u64 vmem_code_linear(struct arch_vcpu *v); /* CS:RIP, linear */
void vmem_cache_code(struct arch_vcpu *v, u64 linear); /* v->fetch becomes that page, or invalid */
enum insn_mode vmem_code_mode(struct arch_vcpu *v);
