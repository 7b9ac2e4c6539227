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

#ifdef __ASSEMBLER__
/* All but RAX, RDI and RSP, whose turn depends on the vendor; RDI: struct x86_gprs. No flag changes. */
    .macro gprs_load
    mov GPR_RCX(%rdi), %rcx
    mov GPR_RDX(%rdi), %rdx
    mov GPR_RBX(%rdi), %rbx
    mov GPR_RBP(%rdi), %rbp
    mov GPR_RSI(%rdi), %rsi
    mov GPR_R8(%rdi), %r8
    mov GPR_R9(%rdi), %r9
    mov GPR_R10(%rdi), %r10
    mov GPR_R11(%rdi), %r11
    mov GPR_R12(%rdi), %r12
    mov GPR_R13(%rdi), %r13
    mov GPR_R14(%rdi), %r14
    mov GPR_R15(%rdi), %r15
    .endm

    .macro gprs_save
    mov %rcx, GPR_RCX(%rdi)
    mov %rdx, GPR_RDX(%rdi)
    mov %rbx, GPR_RBX(%rdi)
    mov %rbp, GPR_RBP(%rdi)
    mov %rsi, GPR_RSI(%rdi)
    mov %r8, GPR_R8(%rdi)
    mov %r9, GPR_R9(%rdi)
    mov %r10, GPR_R10(%rdi)
    mov %r11, GPR_R11(%rdi)
    mov %r12, GPR_R12(%rdi)
    mov %r13, GPR_R13(%rdi)
    mov %r14, GPR_R14(%rdi)
    mov %r15, GPR_R15(%rdi)
    .endm
#else
#include "arch/x86/vm.h"

_Static_assert(offsetof(struct x86_gprs, rcx) == GPR_RCX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbx) == GPR_RBX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbp) == GPR_RBP, "entry code");
_Static_assert(offsetof(struct x86_gprs, rdi) == GPR_RDI, "entry code");
_Static_assert(offsetof(struct x86_gprs, r8) == GPR_R8, "entry code");
_Static_assert(offsetof(struct x86_gprs, r15) == GPR_R15, "entry code");
#endif
