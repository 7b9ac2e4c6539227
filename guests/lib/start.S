/* SPDX-License-Identifier: MIT */
/* Where a guest begins: the note that makes it a Pith image, a stack, the hypercall instruction, then guest_main(). */

    .section .note.Pith, "a", @note
    .balign 4
    .long 5                 /* size of the name */
    .long 4                 /* size of the version */
    .long 1                 /* type: version of struct pith_start */
    .asciz "Pith"
    .balign 4
    .long 1

    .section .text.entry, "ax", @progbits
    .globl pith_entry
    .type pith_entry, @function
pith_entry:
    leaq stack_top(%rip), %rsp
    xorl %ebp, %ebp
    call pith_main          /* does not return; RDI: struct pith_start */
    ud2
    .size pith_entry, . - pith_entry

    .bss
    .balign 16
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
