/* SPDX-License-Identifier: MIT */
/*
 * void svm_enter(struct arch_vcpu *v, struct vm_exit *exit, hpa_t vmcb, hpa_t host_vmcb): into the guest and back, then
 * svm_left(v, exit). APM 2, "VMRUN Instruction". The general registers are the first of what *v holds.
 */
#include "arch/x86/gprs.h"

    .text
    .globl svm_enter
    .type svm_enter, @function
svm_enter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rcx                       /* host_vmcb */
    push %rsi                       /* exit */
    push %rdi                       /* v */
    mov %rdx, %rax
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
    pop %rdi                        /* v */
    pop %rsi                        /* exit */
    pop %rax                        /* host_vmcb */
    vmload %rax
    cli
    stgi

    /*
     * What the callee-saved ones below do not overwrite: nothing of the guest's choosing feeds
     * speculation.
     */
    xor %ecx, %ecx
    xor %edx, %edx
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    jmp svm_left
    .size svm_enter, . - svm_enter
    .section .note.GNU-stack, "", @progbits
