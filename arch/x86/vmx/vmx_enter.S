/* SPDX-License-Identifier: MIT */
/* The world switch: unsigned vmx_enter(struct x86_gprs *gpr, bool launched, u64 *host_rsp). */
#include "arch/x86/gprs.h"

    .set FIELD_HOST_RSP, 0x6c14     /* VMCS_HOST_RSP */

    .text
    .globl vmx_enter
    .type vmx_enter, @function
vmx_enter:                          /* 0: there was a VM exit; 1: VMfailInvalid; 2: VMfailValid */
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    cmp (%rdx), %rsp                /* the stack is nearly always as deep as last time: one VMWRITE saved */
    je 1f
    mov %rsp, (%rdx)
    mov $FIELD_HOST_RSP, %eax
    vmwrite %rsp, %rax
1:  test %sil, %sil                 /* nothing below changes ZF before the jump */
    mov GPR_RAX(%rdi), %rax
    gprs_load
    mov GPR_RDI(%rdi), %rdi
    jz 2f
    vmresume
    jmp 3f
2:  vmlaunch
3:  mov $1, %eax                    /* still here: it failed, CF or ZF says how; MOV keeps them */
    jc 4f
    mov $2, %eax
4:  pop %rdi
    jmp 5f

    .globl vmx_exit_point
vmx_exit_point:                     /* HOST_RIP; RSP is what HOST_RSP says, all other registers are the guest's */
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, GPR_RAX(%rdi)
    gprs_save
    pop %rax
    mov %rax, GPR_RDI(%rdi)
    pop %rdi
    xor %eax, %eax
    xor %ecx, %ecx                  /* no value of the guest's is left for us to speculate on */
    xor %edx, %edx
    xor %esi, %esi
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
5:  pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size vmx_enter, . - vmx_enter
    .section .note.GNU-stack, "", @progbits
