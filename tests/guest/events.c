/* SPDX-License-Identifier: MIT */
/*
 * Events as the manuals have them: which vectors arrive, in which order, at which RIP, with what pushed. SDM 3, "Interrupt and
 * Exception Handling"; APM 2, "Exceptions and Interrupts". Results are the same on every machine; where an emulator is
 * known to be wrong, without=N leaves that out (enum without; EXCEPTIONS in cases.py). case=N: a way to end (see `ends`).
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define SEL_USER_DATA  0x1bu
#define SEL_USER_CODE  0x23u
#define SEL_TSS        0x28u
#define SEL_CODE32     0x38u
#define GATE           0x8eu
#define GATE_USER      0xeeu
#define V_NMI          2
#define V_OF           4
#define V_NP           11
#define V_BACK         0xf0    /* from CPL 3 */
#define V_USER         0xf1    /* INT n that CPL 3 may use */
#define V_UART         0x55
#define RFLAGS_TF      0x100ull
#define RFLAGS_IF      0x200ull
#define RFLAGS_RF      0x10000ull
#define DR6_BS         0x4000ull
#define DR6_CLEAR      0xffff0ff0ull
#define MSR_MISC_ENABLE 0x1a0u
#define MSR_NOWHERE    0x12345u
#define MSR_APIC_BASE  0x1bu
#define X2APIC(reg)    (0x800u + (reg) / 16)
#define ICR_NMI_SELF   0x44400u
#define IOAPIC         0xfec00000ull
#define NOWHERE        0xd0000000ull
#define UART           0x3f8u
#define REPORT_NS      100000000ull
#define RTC            0x70u
#define HOLE           0x600000ull /* a page that the tests take away: RAM behind everything that is used */

/* Bits of without=N. */
enum without { W_INT1 = 1, W_IDT_ERRORS = 2, W_RAISED_DOUBLE_FAULTS = 4, W_BREAKPOINTS = 8, W_STEP_PAUSE = 16, W_DR6 = 32, W_WINDOW = 64 };
static uint64_t without;

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
struct __attribute__((packed)) tss { uint32_t zero; uint64_t rsp[3]; uint64_t zero2, ist[7]; uint8_t rest[10]; uint16_t io_map; };
struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };
struct frame {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
struct seen { uint64_t vector, error, rip, cs, rflags, cr2, dr6; };

static uint64_t gdt[10] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0, 0x00cf9b000000ffff, 0, 0,
};
static struct gate idt[256] __attribute__((aligned(4096)));
static struct tss tss;
static uint8_t stacks[4][8192] __attribute__((aligned(4096))); /* of CPL 0 from CPL 3, of #DF, of CPL 3, of NMI */

/* What arrived, and what the handler shall do then. */
static struct seen log[64];
static volatile unsigned nr_seen;
static uint64_t go_on;             /* where a fault's handler returns to, once */
static uint64_t step_end;          /* TF is taken off there */
static uint64_t set_rf;            /* the handler of #DB sets RF */
static unsigned depth, deepest, nmi_sends, nmi_traps;
extern const char stubs[];
extern uint64_t kernel_rsp, kernel_rip;
uint64_t kernel_rsp, kernel_rip;
void user_run(uint64_t entry, uint64_t stack);
void entered(struct frame *f);

__asm__(".pushsection .text\n"
        ".balign 16\n"
        "stubs:\n"
        ".set i, 0\n"
        ".rept 256\n"
        "    .balign 16\n"
        "    .if !(i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21)\n"
        "    pushq $0\n"
        "    .endif\n"
        "    pushq $i\n"
        "    jmp common\n"
        "    .set i, i + 1\n"
        ".endr\n"
        "events_common:\n"
        "common:\n"
        "    push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8\n"
        "    push %rdi; push %rsi; push %rbp; push %rbx; push %rdx; push %rcx; push %rax\n"
        "    cld\n"
        "    mov %rsp, %rdi\n"
        "    mov %rsp, %rbp\n"
        "    and $-16, %rsp\n"
        "    call entered\n"
        "    mov %rbp, %rsp\n"
        "    pop %rax; pop %rcx; pop %rdx; pop %rbx; pop %rbp; pop %rsi; pop %rdi\n"
        "    pop %r8; pop %r9; pop %r10; pop %r11; pop %r12; pop %r13; pop %r14; pop %r15\n"
        "    add $16, %rsp\n"
        "    iretq\n"
        /* RDI: code, RSI: stack; back by INT V_BACK, which leaves through kernel_rip. */
        "user_run:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    mov %rsp, kernel_rsp(%rip)\n"
        "    lea 1f(%rip), %rax\n"
        "    mov %rax, kernel_rip(%rip)\n"
        "    pushq $0x1b; push %rsi; pushq $2; pushq $0x23; push %rdi\n"
        "    iretq\n"
        "1:  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n"
        ".popsection\n");

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void self_ipi(uint8_t vector)
{
    wrmsr(X2APIC(0x3f0), vector);
}

static bool in_irr(uint8_t vector)
{
    return rdmsr(X2APIC(0x200) + vector / 32) >> vector % 32 & 1;
}

static void set_cr8(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory");
}

static void exits(void) /* some that do nothing */
{
    for (unsigned i = 0; i < 3; i++)
        (void)pith_cpuid(0, 0);
}

/* --- handlers */

static void note(const struct frame *f)
{
    struct seen *s = &log[nr_seen % COUNT(log)];

    *s = (struct seen){ f->vector, f->error, f->rip, f->cs, f->rflags, 0, 0 };
    __asm__ volatile("mov %%cr2, %0" : "=r"(s->cr2));
    __asm__ volatile("mov %%dr6, %0" : "=r"(s->dr6));
    nr_seen = nr_seen + 1;
}

static void on_debug(struct frame *f)
{
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_CLEAR));
    if (f->rip == step_end || !step_end)
        f->rflags &= ~RFLAGS_TF;
    if (set_rf)
        f->rflags |= RFLAGS_RF;
}

static void on_nmi(void)
{
    unsigned sends = nmi_sends, traps = nmi_traps;

    nmi_sends = nmi_traps = 0;
    for (; sends; sends--)
        wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    for (; traps; traps--)
        __asm__ volatile("int3");
    exits();
}

void entered(struct frame *f)
{
    if (f->vector == V_BACK) {
        f->rip = kernel_rip;
        f->rsp = kernel_rsp;
        f->cs = 0x08;
        f->ss = 0x10;
        f->rflags = 2;
        return;
    }
    note(f);
    if (f->vector == V_NMI && ++depth > deepest)
        deepest = depth;
    if (f->vector == TRAP_DB) {
        on_debug(f);
    } else if (f->vector == V_NMI) {
        on_nmi();
    } else if (f->vector >= 32 && f->vector < V_BACK) {
        wrmsr(X2APIC(0xb0), 0);
    } else if (f->vector < 32 && f->vector != TRAP_BP && f->vector != V_OF) {
        if (!go_on) {
            pith_printf("not ok exception %lu, error 0x%lx, RIP 0x%lx, CR2 0x%lx\n", f->vector, f->error, f->rip,
                        log[(nr_seen - 1) % COUNT(log)].cr2);
            pith_quit(0x100 + f->vector);
        }
        f->rip = go_on;
        f->rflags &= ~(RFLAGS_TF | RFLAGS_RF);
        go_on = 0;
    }
    if (f->vector == V_NMI)
        depth--;
}

static void set_gate(unsigned vector, uint8_t attr)
{
    uint64_t at = (uintptr_t)stubs + 16 * vector;

    idt[vector] = (struct gate){ .low = (uint16_t)at, .selector = 0x08, .attr = attr, .mid = (uint16_t)(at >> 16),
                                 .high = (uint32_t)(at >> 32) };
}

static void set_tss(unsigned at, const struct tss *t)
{
    uint64_t base = (uintptr_t)t;

    gdt[at] = (sizeof(*t) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[at + 1] = base >> 32;
}

static void load_idt(uint64_t base, uint16_t limit)
{
    struct table t = { limit, base };

    __asm__ volatile("lidt %0" : : "m"(t));
}

static void set_up(void)
{
    struct table t = { sizeof(gdt) - 1, (uintptr_t)gdt };

    tss.rsp[0] = (uintptr_t)stacks[1];
    tss.ist[0] = (uintptr_t)stacks[2];
    tss.ist[1] = HOLE + 0x1000; /* for handlers that must not be reached */
    tss.ist[2] = (uintptr_t)stacks[3] + sizeof(stacks[3]);
    tss.io_map = sizeof(tss);
    set_tss(SEL_TSS / 8, &tss);
    for (unsigned i = 0; i < 256; i++)
        set_gate(i, i == TRAP_BP || i == V_OF || i == V_BACK || i == V_USER ? GATE_USER : GATE);
    idt[TRAP_DF].ist = 1;
    __asm__ volatile("lgdt %0" : : "m"(t));
    load_idt((uintptr_t)idt, sizeof(idt) - 1);
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    trap_open_user();
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
    wrmsr(X2APIC(0xf0), 0x1ff);
}

/* --- what is expected: the vectors in order, up to a negative one */

static bool arrived(const int *want)
{
    unsigned n = 0;
    bool same = true;

    for (; want[n] >= 0; n++)
        same &= n < nr_seen && log[n].vector == (uint64_t)want[n];
    if (same && n == nr_seen)
        return true;
    pith_printf("arrived:");
    for (unsigned i = 0; i < nr_seen && i < COUNT(log); i++)
        pith_printf(" %lu(0x%lx) at 0x%lx", log[i].vector, log[i].error, log[i].rip);
    pith_puts("\n");
    return false;
}

/* What a #DB says of itself. */
static uint64_t dr6(unsigned i)
{
    return without & W_DR6 ? DR6_BS : log[i].dr6 & 0xe00f;
}

static void forget(void)
{
    nr_seen = 0;
    depth = deepest = 0;
    step_end = set_rf = 0;
}

#define EXPECT(name, ...) test_ok(arrived((const int[]){ __VA_ARGS__, -1 }), name)

/* --- a trap flag over every kind of instruction that leaves the guest: one #DB, behind it */

static uint64_t after; /* the instruction */

#define STEP_TEXT(insn)                                                                                        \
    "lea 1f(%%rip), %%r8\n mov %%r8, %[after]\n lea 2f(%%rip), %%r8\n mov %%r8, %[end]\n"                          \
    "pushfq\n orl $0x100, (%%rsp)\n popfq\n" insn "\n1: nop\n2:\n"
#define STEP(name, insn)                                                                                       \
    static void step_##name(uint64_t a, uint64_t c, uint64_t d, uint64_t di)                                    \
    {                                                                                                          \
        uint64_t b = 0, si = (uintptr_t)&step_end;                                                             \
        __asm__ volatile(STEP_TEXT(insn) : "+a"(a), "+c"(c), "+d"(d), "+D"(di), "+b"(b), "+S"(si), [after] "=m"(after), \
                         [end] "=m"(step_end) : : "r8", "memory", "cc");                                         \
    }
STEP(nop, "nop")
STEP(cpuid, "cpuid")
STEP(prefixed, ".byte 0x2e, 0x48; cpuid")
STEP(rdtsc, "rdtsc")
STEP(pause, "pause")
STEP(rdmsr, "rdmsr")
STEP(wrmsr, "wrmsr")
STEP(in, "in %%dx, %%al")
STEP(out, "out %%al, $0x80")
STEP(outs, "outsb")
STEP(hlt, "hlt")
STEP(vmcall, "vmcall")
STEP(vmmcall, "vmmcall")
STEP(cr0, "mov %%rax, %%cr0")
STEP(cr4, "mov %%rax, %%cr4")
STEP(cr8, "mov %%rax, %%cr8")
STEP(cr8_read, "mov %%cr8, %%rax")
STEP(dr0, "mov %%rax, %%dr0")
STEP(dr7_read, "mov %%dr7, %%rax")
STEP(xsetbv, "xsetbv")
STEP(wbinvd, "wbinvd")
STEP(invd, "invd")
STEP(load, "mov (%%rdi), %%eax")
STEP(store, "mov %%eax, (%%rdi)")
STEP(stack, "mov %%eax, %%ss; cpuid")

static void single_step(void)
{
    uint64_t cr0, cr4;
    char name[32];

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    if (pith_cpuid(1, 0).ecx & 1u << 26)
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 |= 1ull << 18) : "memory");
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    const struct { const char *name; void (*fn)(uint64_t, uint64_t, uint64_t, uint64_t); uint64_t a, c, d, di; } steps[] = {
        { "nop", step_nop, 0, 0, 0, 0 },
        { "cpuid", step_cpuid, 0, 0, 0, 0 },
        { "cpuid-prefixed", step_prefixed, 0, 0, 0, 0 },
        { "rdtsc", step_rdtsc, 0, 0, 0, 0 },
        { "pause", step_pause, 0, 0, 0, 0 },
        { "rdmsr", step_rdmsr, 0, MSR_MISC_ENABLE, 0, 0 },
        { "wrmsr", step_wrmsr, 0x1801, MSR_MISC_ENABLE, 0, 0 },
        { "rdmsr-not-trapped", step_rdmsr, 0, 0xc0000101, 0, 0 },
        { "in", step_in, 0, 0, RTC + 1, 0 },
        { "out", step_out, 0, 0, 0, 0 },
        { "outs", step_outs, 0, 0, 0x80, 0 },
        { "hlt", step_hlt, 0, 0, 0, 0 },
        { "hypercall", pith_hypercall_insn == PITH_HC_VMMCALL ? step_vmmcall : step_vmcall, PITH_CALL_BASE, 0, 0, 0 },
        { "mov-cr0", step_cr0, cr0 ^ 1ull << 30, 0, 0, 0 },
        { "mov-cr0-back", step_cr0, cr0, 0, 0, 0 },
        { "mov-cr4", step_cr4, cr4 ^ 1ull << 6, 0, 0, 0 },
        { "mov-cr4-back", step_cr4, cr4, 0, 0, 0 },
        { "mov-cr8", step_cr8, 0, 0, 0, 0 },
        { "mov-from-cr8", step_cr8_read, 0, 0, 0, 0 },
        { "mov-dr0", step_dr0, 0, 0, 0, 0 },
        { "mov-from-dr7", step_dr7_read, 0, 0, 0, 0 },
        { "xsetbv", cr4 & 1ull << 18 ? step_xsetbv : step_nop, 1, 0, 0, 0 },
        { "wbinvd", step_wbinvd, 0, 0, 0, 0 },
        { "invd", step_invd, 0, 0, 0, 0 },
        { "load", step_load, 0, 0, 0, IOAPIC },
        { "store", step_store, 0, 0, 0, IOAPIC },
        { "mov-ss-cpuid", step_stack, 0x10, 0, 0, 0 },
    };

    for (unsigned i = 0; i < COUNT(steps); i++) {
        if ((without & W_STEP_PAUSE) && steps[i].fn == step_pause)
            continue;
        forget();
        steps[i].fn(steps[i].a, steps[i].c, steps[i].d, steps[i].di);
        (void)pith_format(name, sizeof(name), "step-%s", steps[i].name);
        EXPECT(name, TRAP_DB, TRAP_DB);
        if (log[0].rip != after || log[1].rip != step_end || dr6(0) != DR6_BS) {
            pith_printf("0x%lx 0x%lx DR6 0x%lx, want 0x%lx 0x%lx\n", log[0].rip, log[1].rip, log[0].dr6, after, step_end);
            test_ok(false, "step-lands-behind");
        }
    }
}

/* --- the instruction after STI is still undisturbed, whether it leaves the guest or not */

#define SHADOW(insn)                                                                                           \
    do {                                                                                                       \
        uint64_t a = 0, b, c = 0, d;                                                                           \
        forget();                                                                                              \
        self_ipi(0x61);                                                                                        \
        __asm__ volatile("lea 1f(%%rip), %%r8\n mov %%r8, %[after]\n sti\n" insn "\n1: nop\n cli\n"                  \
                         : "+a"(a), "=b"(b), "+c"(c), "=d"(d), [after] "=m"(after) : : "r8", "memory", "cc");    \
    } while (0)

static void shadows(void)
{
    SHADOW("nop");
    EXPECT("sti-nop", 0x61);
    test_equal(log[0].rip, after, "sti-nop-at");
    SHADOW("cpuid");
    if (!(without & W_WINDOW)) {
        EXPECT("sti-cpuid", 0x61);
        test_equal(log[0].rip, after, "sti-cpuid-at");
    }
    __asm__ volatile("sti; nop; cli");
    SHADOW("hlt");
    EXPECT("sti-hlt", 0x61);
    test_equal(log[0].rip, after, "sti-hlt-at");
    forget();
    self_ipi(0x61);
    __asm__ volatile("sti; cli; nop" : : : "memory");
    test_ok(nr_seen == 0 && in_irr(0x61), "sti-cli");
    __asm__ volatile("sti; nop; cli" : : : "memory");
    EXPECT("sti-later", 0x61);
    /* A window, a shadow and an exit, again and again. */
    forget();
    for (unsigned i = 0; i < 500; i++) {
        self_ipi(0x61);
        __asm__ volatile("sti; cpuid; cli" : : : "eax", "ebx", "ecx", "edx", "memory");
        __asm__ volatile("mov %%ss, %%eax; mov %%eax, %%ss; cpuid; sti; nop; cli" : : : "eax", "ebx", "ecx", "edx", "memory");
    }
    test_equal(nr_seen, 500, "windows");
}

/* --- INT n and its kin */

static uint64_t at_user[3];

static void user_code(void)
{
    __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n int3\n1:\n"
                     "lea 2f(%%rip), %%rax\n mov %%rax, %1\n int $0xf1\n2:\n"
                     "lea 3f(%%rip), %%rax\n mov %%rax, %3\n lea 4f(%%rip), %%rax\n mov %%rax, %2\n"
                     "4: int $0x80\n3:\n" /* CPL 0's */
                     "int $0xf0"
                     : "=m"(at_user[0]), "=m"(at_user[1]), "=m"(at_user[2]), "=m"(go_on) : : "rax", "memory");
}

static void software_interrupts(void)
{
    uint64_t at[2];

    forget();
    __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n int3\n1:\n"
                     "lea 2f(%%rip), %%rax\n mov %%rax, %1\n int $0xf1\n2:\n"
                     : "=m"(at[0]), "=m"(at[1]) : : "rax", "memory");
    EXPECT("int", TRAP_BP, V_USER);
    test_ok(log[0].rip == at[0] && log[1].rip == at[1] && !log[0].error, "int-at");

    forget();
    __asm__ volatile("mov $2f, %%rax\n mov %%rax, %0\n pushq $0x38\n mov $1f, %%rax\n push %%rax\n lretq\n"
                     ".code32\n1: mov $0x7fffffff, %%eax\n add $1, %%eax\n into\n2: xor %%eax, %%eax\n into\n ljmp $0x08, $3f\n"
                     ".code64\n3:\n" : "=m"(at[0]) : : "rax", "memory", "cc");
    EXPECT("into", V_OF);
    test_equal(log[0].rip, at[0], "into-at");
    test_equal(log[0].cs, SEL_CODE32, "into-from-32-bit-code");

    forget();
    user_run((uintptr_t)user_code, (uintptr_t)stacks[2] + sizeof(stacks[2]) - 8);
    EXPECT("int-user", TRAP_BP, V_USER, TRAP_GP);
    test_ok(log[0].rip == at_user[0] && log[1].rip == at_user[1] && log[2].rip == at_user[2], "int-user-at");
    test_equal(log[0].cs, SEL_USER_CODE, "int-user-from");
}

static void int1_user(void)
{
    __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n .byte 0xf1\n1: int $0xf0" : "=m"(after) : : "rax", "memory");
}

static void int1(void)
{
    forget();
    __asm__ volatile("lea 1f(%%rip), %%rax\n mov %%rax, %0\n .byte 0xf1\n1:" : "=m"(after) : : "rax", "memory");
    EXPECT("int1", TRAP_DB);
    test_equal(log[0].rip, after, "int1-at");
    test_equal(log[0].dr6 & 0xe00f, 0, "int1-dr6");
    forget();
    user_run((uintptr_t)int1_user, (uintptr_t)stacks[2] + sizeof(stacks[2]) - 8);
    EXPECT("int1-user", TRAP_DB);
    test_equal(log[0].rip, after, "int1-user-at");
}

/* --- exceptions that meet exceptions: the first one the processor's own, or one that the hypervisor raises */

/* Runs @insn, whose fault's handler goes on behind it. */
#define FAULT(insn, ...)                                                                                       \
    do {                                                                                                       \
        forget();                                                                                              \
        __asm__ volatile("lea 1f(%%rip), %%r8\n mov %%r8, %[on]\n lea 2f(%%rip), %%r8\n mov %%r8, %[at]\n2: " insn "\n1:\n"  \
                         : [on] "=m"(go_on), [at] "=m"(after) : __VA_ARGS__ : "r8", "memory", "cc", "rax", "rdx", "rsi"); \
    } while (0)
#define FAULT_UD    FAULT("ud2")
#define FAULT_DE    FAULT("xor %%eax, %%eax\n xor %%edx, %%edx\n div %%eax")
#define FAULT_PF    FAULT("mov %%eax, (%[x])", [x] "r"(HOLE))
#define RAISED_GP   FAULT("rdmsr", "c"(MSR_NOWHERE))
#define RAISED_PF   FAULT("mov %[x], %%rsi\n mov $0x80, %%edx\n outsb", [x] "r"(HOLE + 8))

/* The page tables' entry for HOLE, a large page split by us. */
static uint64_t split[512] __attribute__((aligned(4096)));

static uint64_t *next_table(uint64_t *table, unsigned i)
{
    return (uint64_t *)(uintptr_t)(table[i] & 0x000ffffffffff000ull);
}

static void hole(bool present)
{
    uint64_t cr3, *pd;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    pd = next_table(next_table((uint64_t *)(uintptr_t)(cr3 & ~0xfffull), 0), 0);
    if (pd[HOLE >> 21] & 0x80) {
        for (unsigned i = 0; i < 512; i++)
            split[i] = (HOLE & ~0x1fffffull) + i * 0x1000ull + 7;
        pd[HOLE >> 21] = (uintptr_t)split | 7;
    }
    split[HOLE >> 12 & 511] = present ? HOLE | 7 : HOLE | 6;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void no_gate(unsigned vector, bool present)
{
    idt[vector].attr = present ? GATE : GATE & 0x7f;
}

static void meet(void)
{
    hole(false);
    no_gate(TRAP_DE, false);
    FAULT_DE;
    EXPECT("contributory-contributory", TRAP_DF);
    test_equal(log[0].error, 0, "double-fault-error");
    no_gate(TRAP_DE, true);

    no_gate(TRAP_GP, false);
    if (!(without & W_RAISED_DOUBLE_FAULTS)) {
        RAISED_GP;
        EXPECT("raised-contributory", TRAP_DF);
        test_equal(log[0].rip, after, "raised-contributory-at");
    }
    no_gate(TRAP_GP, true);

    no_gate(TRAP_PF, false);
    FAULT_PF;
    EXPECT("page-fault-contributory", TRAP_DF);
    if (!(without & W_RAISED_DOUBLE_FAULTS)) {
        RAISED_PF;
        EXPECT("raised-page-fault-contributory", TRAP_DF);
    }
    no_gate(TRAP_PF, true);

    idt[TRAP_PF].ist = 2; /* a stack that is not present */
    FAULT_PF;
    EXPECT("page-fault-page-fault", TRAP_DF);
    RAISED_PF;
    EXPECT("raised-page-fault-page-fault", TRAP_DF);
    idt[TRAP_PF].ist = 0;

    idt[TRAP_GP].ist = 2;
    RAISED_GP;
    EXPECT("contributory-page-fault", TRAP_PF);
    test_equal(log[0].cr2 >> 12, HOLE >> 12, "contributory-page-fault-cr2");
    idt[TRAP_GP].ist = 0;

    no_gate(TRAP_UD, false);
    FAULT_UD;
    EXPECT("benign-contributory", V_NP);
    no_gate(TRAP_UD, true);

    FAULT_PF;
    EXPECT("page-fault", TRAP_PF);
    test_equal(log[0].cr2, HOLE, "page-fault-cr2");
    test_equal(log[0].error, 2, "page-fault-error");
    RAISED_PF;
    EXPECT("raised-page-fault", TRAP_PF);
    test_equal(log[0].cr2, HOLE + 8, "raised-page-fault-cr2");
    test_equal(log[0].error, 0, "raised-page-fault-error");
}

/* What the error code says of a gate, and EXT: a fault on the way to an interrupt's handler, or one of INT n. */
static void external(void)
{
    no_gate(0x71, false);
    FAULT("int $0x71");
    EXPECT("int-not-present", V_NP);
    test_equal(log[0].error, 0x71 * 8 + 2, "int-not-present-error");
    test_equal(log[0].rip, after, "int-not-present-at");
    forget();
    self_ipi(0x71);
    FAULT("sti\n nop\n nop\n cli");
    EXPECT("interrupt-not-present", V_NP);
    test_equal(log[0].error, 0x71 * 8 + 3, "interrupt-not-present-error");
    wrmsr(X2APIC(0xb0), 0); /* it is in service all the same */
    no_gate(0x71, true);
    forget();
    user_run((uintptr_t)user_code, (uintptr_t)stacks[2] + sizeof(stacks[2]) - 8);
    test_equal(log[2].error, 0x80 * 8 + 2, "int-user-error");
    no_gate(TRAP_UD, false);
    FAULT_UD;
    test_equal(log[0].error, TRAP_UD * 8 + 3, "exception-not-present-error");
    no_gate(TRAP_UD, true);
}

/* --- NMIs */

static void nmis(void)
{
    idt[V_NMI].ist = 3;
    forget();
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    EXPECT("nmi-without-if", V_NMI);

    forget();
    nmi_sends = 3; /* of those in the handler one is kept */
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    EXPECT("nmi-masked-until-iret", V_NMI, V_NMI);
    test_equal(deepest, 1, "nmi-not-nested");

    idt[V_NMI].ist = 0;
    forget();
    nmi_sends = nmi_traps = 1; /* IRET from whatever ends the masking */
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    EXPECT("nmi-unmasked-by-iret", V_NMI, TRAP_BP, V_NMI);
    test_equal(deepest, 2, "nmi-nested");

    forget();
    self_ipi(0x61);
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    __asm__ volatile("sti; nop; cli" : : : "memory");
    EXPECT("nmi-before-interrupt", V_NMI, 0x61);
}

/* --- priorities */

static void task_priority(void)
{
    bool held = true, came = true;

    for (unsigned class = 3; class < 15; class ++) {
        forget();
        set_cr8(class);
        self_ipi((uint8_t)(class * 16 + 5));
        __asm__ volatile("sti; nop; cpuid; nop; cli" : : : "eax", "ebx", "ecx", "edx", "memory");
        held &= nr_seen == 0;
        __asm__ volatile("sti; nop" : : : "memory");
        set_cr8(class - 1); /* without another exit */
        __asm__ volatile("nop; cli" : : : "memory");
        came &= nr_seen == 1 && log[0].vector == class * 16 + 5;
    }
    test_ok(held, "cr8-holds");
    test_ok(came, "cr8-lets-go");

    forget();
    set_cr8(15);
    for (unsigned i = 0; i < 4; i++)
        self_ipi((uint8_t)(0x41 + 0x20 * (i * 3 % 4)));
    __asm__ volatile("sti; nop" : : : "memory");
    set_cr8(9);
    EXPECT("cr8-to-9", 0xa1);
    set_cr8(8);
    EXPECT("cr8-to-8", 0xa1);
    set_cr8(10); /* raised and lowered again */
    set_cr8(7);
    EXPECT("cr8-to-7", 0xa1, 0x81);
    set_cr8(0);
    __asm__ volatile("nop; cli" : : : "memory");
    EXPECT("cr8-to-0", 0xa1, 0x81, 0x61, 0x41);
}

/* The serial line's interrupt through the I/O APIC, one's own in the wrong order, and an NMI. */
static void all_together(void)
{
    volatile uint32_t *ioapic = (volatile uint32_t *)(uintptr_t)IOAPIC;

    forget();
    ioapic[0] = 0x10 + 2 * 4;
    ioapic[4] = V_UART;
    ioapic[0] = 0x11 + 2 * 4;
    ioapic[4] = 0;
    outb(UART + 4, 0x0b); /* OUT2 */
    outb(UART + 1, 0x02); /* transmitter empty */
    self_ipi(0x35);
    self_ipi(0xe5);
    self_ipi(0x75);
    self_ipi(0x76);
    test_ok(in_irr(V_UART), "serial-line-pending");
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    EXPECT("order", V_NMI, 0xe5, 0x76, 0x75, V_UART, 0x35);
    outb(UART + 1, 0);
}

/* --- breakpoints */

static void set_breakpoint(uint64_t at, uint64_t dr7)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(at));
    __asm__ volatile("mov %0, %%dr7" : : "r"(dr7 | 0x400));
}

#define BREAK_EXEC  0x1ull
#define BREAK_WRITE 0xd0001ull /* 4 bytes */

static void code_breakpoint(void)
{
    uint64_t at;

    __asm__ volatile("lea 1f(%%rip), %0\n jmp 2f\n1: cpuid\n ret\n2:" : "=r"(at) : : "memory");
    forget();
    set_rf = 1;
    set_breakpoint(at, BREAK_EXEC);
    __asm__ volatile("call *%0" : : "D"(at) : "rax", "rbx", "rcx", "rdx", "memory");
    EXPECT("breakpoint-once", TRAP_DB);
    test_equal(log[0].rip, at, "breakpoint-at");
    if (!(without & W_DR6))
        test_equal(dr6(0), 1, "breakpoint-dr6");
    set_breakpoint(0, 0);
}

static void resume_flag(void)
{
    RAISED_GP;
    EXPECT("fault-sets-rf", TRAP_GP);
    test_equal(log[0].rflags & RFLAGS_RF, RFLAGS_RF, "fault-sets-rf-in-image");
}

static void data_breakpoint(void)
{
    static volatile uint32_t word[2] __attribute__((aligned(8)));

    forget();
    set_breakpoint((uintptr_t)word, BREAK_WRITE);
    __asm__ volatile("movl $1, %0\n lea 0(%%rip), %%rax\n mov %%rax, %1" : "=m"(word[0]), "=m"(after) : : "rax", "memory");
    EXPECT("data-breakpoint", TRAP_DB);
    if (!(without & W_DR6))
        test_equal(dr6(0), 1, "data-breakpoint-dr6");
    word[1] = 2;
    test_equal(nr_seen, 1, "data-breakpoint-neighbour");
    set_breakpoint(0, 0);
}

#define DR7_RTM (1ull << 11) /* hidden with its feature, but it stays where the processor has it and MOV DR does not exit */

static void debug_bits(void)
{
    uint64_t have;

    __asm__ volatile("mov %0, %%dr6" : : "r"(0ull));
    __asm__ volatile("mov %%dr6, %0" : "=r"(have));
    test_equal(have, DR6_CLEAR, "dr6-fixed-bits");
    __asm__ volatile("mov %0, %%dr7" : : "r"(0xffffdfffull & ~0xff00ffull));
    __asm__ volatile("mov %%dr7, %0" : "=r"(have));
    test_equal(have & ~DR7_RTM, 0xff000700, "dr7-fixed-bits");
    set_breakpoint(0, 0);
}

/* code=, data=: addresses in the hypervisor that it comes by at a console call, and at every exit. */
static void breakpoints_on_the_hypervisor(const struct pith_start *start)
{
    uint64_t code = pith_option(start, "code", 0), data = pith_option(start, "data", 0), cr4;

    if (!code)
        return;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    forget();
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 8) : "memory"); /* DE: on ports too */
    __asm__ volatile("mov %0, %%dr0" : : "r"(code));
    __asm__ volatile("mov %0, %%dr1" : : "r"(data));
    __asm__ volatile("mov %0, %%dr2" : : "r"((uint64_t)UART));
    __asm__ volatile("mov %0, %%dr3" : : "r"(code + 16));
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x04aull << 4 << 16 | 0x7ff)); /* run, 4 bytes read or written, port, run */
    exits();
    pith_puts("breakpoints on the hypervisor\n"); /* by the port */
    test_equal(nr_seen, 0, "breakpoints-on-the-hypervisor");
    __asm__ volatile("mov %%dr0, %0" : "=r"(code));
    test_equal(code, pith_option(start, "code", 0), "breakpoints-read-back");
    set_breakpoint(0, 0);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

/* --- ways to end */

static void end_triple(void)
{
    no_gate(TRAP_DE, false);
    no_gate(TRAP_DF, false);
    FAULT_DE;
}

static void end_raised_triple(void)
{
    no_gate(TRAP_GP, false);
    no_gate(TRAP_DF, false);
    RAISED_GP;
}

static void end_double_fault_stack(void)
{
    hole(false);
    idt[TRAP_PF].ist = 2;
    idt[TRAP_DF].ist = 2;
    RAISED_PF;
}

static void end_int_in_device(void)
{
    load_idt(IOAPIC, 0xfff);
    __asm__ volatile("int $0x30");
}

static void end_nmi_in_device(void)
{
    load_idt(IOAPIC, 0xfff);
    wrmsr(X2APIC(0x300), ICR_NMI_SELF);
    exits();
}

static void end_interrupt_in_device(void)
{
    load_idt(IOAPIC, 0xfff);
    self_ipi(0x61);
    __asm__ volatile("sti; nop; nop; cli");
}

static void end_int_to_nowhere(void)
{
    __asm__ volatile("mov %0, %%rsp\n int $0x61" : : "r"(NOWHERE + 0x800));
}

static void end_fault_to_nowhere(void)
{
    tss.ist[1] = NOWHERE + 0x800;
    idt[TRAP_GP].ist = 2;
    RAISED_GP;
}

static void (*const ends[])(void) = {
    end_triple, end_raised_triple, end_double_fault_stack,                                          /* triple fault */
    end_int_in_device, end_nmi_in_device, end_interrupt_in_device, end_int_to_nowhere, end_fault_to_nowhere, /* not RAM */
};

int guest_main(const struct pith_start *start)
{
    uint64_t which = pith_option(start, "case", COUNT(ends));

    without = pith_option(start, "without", 0);
    set_up();
    if (which < COUNT(ends)) {
        (void)pith_wait(1 + which * REPORT_NS); /* one after the other: reports are longer than what the console holds */
        ends[which]();
        pith_puts("not ok\n");
        return 1;
    }
    debug_bits();
    single_step();
    shadows();
    software_interrupts();
    if (!(without & W_INT1))
        int1();
    meet();
    if (!(without & W_IDT_ERRORS))
        external();
    nmis();
    task_priority();
    all_together();
    resume_flag();
    if (!(without & W_BREAKPOINTS)) {
        code_breakpoint();
        data_breakpoint();
    }
    breakpoints_on_the_hypervisor(start);
    return test_end();
}
