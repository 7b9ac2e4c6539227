/* SPDX-License-Identifier: MIT */
/* Emulated accesses that fault, part of the way and at every check a processor makes; string I/O; walks and fetches where nothing is. */
#include "tests/guest/mmio_window.h"

#define SCRATCH       0x3ff /* the UART's scratch register */
#define NO_CANON      0x8000000000000000ull
#define FLAG_CF       1u
#define FLAG_ZF       0x40u
#define FLAG_TF       0x100u
#define FLAG_DF       0x400u
#define FLAG_AC       0x40000u
#define CR0_WP        (1ull << 16)
#define MSR_FS_BASE   0xc0000100u
#define DR6_BS        (1ull << 14)

struct regs { uint64_t rdi, rsi, rcx, rax, rdx, flags; };
struct regs after; /* of the code that ended well */

/* Code with these registers, as a function for trap_try(); NAME_insn is where it may fault. */
#define SNIPPET(name, text) SNIPPET_FROM(name, #name "_insn: " text)
#define SNIPPET_FROM(name, text)                                                                               \
    void name(uint64_t regs);                                                                                  \
    extern const uint8_t name##_insn[];                                                                        \
    __asm__(".text; " #name ": push %rbx; mov 8(%rdi), %rsi; mov 16(%rdi), %rcx; mov 24(%rdi), %rax; mov 32(%rdi), %rdx;" \
            "pushq 40(%rdi); mov (%rdi), %rdi; popfq; " text "; mov %rdi, after(%rip); mov %rsi, after+8(%rip);" \
            "mov %rcx, after+16(%rip); mov %rax, after+24(%rip); pushfq; pop %rax; mov %rax, after+40(%rip);" \
            "pushq $2; popfq; pop %rbx; ret");
SNIPPET(rep_movsb, "rep movsb")
SNIPPET(rep_movsw, "rep movsw")
SNIPPET(movsl, "movsl")
SNIPPET(rep_stosb, "rep stosb")
SNIPPET(rep_insb, "rep insb")
SNIPPET(rep_outsb, "rep outsb")
SNIPPET(insl, "insl")
SNIPPET(addr32_rep_outsb, "rep outsb %ds:(%esi), %dx")
SNIPPET(fs_outsb, "outsb %fs:(%rsi), %dx")
SNIPPET(repe_cmpsb, "repe cmpsb")
SNIPPET(repe_scasb, "repe scasb")
SNIPPET(repne_scasb, "repne scasb")
SNIPPET(load_2, "mov (%rsi), %ax")
SNIPPET(load_8, "mov (%rsi), %rax")
SNIPPET(store_8, "mov %rax, (%rdi)")
SNIPPET(push_there, "pushq (%rsi); pop %rax")
SNIPPET(bts_there, "bts %rax, (%rdi)")
SNIPPET(jump, "call *%rsi")

/* The same in 32-bit code, with the selector in RBX in one of its segment registers. */
#define SNIPPET_32(name, text) \
    SNIPPET_FROM(name, "mov %edx, %ebx; shr $16, %ebx; lcall *" #name "_far(%rip); jmp 2f; .code32; 1: " text "; lret; .code64;" \
                           #name "_far: .long 1b; .short 0x38; 2:")
SNIPPET_32(es_rep_insb, "mov %ebx, %es; es_rep_insb_insn: rep insb; mov $0x10, %ebx; mov %ebx, %es")
SNIPPET_32(es_movsb, "mov %ebx, %es; es_movsb_insn: movsb; mov $0x10, %ebx; mov %ebx, %es")
SNIPPET_32(fs_movsb, "mov %ebx, %fs; mov $0x10, %ebx; mov %ebx, %es; fs_movsb_insn: movsb %fs:(%esi), %es:(%edi)")
SNIPPET_32(cs_outsb, "cs_outsb_insn: outsb %cs:(%esi), %dx")
SNIPPET_32(ss_push, "mov %esp, %edi; mov %ecx, %esp; mov %ebx, %ss; ss_push_insn: pushl (%esi);"
                    "mov $0x10, %ebx; mov %ebx, %ss; mov %edi, %esp")

/* --- what must happen --- */

#define WELL(name, snippet, ...) went(name, trap_try(snippet, (uintptr_t)&(struct regs){ __VA_ARGS__ }), TRAP_NONE, 0, 0, 0, 0)
#define FAULT(name, snippet, vector, error, cr2, left, ...) \
    went(name, trap_try(snippet, (uintptr_t)&(struct regs){ __VA_ARGS__ }), vector, error, cr2, left, (uintptr_t)snippet##_insn)
#define FAULT_USER(name, snippet, vector, error, cr2, left, ...) \
    (user_code = snippet,                                                                                      \
     went(name, trap_try_user(user, (uintptr_t)&(struct regs){ __VA_ARGS__ }), vector, error, cr2, left, (uintptr_t)snippet##_insn))
#define JUMP(name, to, vector, error, cr2, rip)                                                                \
    went(name, trap_try(jump, (uintptr_t)&(struct regs){ .rsi = to, .rdi = at(4, 0) }), vector, error, cr2, 0, rip)

static void (*user_code)(uint64_t regs);

static void user(uint64_t regs)
{
    user_code(regs);
    trap_user_done();
}

static bool went(const char *name, int got, int vector, uint64_t error, uint64_t cr2, uint64_t left, uint64_t rip)
{
    bool ok = got == vector;

    if (vector != TRAP_NONE && vector != TRAP_BP)
        ok = ok && trap_last.error == error && trap_last.rcx == left && trap_last.rip == rip && (vector != TRAP_PF || trap_cr2 == cr2);
    if (!ok)
        pith_printf("%s: vector %d error %lx CR2 %lx RCX %lx RIP %lx, not %d %lx %lx %lx %lx\n", name, got, trap_last.error, trap_cr2,
                    trap_last.rcx, trap_last.rip, vector, error, cr2, left, rip);
    return test_ok(ok, name);
}

static uint64_t at(unsigned page, int offset)
{
    return WINDOW + page * (uint64_t)PAGE + (uint64_t)(int64_t)offset;
}

static bool filled(const uint8_t *p, unsigned n, uint8_t with)
{
    for (unsigned i = 0; i < n; i++)
        if (p[i] != with)
            return false;
    return true;
}

/* Pages: 0 nothing, 1 nothing, 2 RAM, 3 missing, 4 RAM, 5 the same frame read-only, 6 with a reserved bit, 7 nothing, 8 missing, 9 RAM. */
static void set_pages(uint64_t rights)
{
    static const uint8_t frame_of[10] = { [2] = 0, [4] = 1, [5] = 1, [6] = 2, [9] = 3 };

    for (unsigned i = 0; i < 10; i++) {
        if (i == 0 || i == 1 || i == 7)
            map(i, NOWHERE | P | W | rights);
        else if (i == 3 || i == 8)
            map(i, 0);
        else
            map_ram(i, frame_of[i], (i == 5 ? 1u : 3u) | rights | (i == 6 ? RESERVED : 0));
    }
    memset(ram, 0, sizeof(ram));
}

/* --- string instructions in the middle --- */

static void strings(void)
{
    set_pages(0);
    FAULT("movs-to-missing-page", rep_movsb, TRAP_PF, W, at(3, 0), 60, .rsi = at(0, 8), .rdi = at(3, -40), .rcx = 100);
    test_equal(trap_last.rdi, at(3, 0), "movs-rdi");
    test_equal(trap_last.rsi, at(0, 48), "movs-rsi");
    test_ok(filled(ram[0] + PAGE - 40, 40, 0xff) && ram[0][PAGE - 41] == 0, "movs-before-the-fault");
    test_equal(pt[2] & (A | D), A | D, "movs-sets-accessed-and-dirty");
    set_pages(0);
    FAULT("movs-from-missing-page", rep_movsb, TRAP_PF, 0, at(3, 0), 60, .rsi = at(3, -40), .rdi = at(0, 8), .rcx = 100);
    test_equal(pt[2] & (A | D), A, "movs-sets-accessed");
    FAULT("movs-backwards", rep_movsw, TRAP_PF, W, at(8, PAGE - 2), 6, .rsi = at(1, 0x200), .rdi = at(9, 6), .rcx = 10, .flags = FLAG_DF);
    test_equal(trap_last.rsi, at(1, 0x1f8), "movs-backwards-rsi");
    FAULT("movs-element-across-the-edge", movsl, TRAP_PF, W, at(3, 0), 5, .rsi = at(1, 0), .rdi = at(3, -2), .rcx = 5);
    test_ok(filled(ram[0] + PAGE - 8, 8, 0), "movs-element-is-not-torn");
    FAULT("stos-into-missing-page", rep_stosb, TRAP_PF, W, at(8, 0), 20, .rdi = at(8, -10), .rcx = 30);
    FAULT("movs-to-read-only", rep_movsb, TRAP_PF, P | W, at(5, 16), 3, .rsi = at(1, 0), .rdi = at(5, 16), .rcx = 3);
    change_cr0_cr4(CR0_WP, 0, false);
    WELL("movs-to-read-only-without-wp", rep_movsb, .rsi = at(1, 0), .rdi = at(5, 16), .rcx = 3);
    change_cr0_cr4(CR0_WP, 0, true);
    test_ok(filled(ram[1] + 16, 3, 0xff) && ram[1][19] == 0, "movs-without-wp-writes");
    FAULT("movs-to-reserved-bit", rep_movsb, TRAP_PF, P | W | 8, at(6, 0), 3, .rsi = at(1, 0), .rdi = at(6, 0), .rcx = 3);
    FAULT("movs-to-nowhere-canonical", rep_movsb, TRAP_GP, 0, 0, 3, .rsi = at(1, 0), .rdi = NO_CANON, .rcx = 3);
    WELL("movs-of-none", rep_movsb, .rsi = NO_CANON, .rdi = NO_CANON, .rcx = 0);
    FAULT("movs-traps-after-each", rep_movsb, TRAP_DB, 0, 0, 4, .rsi = at(1, 0), .rdi = at(2, 0), .rcx = 5, .flags = FLAG_TF);
}

static void compares(void)
{
    set_pages(0);
    memset(ram[0], 0xff, 50);
    WELL("cmps-until-different", repe_cmpsb, .rsi = at(2, 0), .rdi = at(1, 0), .rcx = 100);
    test_ok(after.rcx == 49 && after.rsi == at(2, 51) && after.rdi == at(1, 51) && !(after.flags & FLAG_ZF), "cmps-stops-there");
    WELL("scas-while-equal", repe_scasb, .rdi = at(0, 0), .rcx = 100, .rax = 0x11ff);
    test_ok(after.rcx == 0 && after.rdi == at(0, 100) && (after.flags & FLAG_ZF), "scas-to-the-end");
    WELL("scas-until-equal", repne_scasb, .rdi = at(1, -1), .rcx = 100, .rax = 0xff, .flags = FLAG_DF);
    test_ok(after.rcx == 99 && after.rdi == at(1, -2) && (after.flags & FLAG_ZF), "scas-finds");
    WELL("stos-of-thousands", rep_stosb, .rdi = at(0, 0), .rcx = 2 * PAGE);
    test_equal(after.rdi, at(2, 0), "stos-to-the-end");
}

/* --- string I/O --- */

static uint8_t scratch(void)
{
    uint8_t v;

    __asm__ volatile("inb %w1, %0" : "=a"(v) : "d"(SCRATCH));
    return v;
}

static void set_scratch(uint8_t v)
{
    __asm__ volatile("outb %0, %w1" : : "a"(v), "d"(SCRATCH));
}

static void string_io(void)
{
    set_pages(0);
    set_scratch(0x5a);
    FAULT("ins-into-missing-page", rep_insb, TRAP_PF, W, at(3, 0), 7, .rdi = at(3, -5), .rcx = 12, .rdx = SCRATCH);
    test_ok(filled(ram[0] + PAGE - 5, 5, 0x5a), "ins-before-the-fault");
    ram[0][PAGE - 1] = 0x77;
    FAULT("outs-from-missing-page", rep_outsb, TRAP_PF, 0, at(3, 0), 9, .rsi = at(3, -3), .rcx = 12, .rdx = SCRATCH);
    test_equal(scratch(), 0x77, "outs-before-the-fault");
    FAULT("outs-not-canonical", rep_outsb, TRAP_GP, 0, 0, 2, .rsi = NO_CANON, .rcx = 2, .rdx = SCRATCH);
    FAULT("outs-from-reserved-bit", rep_outsb, TRAP_PF, P | 8, at(6, 0), 3, .rsi = at(6, 0), .rcx = 3, .rdx = SCRATCH);
    FAULT("ins-read-only", rep_insb, TRAP_PF, P | W, at(5, 0), 2, .rdi = at(5, 0), .rcx = 2, .rdx = SCRATCH);
    map_ram(3, 2, P | W);
    WELL("ins-across-pages", insl, .rdi = at(3, -3), .rdx = 0x80);
    test_ok(filled(ram[0] + PAGE - 3, 3, 0xff) && ram[2][0] == 0xff && ram[2][1] == 0, "ins-writes-both-pages");
    map(3, NOWHERE | P | W);
    WELL("ins-from-ram-to-nothing", rep_insb, .rdi = at(3, -3), .rcx = 6, .rdx = SCRATCH);
    test_ok(filled(ram[0] + PAGE - 3, 3, 0x77), "ins-ram-before-nothing");
    WELL("outs-from-nothing", rep_outsb, .rsi = at(3, 0), .rcx = 40, .rdx = SCRATCH);
    test_equal(scratch(), 0xff, "outs-all-ones");
    ram[1][3] = 0x41;
    WELL("outs-addr32", addr32_rep_outsb, .rsi = at(4, 0) | 0xdead00000000, .rcx = 0xbeef00000004, .rdx = SCRATCH);
    test_equal(scratch(), 0x41, "outs-addr32-sent");
    test_ok(after.rsi == at(4, 4) && after.rcx == 0, "outs-addr32-registers");
    ram[1][16] = 0x42;
    __asm__ volatile("wrmsr" : : "c"(MSR_FS_BASE), "a"((uint32_t)at(4, 0)), "d"(0));
    WELL("outs-fs", fs_outsb, .rsi = 16, .rdx = SCRATCH);
    test_equal(scratch(), 0x42, "outs-fs-sent");
    __asm__ volatile("wrmsr" : : "c"(MSR_FS_BASE), "a"(0), "d"(0));
    WELL("outs-backwards", rep_outsb, .rsi = at(4, 16), .rcx = 14, .rdx = SCRATCH, .flags = FLAG_DF);
    test_equal(scratch(), 0x41, "outs-backwards-sent");
}

/* --- walks and fetches that lead nowhere --- */

static void nowhere(void)
{
    uint64_t beyond = WINDOW + (1ull << 21);

    set_pages(0);
    pd[1] = NOWHERE | P | W | U;
    FAULT("walk-nowhere-read", load_8, TRAP_PF, P | 8, beyond + 0x123, 0, .rsi = beyond + 0x123);
    FAULT("walk-nowhere-write", store_8, TRAP_PF, P | W | 8, beyond + 8, 0, .rdi = beyond + 8);
    FAULT("walk-nowhere-movs", rep_movsb, TRAP_PF, P | W | 8, beyond, 7, .rsi = at(1, 0), .rdi = beyond, .rcx = 7);
    FAULT("walk-nowhere-bts", bts_there, TRAP_PF, P | W | 8, beyond + 0x100, 0, .rdi = beyond, .rax = 0x800);
    JUMP("walk-nowhere-fetch", beyond + 5, TRAP_PF, P | 8, beyond + 5, beyond + 5);
    pd[1] = LAPIC | P | W | U;
    FAULT("walk-in-device", load_8, TRAP_PF, P | 8, beyond, 0, .rsi = beyond);
    pd[1] = 0;
    JUMP("run-nowhere", NOWHERE + 3, TRAP_UD, 0, 0, NOWHERE + 3);
    JUMP("run-in-device", LAPIC, TRAP_UD, 0, 0, LAPIC);
    map(3, NOWHERE | P | W);
    memcpy(ram[0] + PAGE - 3, "\xc7\x07\x78", 3); /* movl $..., (%rdi) */
    JUMP("run-from-ram-to-nothing", at(3, -3), TRAP_UD, 0, 0, at(3, 3));
    test_ok(filled(ram[1] + 1, 3, 0xff) && ram[1][0] == 0x78 && ram[1][4] == 0, "instruction-across-the-edge");
    WELL("push-nothing", push_there, .rsi = at(0, 0));
    test_equal(after.rax, ~0ull, "push-all-ones");
}

/* --- segments, in 32-bit code --- */

static void segments(void)
{
    uint64_t edge = SHORT_LIMIT - 3, port = SCRATCH;

    set_pages(0);
    FAULT("ins-beyond-limit", es_rep_insb, TRAP_GP, 0, 0, 6, .rdi = edge, .rcx = 10, .rdx = port | SEL_SHORT << 16);
    FAULT("movs-beyond-limit", es_movsb, TRAP_GP, 0, 0, 0, .rsi = at(1, 0), .rdi = SHORT_LIMIT + 1, .rdx = SEL_SHORT << 16);
    FAULT("movs-to-constant", es_movsb, TRAP_GP, 0, 0, 0, .rsi = at(1, 0), .rdi = at(2, 0), .rdx = SEL_CONST << 16);
    FAULT("movs-to-null", es_movsb, TRAP_GP, 0, 0, 0, .rsi = at(1, 0), .rdi = at(2, 0));
    WELL("movs-from-constant", fs_movsb, .rsi = at(2, 0), .rdi = at(1, 0), .rdx = SEL_CONST << 16);
    WELL("movs-from-code", fs_movsb, .rsi = at(2, 0), .rdi = at(1, 0), .rdx = SEL_CODE32 << 16);
    ram[0][9] = 0x43;
    WELL("outs-from-code", cs_outsb, .rsi = at(2, 9), .rdx = port);
    test_equal(scratch(), 0x43, "outs-from-code-sent");
    edge = SHORT_LIMIT + 0x101;
    FAULT("push-beyond-limit", ss_push, TRAP_SS, 0, 0, edge, .rsi = at(1, 0), .rcx = edge, .rdx = SEL_SHORT << 16);
}

/* --- rights --- */

static void user_rights(void)
{
    if (pith_cpuid(7, 0).ebx & 1u << 20) {
        set_pages(0);
        map_ram(4, 1, P | W | U);
        change_cr0_cr4(0, CR4_SMAP, true);
        FAULT("smap-write", rep_movsb, TRAP_PF, P | W, at(4, 0), 2, .rsi = at(1, 0), .rdi = at(4, 0), .rcx = 2);
        FAULT("smap-read", rep_movsb, TRAP_PF, P, at(4, 0), 2, .rsi = at(4, 0), .rdi = at(1, 0), .rcx = 2);
        WELL("smap-with-ac", rep_movsb, .rsi = at(1, 0), .rdi = at(4, 0), .rcx = 2, .flags = FLAG_AC);
        change_cr0_cr4(0, CR4_SMAP, false);
    }
    trap_open_user();
    set_pages(U);
    map_ram(4, 1, P | W);
    FAULT_USER("user-write-of-supervisor", rep_movsb, TRAP_PF, P | W | U, at(4, 0), 2, .rsi = at(1, 0), .rdi = at(4, 0), .rcx = 2);
    FAULT_USER("user-read-of-supervisor", rep_movsb, TRAP_PF, P | U, at(4, 0), 2, .rsi = at(4, 0), .rdi = at(1, 0), .rcx = 2);
    FAULT_USER("user-missing", rep_movsb, TRAP_PF, W | U, at(3, 0), 2, .rsi = at(1, 0), .rdi = at(3, 0), .rcx = 2);
    FAULT_USER("user-runs", rep_movsb, TRAP_BP, 0, 0, 0, .rsi = at(1, 0), .rdi = at(2, 0), .rcx = 2);
    change_cr0_cr4(CR0_AM, 0, true);
    FAULT_USER("aligned", load_2, TRAP_BP, 0, 0, 0, .rsi = at(1, 6), .flags = FLAG_AC);
    FAULT_USER("misaligned", load_2, TRAP_AC, 0, 0, 0, .rsi = at(1, 7), .flags = FLAG_AC);
    FAULT_USER("misaligned-movs", movsl, TRAP_AC, 0, 0, 0, .rsi = at(1, 8), .rdi = at(2, 2), .flags = FLAG_AC);
    FAULT_USER("misaligned-without-ac", load_2, TRAP_BP, 0, 0, 0, .rsi = at(1, 7));
    WELL("misaligned-supervisor", load_2, .rsi = at(1, 7), .flags = FLAG_AC);
    change_cr0_cr4(CR0_AM, 0, false);
}

/* One access that ends a partition with strict = yes, by whichever way it comes; the last one does not. */
static int strict(uint64_t way)
{
    struct regs r = { .rsi = at(0, 8), .rdi = at(1, 8), .rcx = 2, .rdx = SCRATCH };
    static void (*const ways[])(uint64_t) = { store_8, rep_movsb, rep_outsb, jump, load_8, store_8, load_8 };

    set_pages(0);
    map(3, way == 6 ? IOAPIC | P | W : NOWHERE | P | W);
    if (way == 0 || way == 6)
        r.rdi = at(3, -4), r.rsi = at(3, 0);
    if (way == 4 || way == 5)
        r.rdi = r.rsi = WINDOW + (1ull << 21);
    pd[1] = NOWHERE | P | W;
    ways[way]((uintptr_t)&r);
    return way == 6 ? 0 : 1;
}

int guest_main(const struct pith_start *start)
{
    uint64_t way = pith_option(start, "strict", 99);

    trap_init();
    make_segments();
    make_window();
    if (way < 7)
        return strict(way);
    strings();
    compares();
    string_io();
    nowhere();
    segments();
    user_rights();
    return test_end();
}
