/* SPDX-License-Identifier: MIT */
/*
 * Every register that a guest can change, when a core is shared: pattern=N fills all of them with values of its own and
 * finds them again after others ran; without a pattern they are what a processor starts with, and stay so. Partitions of
 * each kind share one core (cases.py). A line of `registers` is a row of the table in arch/x86/README.md.
 * reborn=1: looks first, then poisons and leaves everything behind that could reach its next life.
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define ROUNDS        24u
#define SPIN_EVERY    8u
#define POISON_NS     PITH_NS_PER_S
#define CANONICAL     0x00007fffffffffffull
#define ANY           0xdeadbeefdeadbeefull /* what it starts with is the image's business */
#define APIC_X2APIC   0xc00u
#define MSR_APIC_BASE 0x1bu
#define X2APIC_SELF   0x83fu
#define MSR_TSC_AUX   0xc0000103u
#define CR4_OSFXSR    0x600ull   /* and OSXMMEXCPT */
#define CR4_OSXSAVE   (1ull << 18)
#define RFLAGS_KEPT   0x243400ull /* ID AC IOPL DF */
#define XSAVE_SIZE    8192u
#define XSTATE_BV     512u

struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };
struct reg { const char *name; uint64_t (*read)(uint32_t); void (*write)(uint32_t, uint64_t); uint32_t arg; uint64_t fresh, mask; };
struct gprs { uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rbp, rflags; };

static uint8_t area[3][XSAVE_SIZE] __attribute__((aligned(64))); /* pattern, before, after */
static uint64_t xcr0;

/* --- one pair of functions a kind of register */

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

#define PAIR(name)                                                                                             \
    static uint64_t read_##name(uint32_t n) { uint64_t v; (void)n; __asm__ volatile("mov %%" #name ", %0" : "=r"(v)); return v; } \
    static void write_##name(uint32_t n, uint64_t v) { (void)n; __asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory"); }
PAIR(cr0)
PAIR(cr2)
PAIR(cr3)
PAIR(cr4)
PAIR(cr8)
PAIR(dr0)
PAIR(dr1)
PAIR(dr2)
PAIR(dr3)
PAIR(dr6)
PAIR(dr7)
PAIR(ds)
PAIR(es)
PAIR(fs)
PAIR(gs)

static void load_segment(uint32_t which, uint64_t v) /* of CPL 3, so that any RPL will do */
{
    static void (*const write[])(uint32_t, uint64_t) = { write_ds, write_es, write_fs, write_gs };

    write[which](0, v | 0x18);
}

static uint64_t read_gdt(uint32_t n)
{
    struct table t;

    (void)n;
    __asm__ volatile("sgdt %0" : "=m"(t));
    return t.limit;
}

static void write_gdt(uint32_t n, uint64_t limit)
{
    struct table t;

    (void)n;
    __asm__ volatile("sgdt %0" : "=m"(t));
    t.limit = (uint16_t)limit;
    __asm__ volatile("lgdt %0" : : "m"(t));
}

static uint64_t read_idt(uint32_t n)
{
    struct table t;

    (void)n;
    __asm__ volatile("sidt %0" : "=m"(t));
    return t.limit;
}

static void write_idt(uint32_t n, uint64_t limit)
{
    struct table t;

    (void)n;
    __asm__ volatile("sidt %0" : "=m"(t));
    t.limit = (uint16_t)limit;
    __asm__ volatile("lidt %0" : : "m"(t));
}

static uint64_t rdtscp(uint32_t n)
{
    uint32_t aux;

    (void)n;
    __asm__ volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
    return aux;
}

/* There and back: the other one is GS's base. */
static uint64_t read_swapped(uint32_t n)
{
    uint64_t v;

    (void)n;
    __asm__ volatile("swapgs");
    v = rdmsr(0xc0000101);
    __asm__ volatile("swapgs");
    return v;
}

static void nowhere(uint32_t n, uint64_t v)
{
    (void)n, (void)v;
}

#define MSR rdmsr, wrmsr
/* Selectors before the bases that loading them changes. What a mask leaves out stays as it was. */
static const struct reg registers[] = {
    { "ds", read_ds, load_segment, 0, ANY, 0x3 },
    { "es", read_es, load_segment, 1, ANY, 0x3 },
    { "fs", read_fs, load_segment, 2, ANY, 0x3 },
    { "gs", read_gs, load_segment, 3, ANY, 0x3 },
    { "gdt-limit", read_gdt, write_gdt, 0, ANY, 0xf00 },
    { "idt-limit", read_idt, write_idt, 0, ANY, 0xf000 },
    { "cr0", read_cr0, write_cr0, 0, ANY, 0x50002 },      /* AM WP MP */
    { "cr2", read_cr2, write_cr2, 0, 0, CANONICAL },
    { "cr3", read_cr3, write_cr3, 0, ANY, 0x18 },         /* PCD PWT */
    { "cr4", read_cr4, write_cr4, 0, ANY, 0x10c },        /* PCE DE TSD */
    { "cr8", read_cr8, write_cr8, 0, 0, 0xf },
    { "dr0", read_dr0, write_dr0, 0, 0, CANONICAL & ~0xfffull },
    { "dr1", read_dr1, write_dr1, 0, 0, CANONICAL & ~0xfffull },
    { "dr2", read_dr2, write_dr2, 0, 0, CANONICAL & ~0xfffull },
    { "dr3", read_dr3, write_dr3, 0, 0, CANONICAL & ~0xfffull },
    { "dr6", read_dr6, write_dr6, 0, 0xffff0ff0, 0xe00f },
    { "dr7", read_dr7, write_dr7, 0, 0x400, 0x111100ff }, /* execution and writes */
    { "efer", MSR, 0xc0000080, ANY, 0x801 },              /* NXE SCE */
    { "sysenter-cs", MSR, 0x174, 0, 0xffffffff },
    { "sysenter-esp", MSR, 0x175, 0, CANONICAL },
    { "sysenter-eip", MSR, 0x176, 0, CANONICAL },
    { "star", MSR, 0xc0000081, 0, ~0ull },
    { "lstar", MSR, 0xc0000082, 0, CANONICAL },
    { "cstar", MSR, 0xc0000083, 0, CANONICAL },
    { "fmask", MSR, 0xc0000084, 0, 0xffffffff },
    { "fs-base", MSR, 0xc0000100, 0, CANONICAL },
    { "gs-base", MSR, 0xc0000101, 0, CANONICAL },
    { "kernel-gs-base", MSR, 0xc0000102, 0, CANONICAL },
    { "swapgs", read_swapped, nowhere, 0, 0, 0 },
    { "pat", MSR, 0x277, 0x0007040600070406, 0x0400040000000000 },
    { "misc-enable", MSR, 0x1a0, 0x1801, ~0ull },
    { "mtrr-def-type", MSR, 0x2ff, 0x806, 0xc00 },
    { "tsc-adjust", MSR, 0x3b, 0, 0xffff },
    { "debugctl", MSR, 0x1d9, 0, 0 },                     /* takes anything, holds nothing */
    { "last-branch-from", rdmsr, nowhere, 0x1db, 0, 0 },
};
/* Only where CPUID offers it, and only in x2APIC mode. */
static const struct reg tsc_aux[] = {
    { "tsc-aux", MSR, MSR_TSC_AUX, 0, 0xffffffff },
    { "rdtscp", rdtscp, nowhere, 0, 0, 0 },
};
static const struct reg apic[] = {
    { "apic-base", MSR, MSR_APIC_BASE, ANY, 0 },
    { "apic-spurious", MSR, 0x80f, ANY, 0xe0 },
    { "apic-timer", MSR, 0x832, ANY, 0xe0 },
    { "apic-divide", MSR, 0x83e, ANY, 0xb },
};

static const struct set { const struct reg *regs; unsigned count; } sets[] = {
    { registers, COUNT(registers) }, { tsc_aux, COUNT(tsc_aux) }, { apic, COUNT(apic) },
};
static bool used[COUNT(sets)];
static uint64_t before[COUNT(sets)][COUNT(registers)];
static bool wrong[COUNT(sets)][COUNT(registers)], gprs_wrong, flags_wrong, xsave_wrong;

/* Behind the table: what is not there for any guest. */
static const uint32_t hidden[] = {
    0x48 /* SPEC_CTRL */, 0x49 /* PRED_CMD */, 0x10b /* FLUSH_CMD */, 0x10a /* ARCH_CAPABILITIES */, 0x122 /* TSX_CTRL */,
    0xc1 /* PMC0 */, 0x186 /* PERFEVTSEL0 */, 0x309 /* FIXED_CTR0 */, 0x38d, 0x38f /* PERF_GLOBAL_CTRL */, 0xe7, 0xe8 /* MPERF APERF */,
    0xe1 /* UMWAIT_CONTROL */, 0x1c4 /* XFD */, 0x1c5, 0xda0 /* XSS */, 0xd90 /* BNDCFGS */, 0xd93 /* PASID */,
    0x6a0 /* U_CET */, 0x6a2 /* S_CET */, 0x6a4, 0x6a5, 0x6a6, 0x6a7 /* PL0-3_SSP */, 0x6a8, 0x6e1 /* PKRS */,
    0x1c8 /* LBR_SELECT */, 0x1c9, 0x40, 0x680, 0x6c0, 0x14ce /* ARCH_LBR_CTL */, 0x570 /* RTIT_CTL */, 0x600 /* DS_AREA */,
    0x200 /* MTRR_PHYSBASE0 */, 0x250 /* MTRR_FIX64K */, 0x9e /* SMM */, 0x3a0, 0xc0000104 /* TSC_RATIO */, 0xc0000105 /* LWP */,
    0xc00000e7, 0xc00000e8, 0xc00000e9 /* read-only counters */, 0xc0010000 /* PERF_CTL0 */, 0xc0010004, 0xc0010200, 0xc0010201,
    0xc0010114 /* VM_CR */, 0xc0010117 /* VM_HSAVE_PA */, 0xc001011f /* VIRT_SPEC_CTRL */, 0xc0011019, 0xc001101a,
    0xc001101b, 0xc0011027 /* DR0-3_ADDR_MASK */, 0xc0011020 /* LS_CFG */,
};

static void try_rdmsr(uint64_t msr)
{
    (void)rdmsr((uint32_t)msr);
}

static void try_wrmsr(uint64_t msr)
{
    wrmsr((uint32_t)msr, 0);
}

static void hidden_registers(void)
{
    bool ok = true;

    for (unsigned i = 0; i < COUNT(hidden); i++) {
        bool gone = trap_try(try_rdmsr, hidden[i]) == TRAP_GP && trap_try(try_wrmsr, hidden[i]) == TRAP_GP;

        if (!gone)
            pith_printf("MSR 0x%x is there\n", hidden[i]);
        ok &= gone;
    }
    test_ok(ok, "hidden-registers");
}

static uint64_t mix(uint64_t pattern, uint64_t n)
{
    uint64_t x = (pattern * 64 + n + 1) * 0x9e3779b97f4a7c15ull;

    return x ^ x >> 29;
}

static void write_all(uint64_t pattern)
{
    for (unsigned s = 0; s < COUNT(sets); s++)
        for (unsigned i = 0; used[s] && i < sets[s].count; i++) {
            const struct reg *r = &sets[s].regs[i];
            uint64_t now = r->read(r->arg);

            if (r->arg == 0x1d9)
                wrmsr(0x1d9, mix(pattern, i) & 3); /* LBR, BTF */
            else if (r->write != nowhere)
                r->write(r->arg, (now & ~r->mask) | (mix(pattern, i) & r->mask));
        }
}

static void look(bool remember)
{
    for (unsigned s = 0; s < COUNT(sets); s++)
        for (unsigned i = 0; used[s] && i < sets[s].count; i++) {
            const struct reg *r = &sets[s].regs[i];
            uint64_t now = r->read(r->arg);

            if (remember) {
                before[s][i] = now;
                continue;
            }
            if (now != before[s][i] && !wrong[s][i])
                pith_printf("%s: have 0x%lx, want 0x%lx\n", r->name, now, before[s][i]);
            wrong[s][i] |= now != before[s][i];
        }
}

/* --- general registers and flags: across a call, and across the end of a slice, which comes anywhere */

static struct gprs want, have;
static uint64_t spins;

#define GPRS(op)                                                                                               \
    op("r8", "0") op("r9", "8") op("r10", "16") op("r11", "24") op("r12", "32") op("r13", "40") op("r14", "48")   \
        op("r15", "56") op("rbp", "64")
#define LOAD(reg, at) "mov want+" at "(%%rip), %%" reg "\n"
#define STORE(reg, at) "mov %%" reg ", have+" at "(%%rip)\n"
#define SWITCHED(body, ...)                                                                                    \
    __asm__ volatile("push %%rbp\n" GPRS(LOAD) "pushq want+72(%%rip)\n popfq\n" body                               \
                     "pushfq\n popq have+72(%%rip)\n" GPRS(STORE) "pop %%rbp\n pushq $2\n popfq\n"                   \
                     : __VA_ARGS__ : "memory", "cc", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")

static void yield(void)
{
    uint64_t a = PITH_CALL_BASE + PITH_CALL_YIELD, b = 0, c = 0, d = 0, si = 0, di = 0;

    SWITCHED("cmpl %[kind], pith_hypercall_insn(%%rip)\n je 1f\n vmcall\n jmp 2f\n1: vmmcall\n2:\n",
             "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di)
             : [kind] "i"(PITH_HC_VMMCALL));
}

/* With interrupts on: some emulators preempt nobody who was entered without. */
static void spin(void)
{
    uint64_t a = want.r8, b = want.r9, c = spins, d = want.r10, si = want.r11, di = want.r12;

    SWITCHED("sti\n 1: dec %%rcx\n jnz 1b\n cli\n",
             "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di)
             :);
    gprs_wrong |= a != want.r8 || b != want.r9 || d != want.r10 || si != want.r11 || di != want.r12;
}

static void leave_the_core(uint64_t pattern, bool preempted)
{
    uint64_t *w = &want.r8;

    for (unsigned i = 0; i < 9; i++)
        w[i] = mix(pattern, 100 + i);
    want.rflags = 2 | (mix(pattern, 120) & RFLAGS_KEPT);
    if (preempted)
        spin();
    else
        yield();
    gprs_wrong |= memcmp(&want, &have, offsetof(struct gprs, rflags)) != 0;
    flags_wrong |= (want.rflags ^ have.rflags) & RFLAGS_KEPT;
}

/* --- extended state: all that XCR0 takes, which on some machines is more than CPUID offers */

static void xsetbv(uint64_t v)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void xsave(uint8_t *to)
{
    memset(to, 0, XSAVE_SIZE);
    __asm__ volatile("xsave64 (%0)" : : "r"(to), "a"(~0u), "d"(~0u) : "memory");
}

static void xstate_on(void)
{
    uint64_t offered = pith_cpuid(0xd, 0).eax;

    write_cr4(0, read_cr4(0) | CR4_OSFXSR | CR4_OSXSAVE);
    if (trap_try(xsetbv, offered | 0x218) == TRAP_NONE) /* MPX, PKRU */
        offered |= 0x218;
    else
        (void)trap_try(xsetbv, offered);
    xcr0 = offered;
}

static void put16(uint8_t *at, uint64_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

static void xstate_poison(uint64_t pattern)
{
    uint8_t *p = area[0];

    memset(p, 0, XSAVE_SIZE);
    for (unsigned i = 8; i < 416; i++) /* last instruction and operand, x87 and SSE registers */
        p[i] = (uint8_t)mix(pattern, 1000 + i);
    put16(p + 0, 0x40 | (mix(pattern, 200) & 0xf3f));   /* FCW */
    put16(p + 2, mix(pattern, 201) & 0x4700);           /* FSW without exceptions: those could be due at once */
    p[4] = (uint8_t)mix(pattern, 202);                  /* FTW */
    put16(p + 6, mix(pattern, 203) & 0x7ff);            /* FOP */
    put16(p + 24, 0x1f80 | (mix(pattern, 204) & 0x603f)); /* MXCSR */
    put16(p + 26, 0);
    put16(p + 28, 0);
    put16(p + 30, 0);
    for (unsigned i = 0; i < 8; i++)
        memset(p + 32 + 16 * i + 10, 0, 6);
    for (unsigned i = 2; i < 32; i++) {
        struct pith_cpuid id = i == 3 || i == 4 ? (struct pith_cpuid){ 0 } : pith_cpuid(0xd, i);

        if (!(xcr0 >> i & 1) || id.ebx + id.eax > XSAVE_SIZE)
            continue;
        for (unsigned k = 0; k < id.eax; k++)
            p[id.ebx + k] = (uint8_t)mix(pattern, 2000 + id.ebx + k);
    }
    if (xcr0 >> 9 & 1) /* where CPUID says nothing of it: the standard format's place */
        memset(p + 2688, (uint8_t)mix(pattern, 205), 4);
    *(uint64_t *)(void *)(p + XSTATE_BV) = xcr0 & ~0x18ull;
    __asm__ volatile("fninit; xrstor64 (%0)" : : "r"(p), "a"(~0u), "d"(~0u) : "memory");
}

/* All zero but what a reset sets; XSTATE_BV may say so or not. */
static bool xstate_fresh(const uint8_t *p)
{
    bool ok = p[0] == 0x40 && p[1] == 0 && p[24] == 0x80 && p[25] == 0x1f;

    for (unsigned i = 8; i < 24; i++)
        ok &= p[i] == 0;
    for (unsigned i = 32; i < XSAVE_SIZE; i++)
        ok &= p[i] == 0 || i / 8 == XSTATE_BV / 8;
    return ok;
}

static void xstate_look(void)
{
    bool same;

    xsave(area[2]);
    same = memcmp(area[1], area[2], XSTATE_BV) == 0 &&
           memcmp(area[1] + XSTATE_BV + 64, area[2] + XSTATE_BV + 64, XSAVE_SIZE - XSTATE_BV - 64) == 0;
    for (unsigned i = 0; !same && !xsave_wrong && i < XSAVE_SIZE; i++)
        if (area[1][i] != area[2][i])
            pith_printf("xsave area %u: have %x, want %x\n", i, area[2][i], area[1][i]);
    xsave_wrong |= !same;
}

/* --- */

static void fresh(void)
{
    for (unsigned s = 0; s < COUNT(sets); s++)
        for (unsigned i = 0; used[s] && i < sets[s].count; i++)
            if (sets[s].regs[i].fresh != ANY)
                wrong[s][i] |= !test_equal(sets[s].regs[i].read(sets[s].regs[i].arg), sets[s].regs[i].fresh, sets[s].regs[i].name);
}

static void round(uint64_t pattern, unsigned n)
{
    if (pattern) {
        write_all(pattern * 1000 + n);
        xstate_poison(pattern * 1000 + n);
    }
    look(true);
    xsave(area[1]);
    leave_the_core(pattern * 1000 + n, n % SPIN_EVERY == SPIN_EVERY - 1);
    look(false);
    xstate_look();
}

static void report(void)
{
    char name[64];

    for (unsigned s = 0; s < COUNT(sets); s++)
        for (unsigned i = 0; used[s] && i < sets[s].count; i++) {
            (void)pith_format(name, sizeof(name), "kept-%s", sets[s].regs[i].name);
            test_ok(!wrong[s][i], name);
        }
    test_ok(!gprs_wrong, "kept-general-registers");
    test_ok(!flags_wrong, "kept-flags");
    test_ok(!xsave_wrong, "kept-extended-state");
}

/* What could reach the next life: interrupts masked, pending and in service, breakpoints armed, NMIs masked. */
static int leave_a_mess(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(0x80f, 0x1ff);
    write_all(77);
    xstate_poison(77);
    write_cr8(0, 15);
    wrmsr(X2APIC_SELF, 0xf0);
    wrmsr(X2APIC_SELF, TRAP_IRQ);
    return test_end();
}

int guest_main(const struct pith_start *start)
{
    uint64_t pattern = pith_option(start, "pattern", 0);

    used[0] = true;
    used[1] = pith_cpuid(0x80000001, 0).edx & 1u << 27;
    if (!pattern) { /* before anything touches them */
        fresh();
        test_equal(read_cr4(0) & CR4_OSXSAVE, 0, "no-xsave-yet");
    }
    trap_init();
    xstate_on();
    if (!pattern) {
        xsave(area[1]);
        test_ok(xstate_fresh(area[1]), "extended-state");
        test_equal(xcr0 & 1, 1, "xcr0");
        hidden_registers();
    } else {
        wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
        used[2] = true;
    }
    if (pith_option(start, "reborn", 0))
        return leave_a_mess();
    spins = start->tsc_khz * 6; /* some 12 ms, two instructions a round: longer than a slice */
    for (unsigned n = 0; pattern ? pith_now() < POISON_NS : n < ROUNDS; n++)
        round(pattern, n);
    report();
    return test_end();
}
