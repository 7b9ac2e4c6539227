/* SPDX-License-Identifier: MIT */
/*
 * Offsets of struct x86_gprs for the entry code, asserted against the structure wherever C includes
 * this.
 */
#pragma once

#define GPR_RAX 0
#define GPR_RCX 8
#define GPR_RDX 16
#define GPR_RBX 24
#define GPR_RBP 40
#define GPR_RSI 48
#define GPR_RDI 56
#define GPR_R8  64
#define GPR_R9  72
#define GPR_R10 80
#define GPR_R11 88
#define GPR_R12 96
#define GPR_R13 104
#define GPR_R14 112
#define GPR_R15 120

#ifndef __ASSEMBLER__
#include "arch/x86/vm.h"

_Static_assert(offsetof(struct x86_gprs, rcx) == GPR_RCX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbx) == GPR_RBX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbp) == GPR_RBP, "entry code");
_Static_assert(offsetof(struct x86_gprs, rdi) == GPR_RDI, "entry code");
_Static_assert(offsetof(struct x86_gprs, r8) == GPR_R8, "entry code");
_Static_assert(offsetof(struct x86_gprs, r15) == GPR_R15, "entry code");
#endif
