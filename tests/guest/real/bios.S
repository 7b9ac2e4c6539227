/* SPDX-License-Identifier: MIT */
/*
 * A bzImage with nothing but the real-mode entry (boot protocol 2.02): what it finds when it starts, and every call of the BIOS
 * that Pith gives it (boot/image/bios.S). With a command line that begins with "u" it executes UD2.
 */

#define SECTS     7      /* of setup, after the boot sector */
#define KERNEL    0x1000 /* bytes of the protected-mode part: only looked at */
#define CMDLINE   0x228
#define HEAP_END  0xe000
#define SMAP      0x534d4150

    .code16
    .text
    .org 0x1f1
    .byte SECTS
    .word 0
    .long KERNEL / 16
    .word 0, 0, 0, 0xaa55
    .byte 0xeb, start - header       /* jump */
header:
    .ascii "HdrS"
    .word 0x202
    .long 0
    .word 0, 0
    .byte 0
loadflags:
    .byte 1                          /* loaded high */
    .word 0
    .long 0x100000, 0, 0, 0
    .word 0, 0
cmdline:
    .long 0

    .macro result name
    jne 91f
    incw passed
    movw $ok_\name, %si
    jmp 92f
91: incw failed
    movw $bad_\name, %si
92: call say
    .pushsection .rodata
bad_\name: .ascii "not "
ok_\name: .asciz "ok \name\r\n"
    .popsection
    .endm

    /* ZF=1: CF was clear. Keeps the rest. */
    .macro no_carry
    pushw %ax
    sbbw %ax, %ax
    popw %ax
    .endm

    /* ZF=1: CF was set. */
    .macro carry
    cmc
    no_carry
    .endm

start:
    movw %ds, %ax
    movw %ss, %bx
    movw %es, %cx
    movw %cs, %dx
    subw $0x20, %dx
    cmpw %ax, %bx
    jne 1f
    cmpw %ax, %cx
    jne 1f
    cmpw %ax, %dx
    jne 1f
    cmpw $HEAP_END, %sp
1:  result segments
    cld
    /* From here on the setup part is segment DS, with offsets from its beginning; it was entered with CS 20h above. */
    pushw %ds
    pushw $1f
    lret
1:
    movl cmdline, %eax
    movl %eax, %ecx
    shrl $4, %eax
    movw %ax, %es
    andw $15, %cx
    movw %cx, %di
    cmpb $'u', %es:(%di)
    jne 1f
    ud2
1:  cmpb $'h', %es:(%di)
    result command_line
    testb $0x80, loadflags
    setz %al
    testb %al, %al
    result heap

    movb $0x0f, %ah
    int $0x10
    cmpw $80 << 8 | 3, %ax
    result video_mode
    movw $0x0205, %ax
    movw $0x0203, %dx
    movb $2, %ah
    int $0x10
    xorw %dx, %dx
    movb $3, %ah
    int $0x10
    cmpw $0x0203, %dx
    result cursor
    movw %ds, %ax
    movw %ax, %es
    movw $string, %bp
    movw $string_end - string, %cx
    movw $0x1300, %ax
    int $0x10

    int $0x11
    andw $0x0200, %ax
    cmpw $0x0200, %ax
    result serial_port_there
    int $0x12
    cmpw $640, %ax
    result low_memory

    call walk_memory
    cmpl $0xa0000, low
    result memory_map_low
    movl high, %eax
    subl $0x100000, %eax
    shrl $10, %eax
    movl %eax, %ebp
    movb $0x88, %ah
    int $0x15
    pushfw
    movzwl %ax, %eax
    cmpl %ebp, %eax
    result memory_88
    popfw
    no_carry
    result memory_88_carry
    movw $0xe801, %ax
    int $0x15
    no_carry
    result memory_e801_carry
    movzwl %ax, %eax
    movzwl %bx, %ebx
    shll $6, %ebx
    addl %ebx, %eax
    movl %ebp, %ebx
    subl %eax, %ebx
    andl $~63, %ebx
    result memory_e801
    movw $0x2402, %ax
    int $0x15
    cmpb $1, %al
    result line_20
    movb $0xc0, %ah
    int $0x15
    no_carry
    result configuration_carry
    cmpb $0xfc, %es:2(%bx)
    result configuration
    movw $0x5300, %ax /* APM: not there */
    int $0x15
    carry
    result unknown_carry
    movw $0x4100, %ax
    int $0x13
    carry
    result disk_carry

    movb $1, %ah
    int $0x16
    setnz %al
    testb %al, %al
    result no_key

    sti
    movb $0, %ah
    int $0x1a
    movw %dx, %bx
1:  hlt
    movb $0, %ah
    int $0x1a
    cmpw %dx, %bx
    je 1b
    cmpb $0, %al /* not midnight */
    result ticks
    movb $0x02, %ah
    int $0x1a
    carry
    result clock_carry

    /* The protected-mode part is where it belongs: by a selector of 4 GiB that FS keeps. */
    cli
    lgdt gdt_pointer
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    movw $8, %bx
    movw %bx, %fs
    andb $0xfe, %al
    movl %eax, %cr0
    movl $0x100000, %ebx
    cmpl $0x12345678, %fs:(%ebx)
    result kernel
    sti

    movw passed, %ax
    movw $passed_text, %di
    call put_number
    movw failed, %ax
    orb %al, failed_text
    movw $report, %si
    call say
    int $0x18
1:  hlt
    jmp 1b

/* By INT 15h, AX=E820h: @low and @high are the ends of RAM from 0 and from 1 MiB. */
walk_memory:
    movw %ds, %ax
    movw %ax, %es
    xorl %ebx, %ebx
1:  movl $0xe820, %eax
    movl $SMAP, %edx
    movl $20, %ecx
    movw $entry, %di
    int $0x15
    jc 3f
    cmpl $SMAP, %eax
    jne 3f
    cmpl $20, %ecx
    jne 3f
    cmpl $1, entry + 16
    jne 2f
    movl entry, %eax
    addl entry + 8, %eax
    cmpl $0, entry
    jne 4f
    movl %eax, low
4:  cmpl $0x100000, entry
    jne 2f
    movl %eax, high
2:  testl %ebx, %ebx
    jnz 1b
3:  ret

/* The string at DS:SI. */
say:
    pushw %ax
    pushw %bx
1:  lodsb
    testb %al, %al
    jz 2f
    movb $0x0e, %ah
    xorw %bx, %bx
    int $0x10
    jmp 1b
2:  popw %bx
    popw %ax
    ret

put_number:
    aam
    addw $0x3030, %ax
    xchgb %al, %ah
    movw %ax, (%di)
    ret

    .section .rodata
string: .ascii "ok string\r\n"
string_end:
    .data
    .balign 8
gdt: .quad 0, 0x00cf93000000ffff
gdt_pointer: .word 15
    .long 0x10000 + gdt
entry: .skip 20
low: .long 0
high: .long 0
passed: .word 0
failed: .word 0
report:
passed_text: .ascii "00 passed, "
failed_text: .asciz "0 failed\r\n"
    .section .kernel, "a"
    .long 0x12345678

    .section .note.GNU-stack, "", @progbits
