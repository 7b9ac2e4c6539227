/* SPDX-License-Identifier: MIT */
/* Where another vCPU begins: copied to the page its SIPI names, entered in real mode at its first byte. */

#define PAGE 0x8000
#define AT(label) (PAGE + (label) - smp_begin)

    .section .rodata
    .balign 16
    .globl smp_begin, smp_end, smp_cr3, smp_stack, smp_entry
    .code16
smp_begin:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl gdtr - smp_begin
    movl $0x620, %eax               /* PAE OSFXSR OSXMMEXCPT, as a start has them */
    movl %eax, %cr4
    movl smp_cr3 - smp_begin, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax                /* EFER.LME */
    wrmsr
    movl $0x80010033, %eax          /* PG WP NE ET MP PE */
    movl %eax, %cr0
    ljmpl $0x08, $AT(long_mode)
    .code64
long_mode:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq smp_stack(%rip), %rsp
    xorl %ebp, %ebp
    pushq $0                        /* nowhere to return to */
    jmpq *smp_entry(%rip)

    .balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:
    .word gdtr - gdt - 1
    .long AT(gdt)
    .balign 8
smp_cr3:
    .quad 0
smp_stack:
    .quad 0
smp_entry:
    .quad 0
smp_end:

    .section .note.GNU-stack, "", @progbits
