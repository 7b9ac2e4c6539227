/* SPDX-License-Identifier: MIT */
/* Entry points of exceptions and of one interrupt vector, and the way back out of an exception: see trap.h. */

#define FIRST_IRQ 0x40

/* Eight bytes of zero where the processor pushes no error code, then the vector. SDM 3, Error Code. */
    .macro gate vector
gate_\vector:
    .if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21)
    pushq $0
    .endif
    pushq $\vector
    jmp common
    .endm

    .altmacro
    .macro gate_value n
    gate \n
    .endm
    .macro address_value n
    .quad gate_\n
    .endm

    .text
    .set i, 0
    .rept 32
    gate_value %i
    .set i, i + 1
    .endr
    gate_value %FIRST_IRQ

/* RSP: struct trap_frame from vector on. */
common:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rdi
    pushq %rsi
    pushq %rbp
    pushq %rbx
    pushq %rdx
    pushq %rcx
    pushq %rax
    cld
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call trap_entered       /* returns for an interrupt only, or to leave trap_try() with the vector */
    testl %eax, %eax
    jns unwind
    movq %rbp, %rsp
    popq %rax
    popq %rcx
    popq %rdx
    popq %rbx
    popq %rbp
    popq %rsi
    popq %rdi
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    addq $16, %rsp
    iretq

    .globl trap_try
    .type trap_try, @function
trap_try:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq $0                /* aligns */
    movq %rsp, trap_resume(%rip)
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    movl $-1, %eax
/* EAX: what trap_try() returns. From CPL 3, SS is null by now. */
unwind:
    movl $0x10, %edx
    movl %edx, %ss
    movq trap_resume(%rip), %rsp
    movq $0, trap_resume(%rip)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size trap_try, . - trap_try

/* RDI: struct { fn, arg, stack }; becomes fn(arg) at CPL 3. */
    .globl trap_enter_user
    .type trap_enter_user, @function
trap_enter_user:
    movl $0x1b, %edx
    movl %edx, %ds
    movl %edx, %es
    pushq %rdx              /* SS */
    pushq 16(%rdi)          /* RSP */
    pushq $2                /* RFLAGS */
    pushq $0x23             /* CS */
    pushq (%rdi)            /* RIP */
    movq 8(%rdi), %rdi
    iretq
    .size trap_enter_user, . - trap_enter_user

    .section .rodata
    .balign 8
    .globl trap_gates
trap_gates:
    .set i, 0
    .rept 32
    address_value %i
    .set i, i + 1
    .endr
    address_value %FIRST_IRQ

    .section .note.GNU-stack, "", @progbits
