/* SPDX-License-Identifier: MIT */
/* Trap stubs, and the few instructions that are allowed to fault. */

    .text

    .globl trap_stubs
    .balign 16
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    /* The processor pushes an error code for these (SDM 3A, "Exception and Interrupt Reference"). */
    .if !((vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30))
    push $0
    .endif
    push $vector
    .if vector < 32
    jmp trap_common
    .else
    jmp irq_common
    .endif
    .set vector, vector + 1
    .endr

/* Interrupts: nobody looks at where they came, so only what C functions change is kept. */
irq_common:
    cld
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    movzbl 72(%rsp), %edi
    call irq_dispatch /* 16 words leave the stack aligned */
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

trap_common:
    cld
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %rdi
    call trap_dispatch /* the processor aligned the stack; 22 words leave it aligned */
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .globl rdmsr_safe
rdmsr_safe: /* EDI: msr, RSI: u64 *val */
    mov %edi, %ecx
    .globl safe_rdmsr
safe_rdmsr:
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret

    .globl safe_failed
safe_failed:
    xor %eax, %eax
    ret

/*
 * arch_idle(): an NMI that arrives before HLT would be lost if the handler did not see that RIP is between idle_begin and
 * idle_end and move it to idle_end.
 */
    .globl arch_idle, idle_begin, idle_end
arch_idle:
idle_begin:
    sti
    hlt
idle_end:
    cli
    ret
