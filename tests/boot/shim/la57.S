/* SPDX-License-Identifier: MIT */
/* Five levels of page tables, as some firmware may leave them: the way there leads through 32-bit code without paging. */
#define CR4_LA57 12
#define CR0_PG   31
#define CODE64   0x08
#define CODE32   0x10
#define DATA     0x18

    .text
    .globl shim_la57
shim_la57: /* EDI: the new root. All of this lies below 4 GiB. */
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    sgdt old_gdtr(%rip)
    mov %cs, %rbx
    mov %ss, %rbp
    mov %rsp, old_rsp(%rip)
    lea shim_gdt(%rip), %rax
    mov %rax, shim_gdtr + 2(%rip)
    lgdt shim_gdtr(%rip)
    lea old_rsp(%rip), %rsi
    lea five(%rip), %rcx
    lea without(%rip), %rax
    push $CODE32
    push %rax
    lretq

    .code32
without:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov %cr0, %eax
    btr $CR0_PG, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    bts $CR4_LA57, %eax
    mov %eax, %cr4
    mov %edi, %cr3
    mov %cr0, %eax
    bts $CR0_PG, %eax
    mov %eax, %cr0
    mov (%esi), %esp
    push $CODE64
    push %ecx
    lret

    .code64
five:
    mov old_rsp(%rip), %rsp
    lgdt old_gdtr(%rip)
    mov %ebp, %ss
    mov %ebp, %ds
    lea back(%rip), %rax
    push %rbx
    push %rax
    lretq
back:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .data
    .balign 8
old_rsp:
    .quad 0
old_gdtr:
    .skip 10
    .balign 8
shim_gdtr:
    .word 31
    .quad 0
    .balign 8
shim_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf9b000000ffff, 0x00cf93000000ffff
