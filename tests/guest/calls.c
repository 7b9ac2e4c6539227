/* SPDX-License-Identifier: MIT */
/* The call itself: which registers it keeps, from which code it works, and with which instruction. */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define RAX(nr) (PITH_CALL_BASE + (uint64_t)(nr))
#define MARK    0x1122334455667788ul
#define VERSION (PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR)

/* Registers in the order of struct all: RAX RBX RCX RDX RSI RDI RBP R8-R15, flags behind. */
struct all { uint64_t reg[15], flags; };
void call_with_all(struct all *a);
__asm__(".text\n"
        "call_with_all:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    push %rdi\n"
        "    cmpl $2, pith_hypercall_insn(%rip)\n"
        "    sete use_vmmcall(%rip)\n"
        "    mov (%rdi), %rax; mov 8(%rdi), %rbx; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx\n"
        "    mov 32(%rdi), %rsi; mov 48(%rdi), %rbp; mov 56(%rdi), %r8; mov 64(%rdi), %r9\n"
        "    mov 72(%rdi), %r10; mov 80(%rdi), %r11; mov 88(%rdi), %r12; mov 96(%rdi), %r13\n"
        "    mov 104(%rdi), %r14; mov 112(%rdi), %r15\n"
        "    cmpb $1, use_vmmcall(%rip)\n"
        "    push 120(%rdi); mov 40(%rdi), %rdi\n"
        "    je 1f\n"
        "    popfq; vmcall; jmp 2f\n"
        "1:  popfq; vmmcall\n"
        "2:  pushfq; cld\n"
        "    xchg 8(%rsp), %rdi\n"
        "    pop 120(%rdi)\n"
        "    mov %rax, (%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi)\n"
        "    mov %rsi, 32(%rdi); mov %rbp, 48(%rdi); mov %r8, 56(%rdi); mov %r9, 64(%rdi)\n"
        "    mov %r10, 72(%rdi); mov %r11, 80(%rdi); mov %r12, 88(%rdi); mov %r13, 96(%rdi)\n"
        "    mov %r14, 104(%rdi); mov %r15, 112(%rdi)\n"
        "    pop 40(%rdi)\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n"
        ".local use_vmmcall; .comm use_vmmcall, 1\n");

static void registers(void)
{
    struct all a, before;
    bool same = true;

    for (unsigned i = 0; i < 15; i++)
        a.reg[i] = i >= 1 && i <= 5 ? 0 : MARK * (i + 3);
    a.reg[0] = RAX(PITH_CALL_VERSION);
    a.flags = 0x8d7 | 0x400; /* the arithmetic ones and DF */
    before = a;
    call_with_all(&a);
    for (unsigned i = 6; i < 15; i++)
        same &= a.reg[i] == before.reg[i];
    pith_printf("argument registers are %s\n", a.reg[2] | a.reg[3] | a.reg[4] | a.reg[5] ? "spoilt" : "as before");
    test_equal(a.reg[0], PITH_OK, "registers-status");
    test_equal(a.reg[1], VERSION, "registers-result");
    test_ok(same, "registers-kept");
    test_equal(a.flags, before.flags, "flags-kept");

    for (unsigned i = 1; i < 6; i++)
        a.reg[i] = MARK + i;
    a.reg[0] = 0;
    before = a;
    call_with_all(&a);
    test_equal(a.reg[0], (uint64_t)PITH_CALL_UNKNOWN, "registers-unknown-call");
    test_ok(memcmp(a.reg + 1, before.reg + 1, sizeof(a.reg) - sizeof(a.reg[0])) == 0, "registers-kept-by-unknown-call");
}

static void insn_vmcall(uint64_t arg)
{
    (void)arg;
    __asm__ volatile("vmcall" : : "a"(RAX(PITH_CALL_VERSION)), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
}

static void insn_vmmcall(uint64_t arg)
{
    (void)arg;
    __asm__ volatile("vmmcall" : : "a"(RAX(PITH_CALL_VERSION)), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
}

static void the_other_instruction(void)
{
    bool amd = pith_hypercall_insn == PITH_HC_VMMCALL;

    test_equal((uint64_t)trap_try(amd ? insn_vmcall : insn_vmmcall, 0), TRAP_UD, "other-vendors-instruction");
}

/* Calls @eax with all arguments zero from 32-bit code at CPL 0; status in EAX, first result above it. */
uint64_t call_from_32(uint64_t eax);
__asm__(".text\n"
        "call_from_32:\n"
        "    push %rbx\n"
        "    mov pith_hypercall_insn(%rip), %r8d\n"
        "    mov %edi, %eax\n"
        "    xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx; xor %esi, %esi; xor %edi, %edi\n"
        "    cmp $2, %r8d\n"
        "    pushq $0x38\n"
        "    pushq $1f\n"
        "    lretq\n"
        "    .code32\n"
        "1:  je 2f\n"
        "    vmcall; jmp 3f\n"
        "2:  vmmcall\n"
        "3:  ljmp $0x08, $4f\n"
        "    .code64\n"
        "4:  shl $32, %rbx\n"
        "    or %rbx, %rax\n"
        "    pop %rbx\n"
        "    ret\n");

static void code_of_32_bits(void)
{
    test_equal(call_from_32(RAX(PITH_CALL_VERSION)), (uint64_t)VERSION << 32, "call-from-32-bit");
    test_equal(call_from_32(RAX(PITH_CALLS)), PITH_E_CALL, "call-after-last-from-32-bit");
}

/* Whoever may manage nobody has no business with it. */
static void without_right(void)
{
    test_ok(pith_part_watch(1).status == PITH_E_PERM && pith_meter_core(0, 0).status == PITH_E_PERM &&
                pith_core_time(0).status == PITH_E_PERM,
            "no-right");
}

int guest_main(const struct pith_start *start)
{
    (void)start;
    trap_init();
    registers();
    the_other_instruction();
    code_of_32_bits();
    without_right();
    return test_end();
}
