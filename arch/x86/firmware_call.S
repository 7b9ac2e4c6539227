/* SPDX-License-Identifier: MIT */
/* Calls the firmware on its own page tables, and comes back from a fault in it. */

    .text
    .globl firmware_call, firmware_abort
firmware_call: /* bool (u64 cr3, u64 fn, u64 a, u64 b, u64 c, u64 d): false: it faulted */
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %cr3, %rax
    push %rax
    mov %rsp, firmware_sp(%rip)
    mov %rdi, %cr3
    xchg %rcx, %rdx /* Microsoft's convention: RCX RDX R8 R9, and room for them on the stack */
    sub $32, %rsp
    fninit /* UEFI, "x64 Platforms": FPU and MXCSR as after a reset; they hold what the last guest left */
    movl $0x1f80, (%rsp)
    ldmxcsr (%rsp)
    call *%rsi
    mov $1, %eax
leave_firmware:
    cli /* it need not give IF back as it was */
    mov firmware_sp(%rip), %rsp
    movq $0, firmware_sp(%rip)
    cld
    pop %rcx
    mov %rcx, %cr3
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

firmware_abort:
    xor %eax, %eax
    jmp leave_firmware
