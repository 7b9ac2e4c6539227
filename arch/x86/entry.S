/* SPDX-License-Identifier: MIT */
/* hv_entry: from the loader's call on the firmware's identity map to hv_main() at the hypervisor's own addresses. */
#include "arch/x86/slot.h"

#define HOST_DIRECT_BASE 0xffff800000000000
#define CR0_VALUE        0x80010033 /* PG WP NE ET MP PE */
#define CR4_PAE          0x20
#define CR4_LA57         0x1000     /* cannot change in long mode: kept */
#define MSR_EFER         0xc0000080
#define EFER_NXE         11
#define DR7_RESET        0x400
#define STACK_BYTES      (SLOT_STACK_PAGES * 4096)

    .section .text.entry, "ax"
    .globl hv_entry
hv_entry: /* RDI: physical address of struct handoff; no stack */
    cli
    cld
    mov %rdi, %rbx
    lea boot_slot + 4096 + STACK_BYTES(%rip), %rsp
    pushq $2
    popfq                       /* AC would undo SMAP */
    mov $DR7_RESET, %eax        /* a breakpoint that the firmware left armed may be at one of our addresses */
    mov %rax, %dr7
    call early_root
    mov %rax, %r12

    mov $MSR_EFER, %ecx
    rdmsr
    bts $EFER_NXE, %eax
    wrmsr
    mov %cr4, %rax
    and $CR4_LA57, %eax
    or $CR4_PAE, %eax
    mov %rax, %cr4
    mov $CR0_VALUE, %eax
    mov %rax, %cr0
    mov %r12, %cr3
    movabs $high, %rax
    jmp *%rax

high:
    movabs $(SLOT_BASE + SLOT_STACK * 4096 + STACK_BYTES), %rsp
    xor %ebp, %ebp
    xor %edi, %edi
    call desc_load              /* exceptions are reported from here on */
    movabs $HOST_DIRECT_BASE, %rdi
    add %rbx, %rdi
    xor %ebp, %ebp
    call hv_main
    ud2
