/* SPDX-License-Identifier: MIT */
/* Hypercalls: decode and check everything, then invoke. */
#pragma once

#include "hv/abi/hypercall.h"
#include "hv/exit.h"

u32 hypercall_insn(void);   /* PITH_HC_VMCALL or PITH_HC_VMMCALL: which one this processor has */

/*
 * A call: arguments in RBX RCX RDX RSI RDI, where its results go too; returns the status. One that blocks (vcpu_block()) returns
 * PITH_OK, and its done() has the last word.
 */
#define CALL_GOES_ON ((enum pith_status)~0u) /* of CONSOLE_WRITE alone, and no status: the guest is to make it again for the rest */
typedef enum pith_status hc_fn(struct vcpu *v, struct x86_gprs *g);
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) hc_fn hc_##handler;
#include "hv/abi/hypercalls.def"
#undef HC
