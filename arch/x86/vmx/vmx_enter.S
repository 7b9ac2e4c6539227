/* SPDX-License-Identifier: MIT */
/*
 * enum exit_action vmx_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn): into the guest and
 * back, and again, into another one too, as long as nothing special ends its run. SDM 3, "VM Entries". Nothing is kept in registers from one entry to
 * the next: saving and restoring what C functions preserve would cost a tenth of a round.
 */
#include "arch/x86/gprs.h"

    .set STATE_HOST_RSP, 2 * 4096   /* vmx_state()->host_rsp */
    .set FIELD_HOST_RSP, 0x6c14     /* VMCS_HOST_RSP */
    .set FIELD_RIP, 0x681e          /* VMCS_GUEST_RIP */
    .set FIELD_RFLAGS, 0x6820       /* VMCS_GUEST_RFLAGS */
    .set FIELD_SHADOW, 0x4824       /* VMCS_GUEST_INTERRUPTIBILITY */

/* RIP that leaves its 64 KiB may have to be wrapped. A VMREAD that fails is vmx_skip()'s to report. */
    .macro vmx_skip_told
    jrcxz 7f
    mov $FIELD_RFLAGS, %eax
    vmread %rax, %rdx
    jbe 7f
    test $SKIP_FLAGS, %edx
    jnz 7f
    mov $FIELD_SHADOW, %eax
    vmread %rax, %rdx
    jbe 7f
    test $3, %dl                    /* by STI, by MOV SS */
    jnz 7f
    mov $FIELD_RIP, %eax
    vmread %rax, %rdx
    jbe 7f
    add %cx, %dx
    jc 7f
    vmwrite %rdx, %rax
    jbe 7f
    .endm

    .text
    .globl vmx_vcpu_run
    .type vmx_vcpu_run, @function
vmx_vcpu_run:
    run_begin
0:  mov V_HW(%rdi), %rcx
    cmp STATE_HOST_RSP(%rcx), %rsp  /* the stack is nearly always as deep as last time: one VMWRITE saved */
    je 1f
    mov %rsp, STATE_HOST_RSP(%rcx)
    mov $FIELD_HOST_RSP, %eax
    vmwrite %rsp, %rax
1:  mov V_VM(%rdi), %rax
    mov V_PLAIN_EPOCH(%rdi), %rdx
    cmp VM_S2_EPOCH(%rax), %rdx
    jne 3f
    exit_ends
    mov GPR_RAX(%rdi), %rax
    gprs_load
    mov GPR_RDI(%rdi), %rdi
    vmresume
2:  mov $1, %edx                    /* still here: it failed, CF or ZF says how; MOV keeps them */
    jc 4f
    mov $2, %edx
4:  mov (%rsp), %rdi
    mov 8(%rsp), %rsi
    call vmx_refused
    mov (%rsp), %rdi
    mov 8(%rsp), %rsi
    call *16(%rsp)
    run_end

3:  call vmx_prepare
    mov (%rsp), %rdi
    exit_ends
    cmpb $0, V_LAUNCHED(%rdi)
    movb $1, V_LAUNCHED(%rdi)
    mov GPR_RAX(%rdi), %rax
    gprs_load                       /* no flag changes */
    mov GPR_RDI(%rdi), %rdi
    je 5f
    vmresume
    jmp 2b
5:  vmlaunch
    jmp 2b

    .globl vmx_exit_point
vmx_exit_point:                     /* HOST_RIP; RSP is what HOST_RSP says, all other registers are the guest's */
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, GPR_RAX(%rdi)
    gprs_save
    pop GPR_RDI(%rdi)
    exit_begins
    gprs_clear
    exit_handle vmx_left, vmx_skip_told, 1b, 0b
    run_end
    .size vmx_vcpu_run, . - vmx_vcpu_run
    .section .note.GNU-stack, "", @progbits
