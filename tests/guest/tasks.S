/* SPDX-License-Identifier: MIT */
/*
 * A multiboot kernel that switches tasks by hardware in every way: JMP, CALL, IRET, task gates for INT, for exceptions with an error
 * code and for double faults, with page directories and LDTs of their own, at CPL 3, in virtual-8086 mode, of the 16-bit kind, and one that
 * cannot be loaded. SDM 3, Task Management. without=N: bit 7 leaves out what an emulator gets wrong (EXCEPTIONS in tests/boot/cases.py).
 */

#define MULTIBOOT_MAGIC 0x1badb002

#define COM1        0x3f8
#define PM1_CONTROL 0x604
#define SOFT_OFF    0x3400

#define CR0_TS  (1 << 3)
#define CR0_PG  (1 << 31)
#define CR4_PSE (1 << 4)
#define FLAG_C  (1 << 0)
#define FLAG_NT (1 << 14)
#define FLAG_VM (1 << 17)
#define FLAGS_USER 0x3002
#define FLAGS_V86  0x23002

#define CODE   0x08
#define DATA   0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define DATA16 0x28
#define LDT    0x30
#define IN_LDT 0x0c
#define NOWHERE 0x7ff8
/* Tasks: the first one is the main program. */
#define A 0x38
#define B 0x40
#define C 0x48
#define G 0x50
#define P 0x58
#define L 0x60
#define U 0x68
#define S 0x70
#define T 0x78
#define E 0x80
#define V 0x88
#define D 0x90

#define FREE 0x89
#define BUSY 0x8b
#define TYPE(task) gdt+(task)+5

#define TSS_CR3 28
#define TSS_EIP 32
#define TSS_EBX 52
#define TSS_SS  80

#define INFO_CMDLINE 16 /* Multiboot Specification, Boot information format */
#define W_LATE  (1 << 7)

#define MAGIC 0x600dbeef
#define PAGE_4M 0x87
#define MIB4  0x400000

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

    /* ZF=1: it is so; else says "not ok NAME". */
    .macro is name
    je 91f
    incl failed
    movl $bad_\name, %esi
    call say
    jmp 92f
91: incl passed
92:
    .pushsection .rodata
bad_\name: .asciz "not ok \name\n"
    .popsection
    .endm

    .macro flag mask, name
    pushf
    popl %eax
    andl $\mask, %eax
    cmpl $\mask, %eax
    is \name
    .endm

    .macro no_flag mask, name
    pushf
    popl %eax
    testl $\mask, %eax
    is \name
    .endm

    .macro task_is task, name
    str %ax
    cmpw $\task, %ax
    is \name
    .endm

    .text
    .code32
    .globl _start
_start:
    cli
    cld
    movl $stack_a, %esp
    lgdt gdt_pointer
    ljmp $CODE, $1f
1:  movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    lidt idt_pointer
    movl $A, %eax
    ltr %ax
    call read_without

    /* JMP to B, and JMP back. */
    movl $0x1234, %esi
    movl $0x4321, %ebx
    stc
    ljmp $B, $0
a1: pushf
    popl %eax
    andl $FLAG_NT | FLAG_C, %eax
    cmpl $FLAG_C, %eax
    is jmp_flags
    cmpl $0x4321, %ebx
    is jmp_ebx
    task_is A, jmp_back
    cmpb $FREE, TYPE(B)
    is jmp_free
    cmpb $BUSY, TYPE(A)
    is jmp_busy

    /* CALL it, where it was; and again, behind its IRET. */
    clts
    lcall $B, $0
    no_flag FLAG_NT, call_flags
    task_is A, call_back
    cmpb $FREE, TYPE(B)
    is call_free
    lcall $B, $0
    cmpl $1, third
    is call_again

    /* By INT and a task gate */
    int $0x30
    int $0x30
    cmpl $2, calls
    is gate_twice
    task_is A, gate_back

    /* An exception with an error code, whose handler steps over the instruction; the double fault that it becomes without one */
    movl $NOWHERE, %eax
    movl $NOWHERE, %edi
bad_mov:
    movl %eax, %fs
    cmpl %edi, error
    is error_code
    movl $0, error
    movl idt + 8 * 13 + 4, %ebx
    movl $0, idt + 8 * 13 + 4
    movl %edi, %eax
    movl %eax, %fs
    movl %ebx, idt + 8 * 13 + 4
    cmpl $1, doubles
    is double_fault
    cmpl $0, error
    is double_error

    /* Paging, and a task with tables of its own */
    movl $PAGE_4M, directory
    movl $PAGE_4M | MIB4, directory + 4
    movl $PAGE_4M, directory_p
    movl $PAGE_4M, directory_p + 4
    movl %cr4, %eax
    orl $CR4_PSE, %eax
    movl %eax, %cr4
    movl $directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    lcall $P, $0
    movl %cr3, %eax
    cmpl $directory, %eax
    is cr3_back

    lcall $L, $0
    sldt %ax
    testw %ax, %ax
    is ldt_back
    testl $W_LATE, without
    jnz 1f
    cmpb $0x93, ldt + 8 + 5
    is accessed
1:

    lcall $U, $0
    movl %cs, %eax
    cmpw $CODE, %ax
    is cpl_back
    cmpl $USER_CODE, user_cs
    is cpl

    /* Its SS is no stack: #TS, when all else of it is there. */
    ljmp $S, $0
    cmpl $CODE, ts_error
    is ts_error
    cmpw $S, tss_t
    is ts_link
    testl $W_LATE, without
    jnz 1f
    cmpl $s1, tss_s + TSS_EIP
    is ts_eip
1:
    cmpw $CODE, tss_s + TSS_SS
    is ts_ss

    movl $0x87654321, %ebx
    lcall $E, $0
    cmpl $0x87654321, %ebx
    is tss16_back
    cmpl $0x10000 * A + 0x5577, tss16_said
    is tss16

    ljmp $V, $0
    cmpl $0x5a5a, v86_said
    is v86
    task_is A, v86_back

    aam
    movl passed, %eax
    aam
    addw $0x3030, %ax
    movb %ah, passed_text
    movb %al, passed_text + 1
    movl failed, %eax
    addb $'0', %al
    movb %al, failed_text
    movl $passed_text, %esi
    call say
    movw $SOFT_OFF, %ax
    movw $PM1_CONTROL, %dx
    outw %ax, %dx
1:  hlt
    jmp 1b

/* The number behind the first '=' */
read_without:
    movl INFO_CMDLINE(%ebx), %esi
    xorl %eax, %eax
1:  lodsb
    cmpb $1, %al
    jb 3f
    cmpb $'=', %al
    jne 1b
2:  lodsb
    subb $'0', %al
    cmpb $9, %al
    ja 3f
    imull $10, without, %edx
    addl %eax, %edx
    movl %edx, without
    jmp 2b
3:  ret

say:
    movl $COM1, %edx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  ret

b1: cmpl $0x11, %eax
    is jmp_eax
    cmpl $0x77, %edi
    is jmp_edi
    task_is B, jmp_task
    movl %cr0, %eax
    andl $CR0_TS, %eax
    cmpl $CR0_TS, %eax
    is jmp_ts
    clts
    no_flag FLAG_NT, jmp_not_nested
    cmpl $a1, tss_a + TSS_EIP
    is jmp_old_eip
    cmpl $0x4321, tss_a + TSS_EBX
    is jmp_old_ebx
    cmpb $FREE, TYPE(A)
    is jmp_old_free
    cmpb $BUSY, TYPE(B)
    is jmp_new_busy
    ljmp $A, $0
    flag FLAG_NT, call_nested
    cmpw $A, tss_b
    is call_link
    cmpb $BUSY, TYPE(A)
    is call_old_busy
    iret
    incl third
    iret

c1: incl calls
    iret
    jmp c1

g1: popl error
    cmpl $bad_mov, tss_a + TSS_EIP
    je 1f
    incl failed
1:  addl $2, tss_a + TSS_EIP
    iret
    jmp g1

d1: popl error
    incl doubles
    addl $2, tss_a + TSS_EIP
    iret

p1: cmpl $MAGIC, magic + MIB4
    is cr3
    movl %cr3, %eax
    cmpl $directory_p, %eax
    is cr3_value
    iret

l1: cmpl $MAGIC, %fs:0
    is ldt
    sldt %ax
    cmpw $LDT, %ax
    is ldt_register
    iret

u1: movl %cs, %eax
    movl %eax, user_cs
    iret

s1: ud2

t1: popl ts_error
    ljmp $A, $0

e1: movw %di, %ax
    addw %ax, tss16_said
    addw %bp, tss16_said
    movw tss_e, %ax
    movw %ax, tss16_said + 2
    iret

    .code16
v1: movw $0x5a5a, v86_said
    int $0x31
    .code32
v0: movl $DATA, %eax
    movl %eax, %ds
    testl $FLAG_VM, 8(%esp)
    jnz 1f
    incl failed
1:  ljmp $A, $0

    .data
    .macro stack name
    .balign 4
    .skip 128
\name:
    .endm
    stack stack_a
    stack stack_b
    stack stack_c
    stack stack_g
    stack stack_p
    stack stack_l
    stack stack_u
    stack stack_s
    stack stack_t
    stack stack_e
    stack stack_v
    stack stack_d

    /* 32-bit; what a switch does not write: LINK, the stack of CPL 0, CR3, LDT */
    .macro tss name, eip, esp, flags=2, cs=CODE, ss=DATA, data=DATA, fs=DATA, ldt=0, cr3=directory
    .balign 4
\name:
    .long 0, \esp, DATA, 0, 0, 0, 0, \cr3, \eip, \flags
    .long 0x11, 0x22, 0x33, 0x44, \esp, 0x55, 0x66, 0x77
    .long \data, \cs, \ss, \data, \fs, 0, \ldt, 104 << 16
    .endm
    tss tss_a, 0, 0
    tss tss_b, b1, stack_b
    tss tss_c, c1, stack_c
    tss tss_g, g1, stack_g
    tss tss_d, d1, stack_d
    tss tss_p, p1, stack_p, cr3=directory_p
    tss tss_l, l1, stack_l, fs=IN_LDT, ldt=LDT
    tss tss_u, u1, stack_u, flags=FLAGS_USER, cs=USER_CODE, ss=USER_DATA, data=USER_DATA, fs=0
    tss tss_s, s1, stack_s, ss=CODE
    tss tss_t, t1, stack_t
    tss tss_v, v1, (stack_v-64), flags=FLAGS_V86, cs=0, ss=0, data=0, fs=0
tss_e: /* the 16-bit kind */
    .word 0, 0, 0, 0, 0, 0, 0, e1, 2, 0x11, 0x22, 0x33, 0x44, stack_e, 0x5500, 0x66, 0x77, DATA, CODE, DATA16, DATA, 0

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x000093000000ffff
    .word 15, ldt, 0x8200, 0
    .irp name, a, b, c, g, p, l, u, s, t
    .word 0x67, tss_\name, 0x8900, 0
    .endr
    .word 0x2b, tss_e, 0x8100, 0
    .word 0x67, tss_v, 0x8900, 0
    .word 0x67, tss_d, 0x8900, 0
gdt_end:
ldt: .quad 0
    .word 0xffff, magic, 0x9200, 0xcf

    .macro task_gate task
    .word 0, \task, 0x8500, 0
    .endm
idt:
    .fill 8, 8, 0
    task_gate D
    .fill 1, 8, 0
    task_gate T
    .fill 2, 8, 0
    task_gate G
    .fill 0x30 - 14, 8, 0
    task_gate C
    .word v0, CODE, 0xee00, 0
idt_end:
gdt_pointer: .word gdt_end - gdt - 1
    .long gdt
idt_pointer: .word idt_end - idt - 1
    .long idt
passed_text: .ascii "00 passed, "
failed_text: .asciz "0 failed\n"
    .balign 4
magic: .long MAGIC
without: .long 0
third: .long 0
calls: .long 0
error: .long 0
doubles: .long 0
user_cs: .long 0
ts_error: .long 0
tss16_said: .long 0
v86_said: .long 0
passed: .long 0
failed: .long 0

    .section .tables, "aw", @nobits
    .balign 4096
directory: .skip 4096
directory_p: .skip 4096

    .section .note.GNU-stack, "", @progbits
