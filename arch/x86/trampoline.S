/* SPDX-License-Identifier: MIT */
/*
 * Where another core begins: real mode at the start of a page below 1 MiB, to 64-bit code at the hypervisor's addresses.
 * A core that comes late, after it was given up, finds that the page no longer names it and halts before it needs a stack.
 */
#include "arch/x86/trampoline.h"

#define CR0_VALUE 0x80010033 /* PG WP NE ET MP PE */
#define MSR_EFER  0xc0000080
#define EFER_BITS 0x900      /* LME NXE */

#define AT(label)    ((label) - trampoline_start)
#define ARG(what)    (TRAMPOLINE_ARGS + (what))

    .section .rodata.trampoline, "a"
    .balign 16
    .globl trampoline_start, trampoline_end
trampoline_start:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds

    mov ARG(ARGS_LEAF), %eax
    xor %ecx, %ecx
    cpuid
    cmpl $1, ARG(ARGS_LEAF)
    jne 1f
    shr $24, %ebx
    mov %ebx, %edx
1:  cmp %edx, ARG(ARGS_APIC_ID)
    jne wrong
    mov %edx, %esi

    /* Addresses within this page become linear ones. */
    xor %ebx, %ebx
    mov %cs, %bx
    shl $4, %ebx
    lea AT(start_gdt)(%ebx), %eax
    mov %eax, AT(start_gdtr) + 2
    lea AT(long_mode)(%ebx), %eax
    mov %eax, AT(start_far)
    lgdtl AT(start_gdtr)

    mov ARG(ARGS_CR4), %eax
    mov %eax, %cr4
    mov ARG(ARGS_CR3), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    xor %edx, %edx
    mov $EFER_BITS, %eax
    wrmsr
    mov $CR0_VALUE, %eax
    mov %eax, %cr0
    ljmpl *AT(start_far)

wrong:
    cli
    hlt
    jmp wrong

    .code64
long_mode:
    mov trampoline_start + ARG(ARGS_ENTRY)(%rip), %rax
    jmp *%rax

    .balign 8
start_gdt: /* accessed bits set: the page is read-only once paging is on */
    .quad 0, 0x00af9b000000ffff
start_gdtr:
    .word 15
    .long 0
start_far:
    .long 0
    .word 8
trampoline_end:

    .text
    .globl smp_enter
smp_enter: /* ESI: APIC ID. Only the core that is being waited for gets the stack. */
    lea 1(%rsi), %eax
    xor %ecx, %ecx
    lock cmpxchg %ecx, smp_claim(%rip)
    jne late
    mov smp_stack(%rip), %rsp
    xor %ebp, %ebp
    call smp_arrive
    ud2

late:
    cli
    hlt
    jmp late
