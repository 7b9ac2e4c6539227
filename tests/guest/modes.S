/* SPDX-License-Identifier: MIT */
/*
 * A multiboot kernel that goes through every mode of the processor, and in each of them does what exits: CPUID, a port, device
 * memory, HLT until an interrupt, a string of bytes to a port (every line that it prints), and both vendors' hypercalls, these at
 * CPL 3 too. Segments have base 0 and the code lies below 64 KiB, so that the same text is 16-bit, 32-bit and 64-bit code.
 * SDM 3, Mode Switching; Initializing IA-32e Mode. hv/abi/ABI.md, A call.
 */

#define MULTIBOOT_MAGIC 0x1badb002

#define COM1        0x3f8
#define COM1_SPARE  0x3ff /* a register that holds what is written */
#define PIC1        0x20
#define PIC2        0xa0
#define PIT         0x40
#define PIT_TICKS   1200  /* a millisecond */
#define PM1_CONTROL 0x604
#define SOFT_OFF    0x3400
#define APIC_VERSION 0xfee00030

#define CR0_PE (1 << 0)
#define CR0_PG (1 << 31)
#define CR4_PSE (1 << 4)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define FLAGS_V86 0x23202 /* VM, IOPL 3, IF */
#define FLAGS_USER 0x3002 /* IOPL 3 */
#define CALL_VERSION 0x50490000
#define LEAF_ABI  0x40000001

#define CODE32 0x08
#define DATA32 0x10
#define CODE16 0x18
#define DATA16 0x20
#define CODE64 0x28
#define CODE32_USER 0x33
#define CODE16_USER 0x3b
#define CODE64_USER 0x43
#define DATA_USER 0x4b
#define TASK   0x50
#define TASK64 0x58 /* two entries */

#define VECTOR_UD  6

#define VECTOR_IRQ  0x20
#define VECTOR_LEAVE 0x30 /* V86 mode and CPL 3, by INT */
#define VECTORS     0x31
#define IDT32_IRQ   idt32+8*VECTOR_IRQ
#define IDT32_LEAVE idt32+8*VECTOR_LEAVE
#define IDT32_UD    idt32+8*VECTOR_UD
#define IDT64_UD    idt64+16*VECTOR_UD
#define IDT64_LEAVE idt64+16*VECTOR_LEAVE
#define IDT64_IRQ   idt64+16*VECTOR_IRQ
#define STACK       0x7ff0
#define USER_STACK  0x6ff0

#define P_TABLE 0x007 /* present, writable, user */
#define P_LARGE 0x087

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

/* --- what every mode does */

    /* ZF=1: "ok MODE-CHECK", else "not ok MODE-CHECK". */
    .macro result mode, check
    jne 91f
    incl passed
    movl $ok_\mode\()_\check, %esi
    movl $bad_\mode\()_\check - ok_\mode\()_\check, %ecx
    jmp 92f
91: incl failed
    movl $bad_\mode\()_\check, %esi
    movl $end_\mode\()_\check - bad_\mode\()_\check, %ecx
92: movl $COM1, %edx
    rep outsb
    .pushsection .rodata
ok_\mode\()_\check: .ascii "ok \mode-\check\n"
bad_\mode\()_\check: .ascii "not ok \mode-\check\n"
end_\mode\()_\check:
    .popsection
    .endm

    .macro check_cpuid mode
    xorl %eax, %eax
    cpuid
    cmpl %ebx, vendor
    result \mode, cpuid
    .endm

    .macro check_port mode
    incb pattern
    movb pattern, %al
    movl $COM1_SPARE, %edx
    outb %al, %dx
    xorb $0xff, %al
    inb %dx, %al
    cmpb %al, pattern
    result \mode, port
    .endm

    /* @address: a 32-bit address register of this mode */
    .macro check_memory mode, address
    movl $APIC_VERSION, %ebx
    movl %fs:(%\address), %eax
    cmpl %eax, apic_version
    result \mode, memory
    .endm

    .macro timer_start
    movl $0, interrupts
    movb $0x34, %al /* counter 0, both bytes, mode 2: again and again, since some emulators forget what STI shadows */
    outb %al, $PIT + 3
    movb $PIT_TICKS & 0xff, %al
    outb %al, $PIT
    movb $PIT_TICKS >> 8, %al
    outb %al, $PIT
    .endm

    /* Stops it, too. ZF=1: there was an interrupt. */
    .macro interrupted
    movb $0x30, %al
    outb %al, $PIT + 3
    cmpl $1, interrupts
    sbbl %eax, %eax
    .endm

    .macro check_halt mode
    timer_start
    sti
    hlt
    cli
    interrupted
    result \mode, halt
    .endm

    /* One of the two is the other vendor's, #UD in any case. @refused: so is this one's. */
    .macro check_call mode, refused
    movl $0, undefined
    movl $CALL_VERSION, %eax
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    vmcall
    vmmcall
    .if \refused
    xorl $CALL_VERSION, %eax
    .else
    xorl abi_version, %ebx
    .endif
    orl %ebx, %eax
    movl undefined, %ebx
    xorl $1 + \refused, %ebx
    orl %ebx, %eax
    result \mode, call
    .endm

    /* The same at CPL 3; @size: q or l, of what IRET takes here. */
    .macro check_user_call mode, code, size=l
    movl $2f, leave_to
    push\size $DATA_USER
    push\size $USER_STACK
    push\size $FLAGS_USER
    push\size $\code
    push\size $1f
    iret\size
    .if \code == CODE16_USER
    .code16
    .elseif \code == CODE32_USER
    .code32
    .endif
1:  movw $DATA_USER, %ax
    movw %ax, %ds
    movw %ax, %es
    check_call \mode\()_user, 1
    int $VECTOR_LEAVE
    .ifc \size, q
    .code64
    .else
    .code32
    .endif
2:
    .endm

    .macro checks mode, address, refuses_call=0
    cld
    check_cpuid \mode
    check_call \mode, \refuses_call
    check_port \mode
    check_memory \mode, \address
    check_halt \mode
    .endm

    .macro data_segments selector
    movw $\selector, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    .endm

    .macro flat_fs
    movw $DATA32, %ax
    movw %ax, %fs
    .endm

    /* Changes a control register's bits. */
    .macro change register, set, clear
    movl %\register, %eax
    orl $\set, %eax
    andl $~\clear, %eax
    movl %eax, %\register
    .endm

    .macro paging_on root
    movl $\root, %eax
    movl %eax, %cr3
    change cr0, CR0_PG, 0
    .endm

    .text
    .code32
    .globl _start
_start:
    cld
    movl $STACK, %esp
    lgdt gdt_pointer
    ljmp $CODE32, $1f
1:  data_segments DATA32
    flat_fs
    xorl %eax, %eax
    cpuid
    movl %ebx, vendor
    movl APIC_VERSION, %eax
    movl %eax, apic_version
    movl $LEAF_ABI, %eax
    cpuid
    movl %eax, abi_version
    call make_vectors
    call make_tables
    call open_timer
    lidt idt32_pointer
    movw $TASK, %ax
    ltr %ax

protected32:
    checks protected32, ebx
    check_user_call protected32, CODE32_USER
    check_user_call protected16, CODE16_USER

    ljmp $CODE16, $protected16
    .code16
protected16:
    data_segments DATA16
    checks protected16, ebx

    /* FS keeps its limit of 4 GiB in real mode as long as nobody loads it. */
    call enter_real
    checks real, ebx, 1
    jmp leave_real

enter_real:
    popw return
    change cr0, 0, CR0_PE
    ljmp $0, $1f
1:  data_segments 0
    lidt ivt_pointer
    jmp *return

leave_real:
    change cr0, CR0_PE, 0
    ljmp $CODE32, $paged32
    .code32
paged32:
    data_segments DATA32
    lidt idt32_pointer
    change cr4, CR4_PSE, 0
    paging_on page_directory
    checks paged32, ebx
    check_user_call paged32, CODE32_USER
    check_user_call paged16, CODE16_USER

    ljmp $CODE16, $paged16
    .code16
paged16:
    data_segments DATA16
    checks paged16, ebx
    ljmp $CODE32, $to_v86
    .code32
to_v86:
    data_segments DATA32
    movl $v86_left, leave_to
    pushl $0 /* GS, FS, DS, ES */
    pushl $0
    pushl $0
    pushl $0
    pushl $0 /* SS */
    pushl $USER_STACK
    pushl $FLAGS_V86
    pushl $0 /* CS */
    pushl $v86
    iretl

    .code16
v86:
    check_cpuid v86
    check_call v86, 1
    check_port v86
    timer_start
1:  cmpl $0, interrupts
    je 1b
    interrupted
    result v86, interrupt
    int $VECTOR_LEAVE

    .code32
v86_left:
    change cr0, 0, CR0_PG

    /* PAE */
    change cr4, CR4_PAE, CR4_PSE
    paging_on pae_pointers
    checks pae, ebx
    check_user_call pae, CODE32_USER
    check_user_call pae16, CODE16_USER
    change cr0, 0, CR0_PG

    /* Long mode: first 32-bit code in it, then 64-bit, then 16-bit. */
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    paging_on long_root
    lidt idt64_pointer
    checks compatible32, ebx

    ljmp $CODE64, $long64
    .code64
long64:
    checks long64, rbx
    movw $TASK64, %ax
    ltr %ax
    check_user_call long64, CODE64_USER, q
    check_user_call compatible32, CODE32_USER, q
    check_user_call compatible16, CODE16_USER, q
    pushq $CODE16
    pushq $compatible16
    lretq
    .code16
compatible16:
    data_segments DATA16
    checks compatible16, ebx
    ljmp $CODE32, $leave_long
    .code32
leave_long:
    data_segments DATA32
    change cr0, 0, CR0_PG
    movl $MSR_EFER, %ecx
    rdmsr
    andl $~EFER_LME, %eax
    wrmsr
    change cr4, 0, CR4_PAE
    lidt idt32_pointer
    checks protected32_again, ebx

    ljmp $CODE16, $1f
    .code16
1:  data_segments DATA16
    call enter_real
    checks real_again, ebx, 1
    change cr0, CR0_PE, 0
    ljmp $CODE32, $report
    .code32
report:
    data_segments DATA32
    movl passed, %eax
    movl $passed_text, %edi
    call put_number
    movl failed, %eax
    cmpl $9, %eax /* nine, or more */
    jbe 1f
    movb $9, %al
1:  orb %al, failed_text
    movl $report_text, %esi
    movl $report_end - report_text, %ecx
    movl $COM1, %edx
    rep outsb
power_off:
    movw $PM1_CONTROL, %dx
    movw $SOFT_OFF, %ax
    outw %ax, %dx
    hlt

/* Two digits of EAX to EDI. */
put_number:
    aam
    addw $0x3030, %ax
    xchgb %al, %ah
    movw %ax, (%edi)
    ret

/* --- interrupts */
    .macro take_irq return, stack
    incl \stack\()interrupts
    pushw %ax
    movb $0x20, %al
    outb %al, $PIC1
    popw %ax
    \return
    .endm
    .code16
irq16:
    take_irq iretw
    .code32
irq32: /* from V86 mode, DS holds nothing */
    take_irq iretl, %ss:
    .code64
irq64:
    take_irq iretq

/* VMCALL and VMMCALL, 3 bytes. */
    .code16
undefined16:
    incl undefined
    pushw %bp
    movw %sp, %bp
    addw $3, 2(%bp)
    popw %bp
    iretw
    .code32
undefined32:
    incl %ss:undefined
    addl $3, (%esp)
    iretl
    .code64
undefined64:
    incl undefined
    addq $3, (%rsp)
    iretq

/* From CPL 3, on as the kernel. */
    .code32
leave32:
    data_segments DATA32
    flat_fs
    movl $STACK, %esp
    jmp *leave_to
    .code64
leave64:
    data_segments DATA32
    flat_fs
    movl $STACK, %esp
    jmp *leave_to

    /* Nothing should raise an exception: told, and all is over. */
    .macro refuse
    movl $exception_text, %esi
    movl $exception_end - exception_text, %ecx
    movl $COM1, %edx
    rep outsb
    movl $PM1_CONTROL, %edx
    movl $SOFT_OFF, %eax
    outw %ax, %dx
    hlt
    .endm
    .code16
exception16:
    refuse
    .code32
exception32:
    pushl %ss
    popl %ds
    refuse
    .code64
exception64:
    refuse

/* --- tables */
    .code32
    /* Offset and flags of a gate: SDM 3, IDT Descriptors. */
    .macro gate handler, at, selector, type
    movl $\handler + (\selector << 16), \at
    movl $\type << 8, \at + 4
    .endm

make_vectors:
    movl $exception16, %eax /* segment 0 */
    xorl %edi, %edi
    movl $VECTORS, %ecx
    rep stosl
    movl $irq16, 4 * VECTOR_IRQ
    movl $undefined16, 4 * VECTOR_UD
    movl $idt32, %edi
    movl $idt64, %edx
    movl $VECTORS, %ecx
1:  movl $exception32 + (CODE32 << 16), (%edi)
    movl $0x8e00, 4(%edi)
    movl $exception64 + (CODE64 << 16), (%edx)
    movl $0x8e00, 4(%edx)
    addl $8, %edi
    addl $16, %edx
    loop 1b
    gate irq32, IDT32_IRQ, CODE32, 0x8e
    gate undefined32, IDT32_UD, CODE32, 0x8e
    gate leave32, IDT32_LEAVE, CODE32, 0xee
    gate irq64, IDT64_IRQ, CODE64, 0x8e
    gate undefined64, IDT64_UD, CODE64, 0x8e
    gate leave64, IDT64_LEAVE, CODE64, 0xee
    ret

/* EDI: where, EAX: the first entry, EBX: what the next one has more, ECX: how many, EDX: bytes an entry. */
fill:
    movl %eax, (%edi)
    addl %ebx, %eax
    addl %edx, %edi
    loop fill
    ret

/* All of the first 4 GiB as they are: in 4 MiB pages but for the first 4 MiB; in 2 MiB pages, by PAE and by four levels. */
make_tables:
    movl $page_directory, %edi
    movl $P_LARGE, %eax
    movl $1 << 22, %ebx
    movl $1024, %ecx
    movl $4, %edx
    call fill
    movl $page_table + P_TABLE, page_directory
    movl $page_table, %edi
    movl $P_TABLE, %eax
    movl $4096, %ebx
    movl $1024, %ecx
    call fill
    movl $large_directories, %edi
    movl $P_LARGE, %eax
    movl $1 << 21, %ebx
    movl $2048, %ecx
    movl $8, %edx
    call fill
    movl $pae_pointers, %edi
    movl $large_directories + 1, %eax
    movl $4096, %ebx
    movl $4, %ecx
    call fill
    movl $long_pointers, %edi
    movl $large_directories + P_TABLE, %eax
    movl $4, %ecx
    call fill
    movl $long_pointers + P_TABLE, long_root
    movw $task, gdt + TASK + 2
    movw $task64, gdt + TASK64 + 2
    movl $STACK, task64 + 4 /* RSP0 */
    movl $STACK, task + 4 /* ESP0, SS0 */
    movl $DATA32, task + 8
    movw $task_ports - task, task + 102
    movb $0xff, task_ports_end
    ret

/* 8259s at vectors 20h and 28h, with nothing but the timer open. */
open_timer:
    movl $ports, %esi
    xorl %edx, %edx
1:  lodsw
    movb %al, %dl
    movb %ah, %al
    outb %al, %dx
    cmpl $ports_end, %esi
    jb 1b
    ret

    .section .rodata
ports:
    .byte PIC1, 0x11, PIC1 + 1, VECTOR_IRQ, PIC1 + 1, 0x04, PIC1 + 1, 0x01, PIC1 + 1, 0xfe
    .byte PIC2, 0x11, PIC2 + 1, VECTOR_IRQ + 8, PIC2 + 1, 0x02, PIC2 + 1, 0x01, PIC2 + 1, 0xff
ports_end:
exception_text: .ascii "not ok exception\n"
exception_end:

    .data
    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff, 0x00af9b000000ffff
    .quad 0x00cffb000000ffff, 0x0000fb000000ffff, 0x00affb000000ffff, 0x00cff3000000ffff
    .quad 0x0000890000000000 + TASK_LIMIT, 0x0000890000000067, 0
gdt_end:
gdt_pointer: .word gdt_end - gdt - 1
    .long gdt
idt32_pointer: .word 8 * VECTORS - 1
    .long idt32
idt64_pointer: .word 16 * VECTORS - 1
    .long idt64
ivt_pointer: .word 0x3ff
    .long 0
report_text:
passed_text: .ascii "00 passed, "
failed_text: .ascii "0 failed\n"
report_end:
    .balign 4
vendor: .long 0
apic_version: .long 0
abi_version: .long 0
undefined: .long 0
leave_to: .long 0, 0
interrupts: .long 0
passed: .long 0
failed: .long 0
return: .word 0
pattern: .byte 0x40

    .bss
    .balign 8
idt32: .skip 8 * VECTORS
idt64: .skip 16 * VECTORS
task: .skip 104
task_ports: .skip 0x80
task_ports_end: .skip 1
task64: .skip 104
    .set TASK_LIMIT, task_ports_end - task
    .section .tables, "aw", @nobits
    .balign 4096
page_directory: .skip 4096
page_table: .skip 4096
large_directories: .skip 4 * 4096
long_root: .skip 4096
long_pointers: .skip 4096
pae_pointers: .skip 32

    .section .note.GNU-stack, "", @progbits
