/* SPDX-License-Identifier: MIT */
/*
 * A BIOS as small as a kernel's real-mode part can do with: text goes to COM1, keys come from there, and there is memory to ask
 * for. Guest code: it runs in the partition, with no more rights than the kernel that calls it. Calls and their registers are
 * those of Ralf Brown's Interrupt List; what is not here answers with CF=1.
 */
#include "boot/image/bios.h"

#define AT(label) (label - bios_start + BIOS_CODE)
#define TOLD(field) %cs:(BIOS_DATA + BIOS_##field)

#define COM1      0x3f8
#define COM1_LSR  0x3fd
#define LSR_DATA  0x01
#define LSR_EMPTY 0x20
#define PIC1      0x20
#define PIC2      0xa0
#define EOI       0x20
#define PIT       0x40

/* The BIOS data area: offsets in segment 40h. */
#define BDA           0x40
#define BDA_COM1      0x00
#define BDA_EQUIPMENT 0x10
#define BDA_MEMORY    0x13
#define BDA_KEY       0x1e /* a key that was looked at and not yet taken, 0: none */
#define BDA_MODE      0x49
#define BDA_COLUMNS   0x4a
#define BDA_CURSOR    0x50 /* column, row */
#define BDA_TICKS     0x6c
#define BDA_MIDNIGHT  0x70
#define BDA_ROWS      0x84 /* less one */

#define EQUIPMENT     0x0222 /* a serial port, an 80-column screen, an FPU */
#define LOW_KIB       640
#define MODE_TEXT     3
#define COLUMNS       80
#define ROWS          25
#define TICKS_PER_DAY 0x1800b0
#define SMAP          0x534d4150

    .section .rodata
    .code16
    .globl bios_start, bios_end
    .hidden bios_start, bios_end
bios_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %es
    movw %cs, %ax
    movw %ax, %ds

    /* Interrupt vectors: first all of them the same, then those of the table. */
    xorw %di, %di
    movl $(BIOS_SEGMENT << 16) + AT(unknown), %eax
    movw $256, %cx
    rep stosl
    movw $AT(vectors), %si
1:  lodsb
    testb %al, %al
    js 2f
    movzbw %al, %di
    shlw $2, %di
    lodsw
    stosw
    jmp 1b
2:
    movw $BDA, %ax
    movw %ax, %ds
    movw $COM1, BDA_COM1
    movw $EQUIPMENT, BDA_EQUIPMENT
    movw $LOW_KIB, BDA_MEMORY
    movb $MODE_TEXT, BDA_MODE
    movw $COLUMNS, BDA_COLUMNS
    movb $ROWS - 1, BDA_ROWS

    /* 8259s: vectors 8 and 70h, the timer's line and the cascade open; the timer at 18.2 Hz. */
    movw $AT(ports), %si
1:  movw %cs:(%si), %ax
    addw $2, %si
    movzbw %al, %dx
    movb %ah, %al
    outb %al, %dx
    cmpw $AT(ports_end), %si
    jb 1b

    /* To the kernel: Linux, The Linux/x86 Boot Protocol, Running the Kernel. */
    movw TOLD(KERNEL_DS), %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movzwl TOLD(KERNEL_SP), %esp
    pushw TOLD(KERNEL_CS)
    pushw $0
    lret

ports: /* port, value */
    .byte PIC1, 0x11, PIC1 + 1, 0x08, PIC1 + 1, 0x04, PIC1 + 1, 0x01, PIC1 + 1, 0xfa
    .byte PIC2, 0x11, PIC2 + 1, 0x70, PIC2 + 1, 0x02, PIC2 + 1, 0x01, PIC2 + 1, 0xff
    .byte PIT + 3, 0x34, PIT, 0, PIT, 0
ports_end:

    .macro vector number, handler
    .byte \number
    .word AT(\handler)
    .endm
vectors:
    vector 0x00, exception
    vector 0x01, nothing
    vector 0x02, nothing
    vector 0x03, nothing
    vector 0x04, nothing
    vector 0x05, nothing
    vector 0x06, exception
    vector 0x07, exception
    vector 0x08, timer
    vector 0x09, master_irq
    vector 0x0a, master_irq
    vector 0x0b, master_irq
    vector 0x0c, master_irq
    vector 0x0d, master_irq
    vector 0x0e, master_irq
    vector 0x0f, master_irq
    vector 0x10, video
    vector 0x11, equipment
    vector 0x12, memory
    vector 0x15, system
    vector 0x16, keyboard
    vector 0x18, give_up
    vector 0x19, give_up
    vector 0x1a, clock
    vector 0x1c, nothing
    vector 0x70, slave_irq
    vector 0x71, slave_irq
    vector 0x72, slave_irq
    vector 0x73, slave_irq
    vector 0x74, slave_irq
    vector 0x75, slave_irq
    vector 0x76, slave_irq
    vector 0x77, slave_irq
    .byte 0xff

/* --- ways back: into the caller's flags go CF, or ZF */
    .macro return_flag name, operation, bits
\name:
    pushw %bp
    movw %sp, %bp
    \operation $\bits, 6(%bp) /* bp, ip, cs, flags */
    popw %bp
    iretw
    .endm
    return_flag failed, orb, 0x01
    return_flag done, andb, 0xfe
    return_flag no_key, orb, 0x40
    return_flag a_key, andb, 0xbf

unknown:
    movb $0x86, %ah
    jmp failed

nothing:
    iretw

/* --- hardware interrupts */
timer:
    pushw %ax
    pushw %ds
    movw $BDA, %ax
    movw %ax, %ds
    incl BDA_TICKS
    cmpl $TICKS_PER_DAY, BDA_TICKS
    jb 1f
    movl $0, BDA_TICKS
    movb $1, BDA_MIDNIGHT
1:  int $0x1c
    popw %ds
end_irq:
    movb $EOI, %al
    outb %al, $PIC1
    popw %ax
    iretw

/* Exceptions share these vectors; they have nothing in service. */
master_irq:
    pushw %ax
    movb $0x0b, %al /* OCW3: read the in-service register */
    outb %al, $PIC1
    inb $PIC1, %al
    testb %al, %al
    jnz end_irq
    popw %ax
exception:
    movw $AT(text_exception), %si
    call print
    movw %sp, %bp
    movw 2(%bp), %ax
    call print_hex
    movb $':', %al
    call put
    movw (%bp), %ax
    call print_hex
    movw $AT(text_line), %si
    call print
    lidtw %cs:AT(no_vectors) /* a triple fault: the partition ends with a report */
    int3

/* INT 18h, 19h: nothing can be booted, so that the machine goes off. */
give_up:
    movw $AT(text_end), %si
    call print
    movw TOLD(OFF_PORT), %dx
    movw TOLD(OFF_VALUE), %ax
    outw %ax, %dx
1:  hlt
    jmp 1b

slave_irq:
    pushw %ax
    movb $EOI, %al
    outb %al, $PIC2
    jmp end_irq

/* --- COM1 */
/* Writes AL; keeps everything. */
put:
    pushw %ax
    pushw %dx
    pushw %ax
    movw $COM1_LSR, %dx
1:  inb %dx, %al
    testb $LSR_EMPTY, %al
    jz 1b
    popw %ax
    movw $COM1, %dx
    outb %al, %dx
    popw %dx
    popw %ax
    ret

/* What stands at CS:SI; changes AL and SI. */
print:
    movb %cs:(%si), %al
    incw %si
    testb %al, %al
    jz 1f
    call put
    jmp print
1:  ret

/* AX in hexadecimal; changes AX, CX. */
print_hex:
    movw $4, %cx
1:  rolw $4, %ax
    pushw %ax
    andb $0x0f, %al
    addb $'0', %al
    cmpb $'9', %al
    jbe 2f
    addb $'a' - '9' - 1, %al
2:  call put
    popw %ax
    loop 1b
    ret

text_exception:
    .asciz "\r\nPith's BIOS: unexpected exception at "
text_end:
    .ascii "\r\nPith's BIOS: nothing else to boot"
text_line:
    .asciz "\r\n"
no_vectors:
    .word 0, 0, 0

/* --- INT 10h: a teletype; the cursor is only remembered */
video:
    sti
    cmpb $0x0e, %ah
    je teletype
    cmpb $0x0f, %ah
    je 3f
    pushw %ds
    pushw $BDA
    popw %ds
    cmpb $0x02, %ah
    je 1f
    cmpb $0x03, %ah
    je 2f
    popw %ds
    cmpb $0x13, %ah
    je write_string
    iretw
1:  movw %dx, BDA_CURSOR
    popw %ds
    iretw
2:  movw BDA_CURSOR, %dx
    movw $0x0607, %cx
    popw %ds
    iretw
3:  movw $COLUMNS << 8 | MODE_TEXT, %ax
    movb $0, %bh
    iretw

teletype:
    call put
    pushw %bx
    pushw %ds
    pushw $BDA
    popw %ds
    movw BDA_CURSOR, %bx
    incb %bl
    cmpb $'\b', %al
    jne 1f
    subb $2, %bl
    jnc 1f
    movb $0, %bl
1:  cmpb $'\r', %al
    je 2f
    cmpb $COLUMNS, %bl
    jb 3f
2:  movb $0, %bl
3:  cmpb $'\n', %al
    jne 4f
    movb BDA_CURSOR, %bl
    cmpb $ROWS - 1, %bh
    jae 4f
    incb %bh
4:  movw %bx, BDA_CURSOR
    popw %ds
    popw %bx
    iretw

/* CX characters at ES:BP; AL bit 1: each with an attribute. */
write_string:
    pushaw
    movw %ax, %bx
    jcxz 2f
1:  movb %es:(%bp), %al
    call put
    incw %bp
    testb $2, %bl
    jz 3f
    incw %bp
3:  loop 1b
2:  popaw
    iretw

/* --- INT 11h, INT 12h */
equipment:
    movw $EQUIPMENT, %ax
    iretw
memory:
    pushw %ds
    pushw $BDA
    popw %ds
    movw BDA_MEMORY, %ax /* programs lower it */
    popw %ds
    iretw

/* --- INT 15h */
system:
    cmpw $0xe820, %ax
    je memory_map
    cmpw $0xe801, %ax
    je memory_e801
    cmpb $0x88, %ah
    je memory_88
    cmpb $0xc0, %ah
    je configuration
    cmpb $0x24, %ah
    je gate_a20
    jmp unknown

memory_map:
    cmpl $SMAP, %edx
    jne unknown
    cmpl $BIOS_MEM_SIZE, %ecx
    jb unknown
    cmpw TOLD(NR_MEM), %bx
    jae unknown
    pushw %ds
    pushw %si
    pushw %di
    pushw %cs
    popw %ds
    imulw $BIOS_MEM_SIZE, %bx, %si
    addw $BIOS_DATA + BIOS_MEM, %si
    movw $BIOS_MEM_SIZE, %cx
    cld
    rep movsb
    popw %di
    popw %si
    popw %ds
    movzwl %bx, %ebx
    incw %bx
    cmpw TOLD(NR_MEM), %bx
    jb 1f
    xorl %ebx, %ebx
1:  movl $SMAP, %eax
    movl $BIOS_MEM_SIZE, %ecx
    jmp done

/* AX: KiB from 1 to 16 MiB; BX: 64 KiB blocks above. */
memory_e801:
    movl TOLD(ABOVE_1M), %eax
    xorl %ebx, %ebx
    cmpl $0x3c00, %eax
    jbe 1f
    leal -0x3c00(%eax), %ebx
    shrl $6, %ebx
    movl $0x3c00, %eax
1:  movw %ax, %cx
    movw %bx, %dx
    jmp done

memory_88:
    movl TOLD(ABOVE_1M), %eax
    cmpl $0xffff, %eax
    jbe done
    movw $0xffff, %ax
    jmp done

configuration:
    pushw %cs
    popw %es
    movw $AT(configuration_table), %bx
    movb $0, %ah
    jmp done
configuration_table:
    .word 8
    .byte 0xfc, 0, 0, 0, 0, 0, 0, 0

/* Address line 20 is always there. */
gate_a20:
    cmpb $0, %al
    je unknown
    cmpb $3, %al
    ja unknown
    movb $0, %ah
    je 2f
    movb $1, %al
    jmp done
2:  movw $0, %bx
    jmp done

/* --- INT 16h: bytes from COM1, without scan codes */
/* AX: the key that waits, ZF=1: none. Changes DX; DS is the BIOS data area. */
look:
    movw BDA_KEY, %ax
    testw %ax, %ax
    jnz 1f
    movw $COM1_LSR, %dx
    inb %dx, %al
    andb $LSR_DATA, %al
    jz 1f
    movw $COM1, %dx
    inb %dx, %al
    movb $0, %ah
    movw %ax, BDA_KEY
    testw %ax, %ax
1:  ret

keyboard:
    sti
    pushw %dx
    pushw %ds
    pushw $BDA
    popw %ds
    andb $0xef, %ah /* 10h and 11h: the same for keys that only a newer keyboard has */
    cmpb $0, %ah
    je 2f
    cmpb $1, %ah
    je 3f
    movb $0, %al /* shift keys, if that is the question */
    popw %ds
    popw %dx
    iretw
1:  hlt
2:  call look
    jz 1b
    movw $0, BDA_KEY
    popw %ds
    popw %dx
    iretw
3:  call look
    popw %ds
    popw %dx
    jz no_key
    jmp a_key

/* --- INT 1Ah */
clock:
    cmpb $0, %ah
    jne unknown
    pushw %ds
    pushw $BDA
    popw %ds
    cli
    movw BDA_TICKS, %dx
    movw BDA_TICKS + 2, %cx
    movb BDA_MIDNIGHT, %al
    movb $0, BDA_MIDNIGHT
    popw %ds
    jmp done
bios_end:

    .section .note.GNU-stack, "", @progbits
