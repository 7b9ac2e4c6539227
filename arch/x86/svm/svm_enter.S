/* SPDX-License-Identifier: MIT */
/*
 * enum exit_action svm_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn): into the guest and
 * back, and again, into another one too, as long as nothing special ends its run. APM 2, "VMRUN Instruction". Nothing is kept in registers from one entry
 * to the next: saving and restoring what C functions preserve would cost a tenth of a round.
 */
#include "arch/x86/gprs.h"

    .set VMCB_INT_STATE, 0x68
    .set VMCB_RFLAGS, 0x570
    .set VMCB_RIP, 0x578
    .set VMCB_RAX, 0x5f8

/* Where the processor does not tell the length, the bytes at RIP do; RIP that leaves its 64 KiB may have to be wrapped. */
    .macro svm_skip_told
    jrcxz 5f
    mov V_HW(%rdi), %rsi
    testl $SKIP_FLAGS, VMCB_RFLAGS(%rsi)
    jnz 7f
    mov VMCB_RIP(%rsi), %rdx
    add %cx, %dx
    jc 7f
    mov %rdx, VMCB_RIP(%rsi)
    andb $~1, VMCB_INT_STATE(%rsi)
    .endm

    .text
    .globl svm_vcpu_run
    .type svm_vcpu_run, @function
svm_vcpu_run:
    run_begin
1:  mov V_VM(%rdi), %rax
    mov V_PLAIN_EPOCH(%rdi), %rdx
    cmp VM_S2_EPOCH(%rax), %rdx
    jne 3f
2:  exit_ends
    mov V_HW(%rdi), %rax
    mov GPR_RAX(%rdi), %rcx
    mov %rcx, VMCB_RAX(%rax)
    mov V_HW_HPA(%rdi), %rax
    gprs_load
    mov GPR_RDI(%rdi), %rdi

    /*
     * With V_INTR_MASKING the host's IF, as VMRUN finds it, decides whether a physical interrupt
     * ends the guest: hence STI. GIF=0 keeps everything away while FS, GS and TR are the guest's:
     * no interrupt or NMI can be taken on a wrong GS base. The pending ones come at STGI (NMI) and
     * in the caller's own window (interrupts, IF being 0 by then).
     */
    clgi
    sti
    vmload %rax
    vmrun %rax
    vmsave %rax                     /* #VMEXIT has put the VMCB's address back into RAX */

    push %rdi
    mov 8(%rsp), %rdi
    gprs_save
    pop GPR_RDI(%rdi)
    exit_begins
    mov V_HOST_VMCB(%rdi), %rax
    vmload %rax
    cli
    stgi
    gprs_clear
    exit_handle svm_left, svm_skip_told, 1b, 1b
    run_end

5:  call svm_skip_short
    test %al, %al
    jz 7b
    mov (%rsp), %rdi
    jmp 6b

3:  call svm_prepare
    mov (%rsp), %rdi
    jmp 2b
    .size svm_vcpu_run, . - svm_vcpu_run
    .section .note.GNU-stack, "", @progbits
