/* SPDX-License-Identifier: MIT */
/*
 * Emulated instructions against the processor that runs the test: random instructions with random operands and flags, once on real
 * memory, once through the decoder and the emulation on the same contents, in pages that are RAM and device in turn. Registers, flags,
 * vector registers and memory are the same afterwards.
 * LINK: hv/emulate.c hv/emulate_string.c hv/operand.c hv/alu.c arch/x86/decode.c arch/x86/decode_tables.c
 */
#include <setjmp.h>
#include <signal.h>

#include "arch/x86/cpu/regs.h"
#include "hv/alu.h"
#include "hv/bus.h"
#include "hv/emulate.h"
#include "hv/partition.h"
#include "tests/fuzz/fuzz.h"

#define WINDOW ((u8 *)0x10000000) /* within reach of 32-bit addresses */
#define CODE   ((u8 *)0x20000000)
#define SIZE   (4 * PAGE_SIZE)
#define NONE   0xff

struct state { u64 gpr[16], flags; u8 vec[16][32]; };
_Static_assert(sizeof(struct state) == 17 * 8 + 16 * 32, "native_run");

/* Loads all registers, RSP too, jumps to CODE, which jumps to native_end; stores them. */
void native_run(struct state *s);
void native_run_avx(struct state *s);
extern const u8 native_end[], native_end_avx[];
struct state *native_state;
u8 *native_code = CODE;
u64 native_rsp, native_rax, native_guest_rsp;

__asm__(".macro run name, end, move, reg\n"
        ".globl \\name\n\\name:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rdi, native_state(%rip); mov %rsp, native_rsp(%rip)\n"
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\\move 136+32*\\n(%rdi), %\\reg\\n\n.endr\n"
        "push 128(%rdi); popfq\n"
        "mov (%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx; mov 32(%rdi), %rsp; mov 40(%rdi), %rbp\n"
        "mov 48(%rdi), %rsi; mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11; mov 96(%rdi), %r12\n"
        "mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
        "jmp *native_code(%rip)\n"
        ".globl \\end\n\\end:\n"
        "mov %rsp, native_guest_rsp(%rip); mov native_rsp(%rip), %rsp; mov %rax, native_rax(%rip)\n"
        "pushfq; cld; mov native_state(%rip), %rax; mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax)\n"
        "mov %rsi, 48(%rax); mov %rdi, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax)\n"
        "mov %r12, 96(%rax); mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax); pop 128(%rax)\n"
        "mov native_rax(%rip), %rcx; mov %rcx, (%rax); mov native_guest_rsp(%rip), %rcx; mov %rcx, 32(%rax)\n"
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\\move %\\reg\\n, 136+32*\\n(%rax)\n.endr\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        ".endm\n"
        ".text\n"
        "run native_run, native_end, movdqu, xmm\n"
        "run native_run_avx, native_end_avx, vmovdqu, ymm\n");

static bool has_avx;
static sigjmp_buf refused;
static u8 memory[SIZE], bytes[15]; /* the emulation's */
static struct partition part;
static struct vcpu v;
static struct state emulated;
static bool injected;

/* --- what the emulation sees --- */

static bool is_ram(gpa_t gpa)
{
    return !((gpa - (u64)WINDOW) / PAGE_SIZE & 1);
}

u64 arch_vcpu_reg(const struct arch_vcpu *a, enum x86_reg reg)
{
    (void)a;
    switch (reg) {
    case X86_RSP: return emulated.gpr[4];
    case X86_RFLAGS: return emulated.flags;
    case X86_RIP: return (u64)CODE;
    case X86_CR0: return CR0_PE | CR0_PG;
    default: return 0;
    }
}

void arch_vcpu_set_reg(struct arch_vcpu *a, enum x86_reg reg, u64 val)
{
    (void)a;
    FUZZ_CHECK(reg == X86_RSP || reg == X86_RFLAGS);
    *(reg == X86_RSP ? &emulated.gpr[4] : &emulated.flags) = val;
}

void arch_vcpu_seg(const struct arch_vcpu *a, enum x86_seg seg, struct x86_segment *out)
{
    (void)a, (void)seg;
    *out = (struct x86_segment){ .attr = 0xa093, .limit = ~0u };
}

bool arch_vcpu_fetch(struct arch_vcpu *a, u8 insn[15], u8 *len, enum insn_mode *insn_mode, struct x86_event *fault)
{
    (void)a, (void)fault;
    *insn_mode = INSN_64;
    memcpy(insn, bytes, 15);
    *len = 15;
    return true;
}

bool arch_vcpu_translate(struct arch_vcpu *a, u64 linear, bool write, gpa_t *gpa, struct x86_event *fault)
{
    (void)a, (void)write, (void)fault;
    FUZZ_CHECK(linear - (u64)WINDOW < SIZE);
    *gpa = linear;
    return true;
}

bool arch_vcpu_inject(struct arch_vcpu *a, const struct x86_event *ev)
{
    (void)a, (void)ev;
    return injected = true;
}

enum exit_action exit_fault(struct vcpu *vcpu, u8 vector)
{
    (void)vcpu, (void)vector;
    injected = true;
    return EXIT_RESUME;
}

void arch_vcpu_vector(struct arch_vcpu *a, u8 n, u64 val[4])
{
    (void)a;
    memcpy(val, emulated.vec[n], 32);
}

void arch_vcpu_set_vector(struct arch_vcpu *a, u8 n, const u64 val[4], bool vex)
{
    (void)a;
    memcpy(emulated.vec[n], val, vex ? 32 : 16);
}

void arch_irq_window(void)
{
}

static u8 *at(gpa_t gpa, size_t len, bool ram)
{
    FUZZ_CHECK(gpa - (u64)WINDOW <= SIZE - len && is_ram(gpa) == ram && is_ram(gpa + len - 1) == ram);
    return memory + (gpa - (u64)WINDOW) % (SIZE - 32);
}

enum pith_status arch_vm_read(const struct arch_vm *vm, gpa_t gpa, void *buf, size_t len)
{
    (void)vm;
    if (!is_ram(gpa))
        return PITH_E_ARG;
    memcpy(buf, at(gpa, len, true), len);
    return PITH_OK;
}

enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    (void)vm;
    if (!is_ram(gpa))
        return PITH_E_ARG;
    memcpy(at(gpa, len, true), buf, len);
    return PITH_OK;
}

void bus_mmio(struct vcpu *vcpu, struct bus_access *a)
{
    (void)vcpu;
    FUZZ_CHECK((a->size == 1 || a->size == 2 || a->size == 4 || a->size == 8) && !(a->addr & (a->size - 1u)));
    FUZZ_CHECK(!a->write || a->size == 8 || !(a->val >> (8 * a->size)));
    if (a->write) {
        memcpy(at(a->addr, a->size, false), &a->val, a->size);
        return;
    }
    a->val = 0;
    memcpy(&a->val, at(a->addr, a->size, false), a->size);
}

void bus_pio(struct vcpu *vcpu, struct bus_access *a)
{
    (void)vcpu, (void)a;
    FUZZ_CHECK(!"no port");
}

/* --- one case --- */

static void on_refused(int sig)
{
    (void)sig;
    siglongjmp(refused, 1);
}

static u8 any(const u8 *set, size_t n)
{
    return set[fuzz_below(n)];
}
#define ANY(...) any((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* Prefixes, an opcode that may be emulated, and random bytes behind it. */
static void make_bytes(void)
{
    u64 random[2] = { fuzz_next(), fuzz_next() };
    u8 n = 0;

    memcpy(bytes, random, 15);
    if (fuzz_below(3) == 0)
        bytes[n++] = ANY(0x66, 0x67, 0xf2, 0xf3);
    if (fuzz_below(8) == 0 && has_avx) {
        bytes[n++] = 0xc5;
        bytes[n++] = (u8)(0x78 | (fuzz_next() & 0x87));
        bytes[n++] = ANY(0x10, 0x11, 0x13, 0x17, 0x28, 0x29, 0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7, 0xf0);
        return;
    }
    if (fuzz_below(2))
        bytes[n++] = (u8)(0x40 | fuzz_below(16));
    switch (fuzz_below(8)) {
    case 0:
        bytes[n++] = 0x0f;
        bytes[n++] = 0x38;
        bytes[n++] = ANY(0xf0, 0xf1, 0x2a);
        break;
    case 1:
        bytes[n++] = 0x0f;
        bytes[n++] = ANY(0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7, 0xf0);
        break;
    case 2: case 3:
        bytes[n++] = 0x0f;
        bytes[n] = (u8)((fuzz_below(2) ? 0x40 : 0x90) | (bytes[n] & 15));
        if (fuzz_below(3))
            bytes[n] = ANY(0xa3, 0xab, 0xb3, 0xbb, 0xba, 0xb0, 0xb1, 0xb6, 0xb7, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3, 0xc7, 0xaf);
        n++;
        break;
    case 4:
        bytes[n++] = ANY(0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf);
        break;
    case 5:
        bytes[n++] = ANY(0x63, 0x69, 0x6b, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff);
        break;
    default:
        bytes[n] = (u8)(fuzz_below(2) ? bytes[n] & 0x3b : 0x80 | (bytes[n] & 15));
        n++;
    }
}

static bool is_string(const struct insn *in)
{
    return in->op >= INSN_MOVS && in->op <= INSN_CMPS;
}

/* The place of the operand: mostly around the borders of pages. */
static u64 place(const struct insn *in)
{
    u64 to = (u64)WINDOW + PAGE_SIZE * (1 + fuzz_below(3)) - 40 + fuzz_below(80);
    bool unaligned = in->op_size <= 8 || in->opcode == 0x10 || in->opcode == 0x11 || in->opcode == 0xf0;

    return unaligned ? to : to & ~31ull;
}

/* Registers such that the operand lies in the window. False: this instruction cannot be had there. */
static bool make_state(const struct insn *in, struct state *s, u64 *operand)
{
    u64 far = 0, address;

    for (size_t i = 0; i < sizeof(*s) / 8; i++)
        ((u64 *)s)[i] = fuzz_below(2) ? fuzz_number() : fuzz_next();
    s->flags = 2 | (fuzz_next() & ALU_FLAGS);
    if (is_string(in)) {
        s->flags |= fuzz_below(2) ? RFLAGS_DF : 0;
        s->gpr[1] = fuzz_below(4) ? fuzz_below(100) : 0;
        s->gpr[6] = place(in);
        s->gpr[7] = fuzz_below(4) ? place(in) : s->gpr[6] + fuzz_below(32);
        return true;
    }
    if (in->base == NONE || in->base == in->index || in->seg == X86_FS || in->seg == X86_GS)
        return false;
    if (in->op >= INSN_BT && in->op <= INSN_BTC && !in->has_imm) {
        s->gpr[in->reg] = fuzz_below(1024) - 512;
        far = (u64)((s64)(in->op_size == 2 ? (short)s->gpr[in->reg] : (s64)s->gpr[in->reg]) >> 3) & ~(in->op_size - 1ull);
        if (in->reg == in->base || in->reg == in->index)
            return false;
    }
    address = (u64)in->disp + (in->index == NONE ? 0 : s->gpr[in->index] * in->scale);
    *operand = place(in);
    s->gpr[in->base] = *operand - address - far;
    if (in->addr_size == 4)
        s->gpr[in->base] = (u32)s->gpr[in->base] | (fuzz_next() & 0xffffffff00000000);
    /* XCHG locks, and a locked access across cache lines stops all processors: kernels trap it, virtual machines may never end it.
       XADD is emulated the same way, and is tried there. */
    if (in->op == INSN_XCHG && *operand % 64 + in->op_size > 64)
        return false;
    return is_ram(*operand) ? !is_ram(*operand + in->op_size - 1) : true;
}

static bool run_native(struct state *s, u8 len, bool vex)
{
    u64 end = (u64)(has_avx ? native_end_avx : native_end);

    (void)vex;
    memcpy(CODE, bytes, len);
    memcpy(CODE + len, (u8[]){ 0xff, 0x25, 0, 0, 0, 0 }, 6); /* jmp *0(%rip) */
    memcpy(CODE + len + 6, &end, 8);
    if (sigsetjmp(refused, 1))
        return false;
    if (has_avx)
        native_run_avx(s);
    else
        native_run(s);
    return true;
}

static void run_emulated(u64 operand, const struct insn *in)
{
    struct vm_exit exit = { .kind = VM_EXIT_S2_FAULT };
    enum exit_action act = EXIT_RESUME;

    exit.s2.gpa = is_ram(operand) ? ALIGN_UP(operand, PAGE_SIZE) : operand;
    for (u32 i = 0; i < 16; i++)
        (&v.arch.gpr.rax)[i] = emulated.gpr[i];
    injected = false;
    v.why = NULL;
    for (u32 i = 0; act == EXIT_RESUME && i < 32 && !injected; i++)
        act = emulate_mmio(&v, &exit);
    FUZZ_CHECK(act == EXIT_SKIP && exit.insn_len == in->len && !injected);
    for (u32 i = 0; i < 16; i++)
        if (i != 4)
            emulated.gpr[i] = (&v.arch.gpr.rax)[i];
}

static void tell(const struct insn *in, const struct state *before, const struct state *native)
{
    printf("    op %d:", in->op);
    for (u32 i = 0; i < in->len; i++)
        printf(" %02x", bytes[i]);
    for (u32 i = 0; i < sizeof(*before) / 8; i++) {
        u64 b = ((const u64 *)before)[i], n = ((const u64 *)native)[i], e = ((const u64 *)&emulated)[i];

        if (n != e)
            printf("  [%u] %lx: %lx, not %lx", i, b, e, n);
    }
    printf("\n");
}

static void one(void)
{
    struct state before, native;
    u64 operand = 0;
    struct insn in;

    make_bytes();
    if (!insn_decode(bytes, 15, INSN_64, &in) || !in.has_mem || in.op == INSN_OTHER || in.op == INSN_PUSH || in.op == INSN_POP ||
        (in.vex && !has_avx) || in.lock || !make_state(&in, &before, &operand))
        return;
    for (size_t i = 0; i < SIZE; i += 8)
        *(u64 *)(memory + i) = i % PAGE_SIZE < 512 || i % PAGE_SIZE > PAGE_SIZE - 512 ? fuzz_next() : 0;
    memcpy(WINDOW, memory, SIZE);
    native = emulated = before;
    if (!run_native(&native, in.len, in.vex))
        return;
    fuzz_accepted++;
    run_emulated(operand, &in);
    FUZZ_CHECK(memcmp(WINDOW, memory, SIZE) == 0);
    native.flags &= ALU_FLAGS | RFLAGS_DF | 2;
    FUZZ_CHECK(memcmp(&native, &emulated, sizeof(native)) == 0);
    if (fuzz_wrong)
        tell(&in, &before, &native);
}

int main(int argc, char **argv)
{
    const int prot = PROT_READ | PROT_WRITE, how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    static u8 stack[65536];
    stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction act = { .sa_handler = on_refused, .sa_flags = SA_ONSTACK | SA_NODEFER };

    if (mmap(WINDOW, SIZE, prot, how, -1, 0) != WINDOW || mmap(CODE, PAGE_SIZE, prot | PROT_EXEC, how, -1, 0) != CODE)
        return 2;
    has_avx = __builtin_cpu_supports("avx");
    v.part = &part;
    sigaltstack(&alt, NULL);
    sigaction(SIGILL, &act, NULL); /* an instruction that this processor does not have */
    return fuzz_main(argc, argv, one, 200000, 10000000);
}
