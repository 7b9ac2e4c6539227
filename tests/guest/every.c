/* SPDX-License-Identifier: MIT */
/*
 * Every kind of exit in a fixed order with fixed operands, for the differential test (tests/trace/): what this prints, and what
 * the hypervisor's trace says of it, must be the same on every machine. A line is a name, the exception that it ended with
 * (-1: none), and the registers behind it that are worth comparing.
 */
#include "guests/lib/pith.h"
#include "guests/lib/trap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define GARBAGE 0xfedcba9800000000ull
#define EMPTY   0xd0000000ull
#define LAPIC   0xfee00000ull
#define IOAPIC  0xfec00000ull

enum { RAX, RCX, RDX, RBX, RSI, RDI, REGS };
enum show { NOTHING = 0, AX = 1, CX = 2, DX = 4, BX = 8, SI = 16, DI = 32 };
struct op { const char *name; const void *code; uint64_t in[REGS]; uint8_t show; bool user; };

static uint8_t ram[64] __attribute__((aligned(64)));
static uint64_t regs[REGS];
static const void *code;

/* A piece of code of its own: 64-bit, and 32-bit in compatibility mode. */
#define CODE(name, text)                                                                                          \
    extern const char code_##name[];                                                                              \
    __asm__(".text\ncode_" #name ": " text "\n    ret\n");
#define CODE32(name, text)                                                                                        \
    extern const char code_##name[];                                                                              \
    __asm__(".text\ncode_" #name ": pushq $0x38; pushq $1f; lretq\n    .code32\n1:  " text                         \
            "\n    ljmp $0x08, $2f\n    .code64\n2:  ret\n");

CODE(cpuid, "cpuid")
CODE(cpuid_rex, ".byte 0x48, 0x0f, 0xa2")
CODE(cpuid_66, ".byte 0x66, 0x0f, 0xa2")
CODE(cpuid_rep, ".byte 0xf3, 0x2e, 0x67, 0x0f, 0xa2")
CODE(cpuid_13, ".byte 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66, 0x67, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x0f, 0xa2")
CODE(cpuid_14, ".byte 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66, 0x67, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x0f, 0xa2")
CODE(cpuid_page, "jmp 2f\n    .balign 4096\n    .skip 4095, 0x90\n2:  cpuid")
CODE(cpuid_step, "pushf; orl $0x100, (%rsp); popf; cpuid; nop; nop")
CODE32(cpuid_32, "cpuid")
CODE32(cpuid_32_66, ".byte 0x66, 0x0f, 0xa2")
CODE(rdmsr, "rdmsr")
CODE(wrmsr, "wrmsr")
CODE(rdmsr_66, ".byte 0x66, 0x0f, 0x32")
CODE(wrmsr_rex, ".byte 0x48, 0x0f, 0x30")
CODE32(rdmsr_32, "rdmsr")
CODE32(wrmsr_32, "wrmsr")

CODE(inb_i, "inb $0x71, %al")
CODE(inw_i, "inw $0x71, %ax")
CODE(inl_i, "inl $0x71, %eax")
CODE(outb_i, "outb %al, $0x70")
CODE(outw_i, "outw %ax, $0x80")
CODE(outl_i, "outl %eax, $0x80")
CODE(inb, "inb %dx, %al")
CODE(inw, "inw %dx, %ax")
CODE(inl, "inl %dx, %eax")
CODE(inl_rex, ".byte 0x48, 0xed")
CODE(outb, "outb %al, %dx")
CODE(outw, "outw %ax, %dx")
CODE(outl, "outl %eax, %dx")
CODE(outb_prefix, ".byte 0x2e, 0x67, 0xee")
CODE(insb, "insb")
CODE(insw, "insw")
CODE(insl, "insl")
CODE(insl_67, ".byte 0x67, 0x6d")
CODE(insb_down, "std; insb; cld")
CODE(rep_insb, "rep insb")
CODE(rep_insl_down, "std; rep insl; cld")
CODE(outsb, "outsb")
CODE(outsw, "outsw")
CODE(outsl, "outsl")
CODE(outsb_es, ".byte 0x26, 0x6e")
CODE(rep_outsb, "rep outsb")
CODE(rep_outsl, "rep outsl")
CODE(rep_outsb_67, ".byte 0x67, 0xf3, 0x6e")
CODE32(inb_32, "inb $0x71, %al")
CODE32(outl_32, "outl %eax, %dx")
CODE32(insw_32, "insw")
CODE32(rep_outsb_32, "rep outsb")

CODE(mov_r8, "mov (%rdi), %al")
CODE(mov_r16, "mov (%rdi), %ax")
CODE(mov_r32, "mov (%rdi), %eax")
CODE(mov_r64, "mov (%rdi), %rax")
CODE(mov_r32_sib, "mov -16(%rdi, %rcx, 4), %eax")
CODE(mov_moffs, "movabs 0xd0000020, %eax")
CODE(mov_rip, "mov 0x10000000(%rip), %eax")
CODE(mov_w8, "mov %cl, (%rdi)")
CODE(mov_w8_high, "mov %ch, (%rdi)")
CODE(mov_w16, "mov %cx, (%rdi)")
CODE(mov_w32, "mov %ecx, (%rdi)")
CODE(mov_w64, "mov %rcx, (%rdi)")
CODE(mov_wi8, "movb $0x12, (%rdi)")
CODE(mov_wi16, "movw $0x1234, (%rdi)")
CODE(mov_wi32, "movl $0x12345678, (%rdi)")
CODE(mov_wi64, "movq $-2, 8(%rdi)")
CODE(movzx8, "movzbl (%rdi), %eax")
CODE(movzx16, "movzwq (%rdi), %rax")
CODE(movsx8, "movsbq (%rdi), %rax")
CODE(movsxd, "movslq (%rdi), %rax")
CODE(add_m, "addl %ecx, (%rdi)")
CODE(add_mi, "addl $1, (%rdi)")
CODE(add_r, "add (%rdi), %ecx")
CODE(or_m, "orw $1, (%rdi)")
CODE(and_m, "lock andq %rcx, (%rdi)")
CODE(sub_r, "sub (%rdi), %cl")
CODE(xor_m, "xorl $0x55, (%rdi)")
CODE(cmp_m, "cmpl $5, (%rdi); setc %al")
CODE(test_m, "testl %ecx, (%rdi); setz %al")
CODE(inc_m, "incl (%rdi)")
CODE(dec_m, "lock decb (%rdi)")
CODE(not_m, "notl (%rdi)")
CODE(neg_m, "negl (%rdi)")
CODE(xchg_m, "xchg %ecx, (%rdi)")
CODE(cmpxchg_m, "lock cmpxchg %ecx, (%rdi)")
CODE(bt_m, "btl $3, (%rdi); setc %al")
CODE(bts_m, "lock btsl $3, (%rdi); setc %al")
CODE(movs_to, "movsl")
CODE(movs_back, "xchg %rsi, %rdi; movsb")
CODE(stos, "stosl")
CODE(lods, "xchg %rsi, %rdi; lodsw")
CODE(rep_stos, "rep stosq")
CODE(rep_movs, "rep movsl")
CODE32(mov_r32_32, "mov (%edi), %eax")
CODE32(mov_w16_32, "mov %cx, (%edi)")
CODE32(add_m_32, "addl %ecx, (%edi)")

CODE(wbinvd, "wbinvd")
CODE(wbinvd_prefix, ".byte 0x2e, 0x48, 0x0f, 0x09")
CODE(invd, "invd")
CODE(monitor, "monitor")
CODE(mwait, "mwait")
CODE(rdpmc, "rdpmc")
CODE(rsm, "rsm")
CODE32(wbinvd_32, "wbinvd")
CODE(vmxon, "vmxon (%rdi)")
CODE(vmread, "vmread %rcx, (%rdi)")
CODE(vmlaunch, "vmlaunch")
CODE(invept, "invept (%rdi), %rcx")
CODE(vmrun, "vmrun %rax")
CODE(vmload, "vmload %rax")
CODE(stgi, "stgi")
CODE(clgi, "clgi")
CODE(skinit, "skinit %eax")
CODE(invlpga, "invlpga %rax, %ecx")
CODE(getsec, ".byte 0x0f, 0x37")
CODE(ud2, "ud2")
CODE(xgetbv, "xgetbv")
CODE(xsetbv, "xsetbv")
CODE(osxsave_on, "mov %cr4, %rax; bts $18, %rax; mov %rax, %cr4")
CODE(cr0, "mov %cr0, %rax; mov %rax, %cr0")
CODE(cr3, "mov %cr3, %rcx; mov %rcx, %cr3")
CODE(cr8, "mov %rcx, %cr8; mov %cr8, %rax; mov %rdi, %cr8")
CODE(clts, "clts")
CODE(dr, "mov %rcx, %dr0; mov %dr0, %rax; mov %dr7, %rcx; mov %rcx, %dr7")
CODE(dr6, "mov %dr6, %rax; mov %rax, %dr6")
CODE(pause, "pause")
CODE(hlt, "sti; hlt; cli")
CODE(hlt_prefix, "sti; .byte 0x2e, 0xf4; cli")

#define OP(name, show, ...) { #name, code_##name, { __VA_ARGS__ }, show, false }
#define USER(name, show, ...) { #name, code_##name, { __VA_ARGS__ }, show, true }

static void call_code(uint64_t user)
{
    __asm__ volatile("call *%[code]"
                     : "+a"(regs[RAX]), "+c"(regs[RCX]), "+d"(regs[RDX]), "+b"(regs[RBX]), "+S"(regs[RSI]), "+D"(regs[RDI])
                     : [code] "r"(code)
                     : "memory", "cc");
    if (user)
        trap_user_done();
}

/* Where the exception was counts from the beginning of the code. */
static void run(const struct op *o)
{
    char line[160];
    size_t len;
    int got;

    memcpy(regs, o->in, sizeof(regs));
    code = o->code;
    got = o->user ? trap_try_user(call_code, 1) : trap_try(call_code, 0);
    __asm__ volatile("cld; cli");
    len = pith_format(line, sizeof(line), "%s %d", o->name, got);
    if (got >= 0 && !(o->user && got == TRAP_BP))
        len += pith_format(line + len, sizeof(line) - len, " at %lx error %lx", trap_last.rip - (uintptr_t)code, trap_last.error);
    for (unsigned i = 0; i < REGS; i++)
        if ((o->show & 1u << i) && (got < 0 || got == TRAP_BP))
            len += pith_format(line + len, sizeof(line) - len, " %lx", regs[i]);
    pith_printf("%s\n", line);
}

static void run_all(const struct op *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        run(&ops[i]);
}

/* What the leaves hold is the machine's: only that the upper halves are clear is said. */
static void cpuids(void)
{
    static const struct { uint32_t leaf, subs; } leaves[] = {
        { 0, 1 }, { 1, 2 }, { 2, 1 }, { 3, 1 }, { 4, 4 }, { 5, 1 }, { 6, 1 }, { 7, 3 }, { 9, 1 }, { 0xa, 1 }, { 0xb, 3 },
        { 0xd, 10 }, { 0xf, 2 }, { 0x10, 2 }, { 0x14, 1 }, { 0x15, 1 }, { 0x16, 1 }, { 0x1f, 1 }, { 0x20000000, 1 },
        { 0x40000000, 2 }, { 0x40000001, 1 }, { 0x40000010, 1 }, { 0x40000100, 1 }, { 0x40000101, 1 }, { 0x80000000, 1 },
        { 0x80000001, 1 }, { 0x80000002, 1 }, { 0x80000004, 1 }, { 0x80000007, 1 }, { 0x80000008, 1 }, { 0x8000000a, 1 },
        { 0x8000001d, 3 }, { 0x8000001e, 1 }, { 0xc0000000, 1 }, { 0xffffffff, 1 },
    };
    uint64_t upper = 0;

    code = code_cpuid;
    for (unsigned i = 0; i < COUNT(leaves); i++)
        for (uint32_t sub = 0; sub < leaves[i].subs; sub++) {
            regs[RAX] = GARBAGE | leaves[i].leaf;
            regs[RCX] = GARBAGE | sub;
            regs[RDX] = regs[RBX] = GARBAGE;
            (void)trap_try(call_code, 0);
            upper |= (regs[RAX] | regs[RBX] | regs[RCX] | regs[RDX]) >> 32;
        }
    pith_printf("cpuid upper halves %lx\n", upper);
}

static const struct op cpuid_ops[] = {
    OP(cpuid, AX | BX | CX | DX, 0x40000000, 0), OP(cpuid, AX | BX, 0x40000001, 0), OP(cpuid_rex, AX | BX, 0x40000000, 0),
    OP(cpuid_66, AX | BX, 0x40000000), OP(cpuid_rep, AX | BX, 0x40000000), OP(cpuid_13, AX | BX, 0x40000000),
    OP(cpuid_14, NOTHING, 0x40000000), OP(cpuid_page, AX | BX, 0x40000000), OP(cpuid_step, NOTHING, 0x40000000),
    OP(cpuid_32, AX | BX, 0x40000000), OP(cpuid_32_66, AX | BX, 0x40000000), USER(cpuid, AX | BX, GARBAGE | 0x40000000),
};

/* One of each policy; what may not be, at both ends of the ranges that are in the processors' bitmaps, and outside. */
static const struct op msr_ops[] = {
    OP(rdmsr, AX | DX, GARBAGE, GARBAGE | 0x1b, GARBAGE), OP(rdmsr, AX | DX, 0, 0xfe), OP(rdmsr, AX | DX, 0, 0x8b),
    OP(rdmsr, AX | DX, 0, 0x1a0), OP(rdmsr, AX | DX, 0, 0x277), OP(rdmsr, AX | DX, 0, 0x2ff), OP(rdmsr, AX | DX, 0, 0xc0000080),
    OP(rdmsr, NOTHING, 0, 0x10), OP(rdmsr, AX | DX, 0, 0x3b), OP(rdmsr, AX | DX, 0, 0x12), OP(rdmsr, AX | DX, 0, 0x4b564d01),
    OP(rdmsr, AX | DX, 0, 0xc0010015), OP(rdmsr, AX | DX, 0, 0xc0011029), OP(rdmsr, AX | DX, 0, 0x3a), OP(rdmsr, AX, 0, 0x802),
    OP(rdmsr, AX, 0, 0x480), OP(rdmsr, AX, 0, 0x12345), OP(rdmsr, AX, 0, 0x1fff), OP(rdmsr, AX, 0, 0x2000),
    OP(rdmsr, AX, 0, 0xc0001fff), OP(rdmsr, AX, 0, 0xc0002000), OP(rdmsr, AX, 0, 0xc0011fff), OP(rdmsr, AX, 0, 0xffffffff),
    OP(rdmsr_66, AX | DX, 0, 0x277), OP(rdmsr_32, AX | DX, 0, 0x277), USER(rdmsr, AX, 0, 0x277),
    OP(wrmsr, NOTHING, 0, 0x1a0), OP(rdmsr, AX, 0, 0x1a0), OP(wrmsr, NOTHING, 0xc00, 0x2ff), OP(wrmsr, NOTHING, 0x02, 0x2ff),
    OP(wrmsr, NOTHING, 0x00070106, 0x277, 0x00070106), OP(wrmsr, NOTHING, 0x02, 0x277), OP(wrmsr, NOTHING, 0, 0x8b),
    OP(wrmsr, NOTHING, 1, 0xfe), OP(wrmsr, NOTHING, 0xffff, 0xc0000080), OP(wrmsr, NOTHING, 0x501, 0xc0000080),
    OP(rdmsr, AX, 0, 0xc0000080), OP(wrmsr, NOTHING, 0, 0x4b564d01), OP(wrmsr, NOTHING, 0, 0x3b), OP(wrmsr, NOTHING, 0, 0x12345),
    OP(wrmsr, NOTHING, 0, 0xffffffff), OP(wrmsr_rex, NOTHING, 0x501, 0xc0000080), OP(wrmsr_32, NOTHING, 0x501, 0xc0000080),
    USER(wrmsr, NOTHING, 0, 0x277),
};

#define RAM (uint64_t)(uintptr_t)ram

static const struct op port_ops[] = {
    OP(outb_i, NOTHING, 0x0d), OP(inb_i, AX, GARBAGE | 0xffffff00), OP(inw_i, AX, GARBAGE), OP(inl_i, AX, GARBAGE),
    OP(outw_i, NOTHING, 0x12345678), OP(outl_i, NOTHING, GARBAGE | 0x12345678), OP(inb, AX, ~0ull, 0, 0x80),
    OP(inw, AX, ~0ull, 0, GARBAGE | 0xffff), OP(inl, AX, ~0ull, 0, 0xcfc), OP(inl_rex, AX, ~0ull, 0, 0x60),
    OP(inb, AX, 0, 0, 0x3fd),
    OP(outb, NOTHING, 0x5a, 0, 0x3ff), OP(inb, AX, 0, 0, 0x3ff), OP(outw, NOTHING, 0xffff, 0, 0x80),
    OP(outl, NOTHING, ~0ull, 0, 0xcf8),
    OP(outb_prefix, NOTHING, 0xa5, 0, 0x3ff), OP(inw, AX, 0, 0, 0x3fe), OP(inl, AX, 0, 0, 0x3fc),
    OP(insb, DI, 0, 0, 0x3ff, 0, 0, RAM), OP(insw, DI, 0, 0, 0x3ff, 0, 0, RAM), OP(insl, DI, 0, 0, 0x3fc, 0, 0, RAM + 4),
    OP(insl_67, DI, 0, 0, 0x3fc, 0, 0, RAM + 4 + GARBAGE), OP(insb_down, DI, 0, 0, 0x71, 0, 0, RAM),
    OP(rep_insb, CX | DI, 0, 0, 0x3ff, 0, 0, RAM),
    OP(rep_insb, CX | DI, 0, 1, 0x3ff, 0, 0, RAM), OP(rep_insb, CX | DI, 0, 5, 0x3ff, 0, 0, RAM),
    OP(rep_insb, CX | DI, 0, 40, 0x3ff, 0, 0, RAM),
    OP(rep_insl_down, CX | DI, 0, 3, 0x80, 0, 0, RAM + 32), OP(outsb, SI, 0, 0, 0x3ff, 0, RAM), OP(outsw, SI, 0, 0, 0x80, 0, RAM),
    OP(outsl, SI, 0, 0, 0x80, 0, RAM), OP(outsb_es, SI, 0, 0, 0x3ff, 0, RAM + 1), OP(rep_outsb, CX | SI, 0, 0, 0x80, 0, RAM),
    OP(rep_outsb, CX | SI, 0, 7, 0x80, 0, RAM), OP(rep_outsl, CX | SI, 0, 16, 0x80, 0, RAM),
    OP(rep_outsb_67, CX | SI, 0, GARBAGE | 2, 0x80, 0, RAM),
    OP(rep_insb, NOTHING, 0, 2, 0x3ff, 0, 0, 1ull << 47), OP(rep_outsb, NOTHING, 0, 2, 0x3ff, 0, 1ull << 47),
    OP(inb_32, AX, 0xffffff00), OP(outl_32, NOTHING, 0x12345678, 0, 0x80), OP(insw_32, DI, 0, 0, 0x80, 0, 0, RAM),
    OP(rep_outsb_32, CX | SI, 0, 3, 0x80, 0, RAM), USER(inb_i, NOTHING, 0), USER(rep_outsb, NOTHING, 0, 1, 0x80, 0, RAM),
};

/* On memory that nobody gave; RCX and RAX are operands. */
#define AT(name, show) OP(name, show, 0x1122334455667788, 0x99aabbccddeeff01, 0, 0, RAM, EMPTY + 0x20)
static const struct op memory_ops[] = {
    AT(mov_r8, AX), AT(mov_r16, AX), AT(mov_r32, AX), AT(mov_r64, AX), AT(mov_moffs, AX), AT(mov_rip, AX),
    OP(mov_r32_sib, AX, 0, 4, 0, 0, 0, EMPTY), AT(mov_w8, NOTHING), AT(mov_w8_high, NOTHING), AT(mov_w16, NOTHING),
    AT(mov_w32, NOTHING),
    AT(mov_w64, NOTHING), AT(mov_wi8, NOTHING), AT(mov_wi16, NOTHING), AT(mov_wi32, NOTHING), AT(mov_wi64, NOTHING), AT(movzx8, AX),
    AT(movzx16, AX), AT(movsx8, AX), AT(movsxd, AX), AT(add_m, NOTHING), AT(add_mi, NOTHING), AT(add_r, CX), AT(or_m, NOTHING),
    AT(and_m, NOTHING), AT(sub_r, CX), AT(xor_m, NOTHING), AT(cmp_m, AX), AT(test_m, AX), AT(inc_m, NOTHING), AT(dec_m, NOTHING),
    AT(not_m, NOTHING), AT(neg_m, NOTHING), AT(xchg_m, CX), AT(cmpxchg_m, AX), AT(bt_m, AX), AT(bts_m, AX),
    AT(movs_to, SI | DI), AT(movs_back, SI | DI), AT(stos, DI), AT(lods, AX | SI),
    OP(rep_stos, CX | DI, 0, 3, 0, 0, 0, EMPTY), OP(rep_movs, CX | SI | DI, 0, 2, 0, 0, RAM, EMPTY), AT(mov_r32_32, AX),
    AT(mov_w16_32, NOTHING), AT(add_m_32, NOTHING), OP(mov_r32, AX, 0, 0, 0, 0, 0, EMPTY + 0xffe),
    OP(mov_w64, NOTHING, 0, 1, 0, 0, 0, EMPTY + 0xffc),
};

#define AT_DEVICE(name, show, value, address) OP(name, show, value, value, 0, 0, 0, address)
static const struct op device_ops[] = {
    AT_DEVICE(mov_r32, AX, 0, LAPIC + 0x20), AT_DEVICE(mov_r32, AX, 0, LAPIC + 0x30),
    AT_DEVICE(mov_w32, NOTHING, 0x30, LAPIC + 0x80),
    AT_DEVICE(mov_r32, AX, 0, LAPIC + 0x80), AT_DEVICE(mov_wi32, NOTHING, 0, LAPIC + 0x280),
    AT_DEVICE(mov_r32_32, AX, 0, LAPIC + 0x80),
    AT_DEVICE(or_m, NOTHING, 0, LAPIC + 0x80), AT_DEVICE(mov_w32, NOTHING, 0, LAPIC + 0x80), AT_DEVICE(movzx8, AX, 0, LAPIC + 0x20),
    AT_DEVICE(mov_w32, NOTHING, 1, IOAPIC), AT_DEVICE(mov_r32, AX, 0, IOAPIC + 0x10), AT_DEVICE(mov_w8, NOTHING, 0x10, IOAPIC),
    AT_DEVICE(xor_m, NOTHING, 0, IOAPIC + 0x10), AT_DEVICE(mov_r32, AX, 0, IOAPIC + 0x10),
    AT_DEVICE(test_m, AX, 0x10000, IOAPIC + 0x10),
    AT_DEVICE(xchg_m, CX, 0x10000, IOAPIC + 0x10), AT_DEVICE(mov_r64, AX, 0, IOAPIC),
};

static const struct op insn_ops[] = {
    OP(wbinvd, NOTHING, 0), OP(wbinvd_prefix, NOTHING, 0), OP(wbinvd_32, NOTHING, 0), OP(invd, NOTHING, 0),
    OP(monitor, NOTHING, RAM),
    OP(mwait, NOTHING, 0), OP(rdpmc, NOTHING, 0), OP(rsm, NOTHING, 0), OP(vmxon, NOTHING, RAM, 0, 0, 0, 0, RAM),
    OP(vmread, NOTHING, RAM, 0, 0, 0, 0, RAM), OP(vmlaunch, NOTHING, 0), OP(invept, NOTHING, RAM, 0, 0, 0, 0, RAM),
    OP(vmrun, NOTHING, 0x200000),
    OP(vmload, NOTHING, 0x200000), OP(stgi, NOTHING, 0), OP(clgi, NOTHING, 0), OP(skinit, NOTHING, RAM), OP(invlpga, NOTHING, RAM),
    OP(getsec, NOTHING, 0), OP(ud2, NOTHING, 0), USER(wbinvd, NOTHING, 0), USER(invd, NOTHING, 0), USER(rdpmc, NOTHING, 0),
    USER(hlt, NOTHING, 0), OP(pause, NOTHING, 0),
    OP(xsetbv, NOTHING, 1), OP(osxsave_on, NOTHING, 0), OP(xgetbv, AX | DX, 0), OP(xsetbv, NOTHING, 3), OP(xgetbv, AX | DX, 0),
    OP(xsetbv, NOTHING, 2),
    OP(xsetbv, NOTHING, 1, 1), OP(xsetbv, NOTHING, 1), OP(cr0, AX, 0), OP(cr3, NOTHING, 0), OP(cr8, AX, 0, 5), OP(clts, NOTHING, 0),
    OP(dr, AX | CX, 0, 0x123456789a), OP(dr6, AX, 0), USER(cr0, NOTHING, 0), USER(dr, NOTHING, 0),
};

/* Each call, with arguments that it refuses too; VMCALL or VMMCALL, so only what they say is compared, not where they are. */
static void hypercalls(void)
{
    static const struct { uint64_t rax, rbx, rcx, rdx, rsi, rdi; bool result; } calls[] = {
        { PITH_CALL_BASE + PITH_CALL_VERSION, 0, 0, 0, 0, 0, true }, { PITH_CALL_BASE + PITH_CALL_VERSION, 1, 0, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_VERSION, 0, 0, 0, 0, 9, true }, { PITH_CALL_BASE + PITH_CALL_FEATURES, 0, 0, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_CONSOLE_WRITE, 0, 0, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_CONSOLE_WRITE, EMPTY, 8, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_CONSOLE_WRITE, 0x200000, 4097, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_CONSOLE_WRITE, ~0ull, 2, 0, 0, 0, true },
        { PITH_CALL_BASE + PITH_CALL_TIME, 0, 0, 0, 0, 0, false },
        { PITH_CALL_BASE + PITH_CALL_YIELD, 0, 0, 0, 0, 0, true }, { PITH_CALL_BASE + PITH_CALL_WAIT, 1, 0, 0, 0, 0, false },
        { PITH_CALL_BASE + PITH_CALLS, 0, 0, 0, 0, 0, true }, { PITH_CALL_BASE + 0xffff, 0, 0, 0, 0, 0, true },
        { GARBAGE | PITH_CALL_BASE, 0, 0, 0, 0, 0, true }, { 0, 7, 7, 7, 7, 7, true }, { 5, 0, 0, 0, 0, 0, true },
    };

    for (unsigned i = 0; i < COUNT(calls); i++) {
        struct pith_result r = pith_hypercall(calls[i].rax, calls[i].rbx, calls[i].rcx, calls[i].rdx, calls[i].rsi, calls[i].rdi);

        if (calls[i].result)
            pith_printf("hypercall %lx %ld %lx %lx\n", calls[i].rax, r.status, r.rbx, r.rcx);
        else
            pith_printf("hypercall %lx %ld\n", calls[i].rax, r.status);
    }
}

#define X2APIC(reg) (0x800u + (reg))

static void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* Interrupts of the local APIC, x2APIC now: by itself and by its timer, taken out of HLT. */
static void halts(void)
{
    static const struct op x2apic[] = {
        OP(rdmsr, AX | DX, 0, X2APIC(2)), OP(rdmsr, AX | DX, 0, X2APIC(3)), OP(wrmsr, NOTHING, 0x20, X2APIC(8)),
        OP(rdmsr, AX, 0, X2APIC(8)),
        OP(wrmsr, NOTHING, 0, X2APIC(8)), OP(wrmsr, NOTHING, 1, X2APIC(0xb)), OP(rdmsr, AX, 0, X2APIC(0xb)),
        OP(rdmsr, AX, 0, X2APIC(0x2f)),
        OP(rdmsr, AX | DX, 0, X2APIC(0x30)), OP(wrmsr, NOTHING, 0, 0x6e0), OP(rdmsr, AX | DX, 0, 0x6e0),
    };
    static const struct op hlt_op = OP(hlt, NOTHING, 0), prefix_op = OP(hlt_prefix, NOTHING, 0);

    write_msr(0x1b, LAPIC | 0xd00);
    write_msr(X2APIC(0xf), 0x1ff);
    run_all(x2apic, COUNT(x2apic));
    write_msr(X2APIC(0x3f), TRAP_IRQ);
    run(&hlt_op);
    write_msr(X2APIC(0x3e), 0xb);
    write_msr(X2APIC(0x32), TRAP_IRQ);
    write_msr(X2APIC(0x38), 1000000);
    run(&prefix_op);
    pith_printf("interrupts %lu\n", trap_irqs);
}

#define RUN(ops) run_all(ops, COUNT(ops))

int guest_main(const struct pith_start *start)
{
    (void)start;
    trap_init();
    trap_open_user();
    cpuids();
    RUN(cpuid_ops);
    RUN(msr_ops);
    RUN(port_ops);
    RUN(memory_ops);
    RUN(device_ops);
    RUN(insn_ops);
    hypercalls();
    halts();
    pith_printf("done\n");
    return 0;
}
