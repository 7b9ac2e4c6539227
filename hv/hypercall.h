/* SPDX-License-Identifier: MIT */
/* Hypercalls: decode and check everything, then invoke. */
#pragma once

#include "hv/abi/hypercall.h"
#include "hv/exit.h"

u32 hypercall_insn(void);   /* PITH_HC_VMCALL or PITH_HC_VMMCALL: which one this processor has */
/* Hypercall WAIT is over: RAX and RBX of a vCPU that blocked in it. */
void hypercall_wait_done(struct vcpu *v);
