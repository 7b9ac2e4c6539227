/* SPDX-License-Identifier: MIT */
/* Hypercalls: decode and check everything, then invoke. */
#pragma once

#include "hv/abi/hypercall.h"
#include "hv/exit.h"

struct hc_args { u64 in[5], out[2]; };   /* RBX RCX RDX RSI RDI in; RBX RCX out; status in RAX */

/* A handler may also yield, block or end the caller; the status is what the guest finds in RAX when it runs on. */
enum exit_action hypercall_dispatch(struct vcpu *v, u64 nr, struct hc_args *a, enum pith_status *st);
u32 hypercall_insn(void);   /* PITH_HC_VMCALL or PITH_HC_VMMCALL: which one this processor has */
/* Hypercall WAIT is over: RAX and RBX of a vCPU that blocked in it. */
void hypercall_wait_done(struct vcpu *v);
