/* SPDX-License-Identifier: MIT */
/* What the entry code of both vendors shares: offsets, asserted against the structures wherever C includes this, and its loop. */
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
/* struct arch_vcpu, which begins with the general registers; struct arch_vm; struct arch_cpu */
#define V_COME_OUT    128
#define V_VM          144
#define V_HW          160
#define V_HW_HPA      168
#define V_PLAIN_EPOCH 176
#define V_HOST_VMCB   184
#define V_LAUNCHED    553
#define V_SHUTDOWN    556
#define V_SPENT       320
#define V_LEFT_AT     488
#define V_KIND        492
#define VM_S2_EPOCH   16
#define EXIT_LEN      1 /* struct vm_exit */
#define SKIP          1 /* enum exit_action; RESUME is 0 */
#define SKIP_FLAGS    0x10100 /* SKIP_RFLAGS */

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

/*
 * The rest of a round, from *_left() to the next entry at @again, or, of another vCPU, at @other, as long as arch_vcpu_run() says.
 * RDI: v, and on the stack: v, exit, handle, turn. @skip goes past an instruction whose length is in
 * RCX, or to 7 where more is to be done than that; RDI: v, as afterwards.
 * EAX: what the handler said; falls through to the end of the run.
 */
    .macro exit_handle left, skip, again, other
    mov 8(%rsp), %rsi
    call \left
    mov (%rsp), %rdi
    mov 8(%rsp), %rsi
    call *16(%rsp)
    mov (%rsp), %rdi
    cmp $SKIP, %eax
    jne 8f
    mov 8(%rsp), %rsi
    movzbl EXIT_LEN(%rsi), %ecx
    \skip
6:  cmpl $0, V_COME_OUT(%rdi)
    je \again
    call *24(%rsp)
    test %rax, %rax
    jz 9f
    mov %rax, %rdi
    mov %rax, (%rsp)
    cmpb $0, V_SHUTDOWN(%rdi)
    je \other
    xor %eax, %eax
    jmp 9f
7:  mov $SKIP, %eax
    jmp 9f
8:  test %eax, %eax
    jz 6b
9:
    .endm

/* arch_vcpu.spent: RDI: v. The TSC in RAX and RDX is nothing of the guest's. */
    .macro exit_begins
    rdtsc
    mov %eax, V_LEFT_AT(%rdi)
    .endm

    .macro exit_ends /* RAX, RCX and RDX are free */
    rdtsc
    movzbl V_KIND(%rdi), %ecx
    sub V_LEFT_AT(%rdi), %eax
    add %rax, V_SPENT(%rdi, %rcx, 8)
    .endm

    .macro run_begin /* RDI: v, RSI: exit, RDX: handle, RCX: turn; once more, as the stack is aligned */
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rcx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    .endm

    .macro run_end
    add $40, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .endm

/* All but RDI, RSI and RSP, and what exit_begins has overwritten: nothing of the guest's choosing is left to speculate on. */
    .macro gprs_clear
    xor %ecx, %ecx
    xor %ebx, %ebx
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    .endm
#else
#include "arch/x86/skip.h"

_Static_assert(offsetof(struct x86_gprs, rcx) == GPR_RCX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbx) == GPR_RBX, "entry code");
_Static_assert(offsetof(struct x86_gprs, rbp) == GPR_RBP, "entry code");
_Static_assert(offsetof(struct x86_gprs, rdi) == GPR_RDI, "entry code");
_Static_assert(offsetof(struct x86_gprs, r8) == GPR_R8, "entry code");
_Static_assert(offsetof(struct x86_gprs, r15) == GPR_R15, "entry code");
_Static_assert(offsetof(struct arch_vcpu, gpr) == 0, "entry code");
_Static_assert(offsetof(struct arch_vcpu, come_out) == V_COME_OUT, "entry code");
_Static_assert(SKIP_RFLAGS == SKIP_FLAGS, "entry code");
_Static_assert(offsetof(struct vm_exit, insn_len) == EXIT_LEN, "entry code");
_Static_assert(EXIT_SKIP == SKIP && EXIT_RESUME == 0, "entry code");
_Static_assert(offsetof(struct arch_vcpu, vm) == V_VM, "entry code");
_Static_assert(offsetof(struct arch_vcpu, host_vmcb) == V_HOST_VMCB, "entry code");
_Static_assert(offsetof(struct arch_vcpu, hw) == V_HW, "entry code");
_Static_assert(offsetof(struct arch_vcpu, hw_hpa) == V_HW_HPA, "entry code");
_Static_assert(offsetof(struct arch_vcpu, plain_epoch) == V_PLAIN_EPOCH, "entry code");
_Static_assert(offsetof(struct arch_vcpu, launched) == V_LAUNCHED, "entry code");
_Static_assert(offsetof(struct arch_vcpu, shutdown) == V_SHUTDOWN, "entry code");
_Static_assert(offsetof(struct arch_vcpu, spent) == V_SPENT, "entry code");
_Static_assert(offsetof(struct arch_vcpu, left_at) == V_LEFT_AT, "entry code");
_Static_assert(offsetof(struct arch_vcpu, kind) == V_KIND, "entry code");
_Static_assert(offsetof(struct arch_vm, s2_epoch) == VM_S2_EPOCH, "entry code");
#endif
