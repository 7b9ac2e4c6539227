/* SPDX-License-Identifier: MIT */
/*
 * The local APIC accessed as no kernel does: in every width at every offset and over its ends, every x2APIC MSR, and another vCPU's
 * INIT and SIPI in the wrong order. SDM 3, Advanced Programmable Interrupt Controller. With vcpus = 2 on one core; step=N leaves
 * offsets out.
 */
#include "guests/lib/smp.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define LAPIC         0xfee00000ul
#define BEFORE        16u /* bytes of the page before it, which nobody has */
#define END           0x1000
#define REGS          64u /* 16 bytes apart; nothing behind them */
#define MSR_APIC_BASE 0x1bu
#define APIC_ENABLE   0x800ull
#define APIC_X2APIC   0x400ull
#define MSR_X2APIC    0x800u
#define X2APIC_MSRS   0x100u
#define NS_PER_MS     UINT64_C(1000000)
#define TRIES         20u

enum reg {
    ID = 0x02, VERSION = 0x03, TPR = 0x08, PPR = 0x0a, EOI = 0x0b, LDR = 0x0d, DFR = 0x0e, SVR = 0x0f, ISR = 0x10, ESR = 0x28, ICR = 0x30,
    ICR2 = 0x31, LVT_TIMER = 0x32, LVT_THERMAL = 0x33, LVT_PERF = 0x34, LVT_LINT0 = 0x35, LVT_LINT1 = 0x36, LVT_ERROR = 0x37,
    INITIAL = 0x38, CURRENT = 0x39, DIVIDE = 0x3e, SELF = 0x3f
};
#define BIT(n)             (1ull << (n))
#define RANGE(first, last) (BIT(last) - BIT(first) + BIT(last))
/* SDM 3, "x2APIC Register Address Space"; a processor of six LVT entries has no CMCI. */
#define READABLE (BIT(ID) | BIT(VERSION) | BIT(TPR) | BIT(PPR) | BIT(LDR) | BIT(SVR) | RANGE(ISR, ESR) | BIT(ICR) | \
    RANGE(LVT_TIMER, CURRENT) | BIT(DIVIDE))
#define WRITABLE (BIT(TPR) | BIT(EOI) | BIT(SVR) | BIT(ESR) | BIT(ICR) | RANGE(LVT_TIMER, INITIAL) | BIT(DIVIDE) | BIT(SELF))

/* As it starts, and what it shows after a write of all ones and of zero; what is not here is 0 always. */
static const struct { uint32_t start, ones, zero; } shows[REGS] = {
    [VERSION] = { 0x50014, 0x50014, 0x50014 },
    [TPR] = { 0, 0xff, 0 },
    [PPR] = { 0, 0, 0 },
    [LDR] = { 0, 0xff000000, 0 },
    [DFR] = { ~0u, ~0u, 0x0fffffff },
    [SVR] = { 0x1ff, 0x3ff, 0 },
    [ICR] = { 0, 0x000ccfff, 0 },
    [ICR2] = { 0, 0xff000000, 0 },
    [LVT_TIMER] = { 0x10000, 0x700ff, 0 },
    [LVT_THERMAL] = { 0x10000, 0x107ff, 0 },
    [LVT_PERF] = { 0x10000, 0x107ff, 0 },
    [LVT_LINT0] = { 0x700, 0x1a7ff, 0 },
    [LVT_LINT1] = { 0x10000, 0x1a7ff, 0 },
    [LVT_ERROR] = { 0x10000, 0x100ff, 0 },
    [INITIAL] = { 0, ~0u, 0 },
    [DIVIDE] = { 0, 0xb, 0 },
};

static const unsigned widths[] = { 1, 2, 4, 8, 16 };
static uint8_t buffer[16];
static uint64_t value;

static volatile uint32_t *reg_at(unsigned reg)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC + reg * 16);
}

static uint64_t address(int offset)
{
    return LAPIC - BEFORE + (uint64_t)(offset + (int)BEFORE);
}

static void read_at(uint64_t at, unsigned width)
{
    switch (width) {
    case 1: __asm__ volatile("movb (%1), %%al; movb %%al, (%0)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 2: __asm__ volatile("movw (%1), %%ax; movw %%ax, (%0)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 4: __asm__ volatile("movl (%1), %%eax; movl %%eax, (%0)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 8: __asm__ volatile("movq (%1), %%rax; movq %%rax, (%0)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    default: __asm__ volatile("movdqu (%1), %%xmm0; movdqu %%xmm0, (%0)" : : "r"(buffer), "r"(at) : "memory"); break;
    }
}

static void write_at(uint64_t at, unsigned width)
{
    switch (width) {
    case 1: __asm__ volatile("movb (%0), %%al; movb %%al, (%1)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 2: __asm__ volatile("movw (%0), %%ax; movw %%ax, (%1)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 4: __asm__ volatile("movl (%0), %%eax; movl %%eax, (%1)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    case 8: __asm__ volatile("movq (%0), %%rax; movq %%rax, (%1)" : : "r"(buffer), "r"(at) : "rax", "memory"); break;
    default: __asm__ volatile("movdqu (%0), %%xmm0; movdqu %%xmm0, (%1)" : : "r"(buffer), "r"(at) : "memory"); break;
    }
}

/* What is not aligned comes as the largest aligned pieces, from below. Where one of them is 4 bytes at a register, or -1. */
static int register_in(int offset, unsigned width)
{
    for (unsigned size; width; offset += (int)size, width -= size) {
        for (size = 8; size > width || (unsigned)offset % size; size /= 2)
            ;
        if (size == 4 && offset % 16 == 0 && offset >= 0 && offset < (int)REGS * 16)
            return offset;
    }
    return -1;
}

/* All ones but for a register's bytes. */
static bool as_expected(int offset, unsigned width, bool registers)
{
    int reg = registers ? register_in(offset, width) : -1;
    uint8_t want[16];

    memset(want, 0xff, sizeof(want));
    if (reg >= 0)
        memcpy(want + (reg - offset), &shows[reg / 16].start, 4);
    if (memcmp(buffer, want, width) == 0)
        return true;
    pith_printf("%u bytes at %d: %lx\n", width, offset, *(const uint64_t *)buffer);
    return false;
}

static bool read_all(bool registers, int step)
{
    bool ok = true;

    for (unsigned i = 0; ok && i < COUNT(widths); i++) {
        for (int offset = -(int)BEFORE; ok && offset < END; offset += step) {
            read_at(address(offset), widths[i]);
            ok = as_expected(offset, widths[i], registers);
        }
    }
    return ok;
}

/* Those with a register's 4 bytes in them, or the others. */
static void write_all(bool registers, int step)
{
    for (unsigned i = 0; i < COUNT(widths); i++) {
        for (int offset = -(int)BEFORE; offset < END; offset += step) {
            if ((register_in(offset, widths[i]) >= 0) != registers)
                continue;
            memset(buffer, 0xff, sizeof(buffer));
            write_at(address(offset), widths[i]);
        }
    }
}

static void as_started(void)
{
    *reg_at(SVR) = shows[SVR].start; /* else the LVT stays masked */
    for (unsigned reg = TPR; reg < REGS; reg++)
        if (reg != ICR && (shows[reg].ones != shows[reg].start || shows[reg].zero != shows[reg].start))
            *reg_at(reg) = shows[reg].start;
    *reg_at(ICR) = 0; /* fixed, vector 0: sends nothing */
    *reg_at(ESR) = 0;
    *reg_at(ESR) = 0;
}

static bool all_as_started(void)
{
    bool ok = true;

    for (unsigned reg = 0; reg < REGS; reg++)
        ok &= *reg_at(reg) == shows[reg].start;
    return ok;
}

static bool takes(unsigned reg, uint32_t val, uint32_t want)
{
    *reg_at(reg) = val;
    if (*reg_at(reg) == want || reg == CURRENT || reg == ESR) /* counts; shows the errors of all this */
        return true;
    pith_printf("register %x: %x, not %x\n", reg, *reg_at(reg), want);
    return false;
}

static void xapic(int step)
{
    bool ok = true;

    test_ok(read_all(true, step), "read-every-width");
    write_all(false, step);
    test_ok(all_as_started(), "odd-writes-do-nothing");
    for (unsigned reg = 0; reg < REGS; reg++) {
        as_started();
        ok &= takes(reg, ~0u, shows[reg].ones);
        ok &= takes(reg, 0, shows[reg].zero);
    }
    test_ok(ok, "write-every-register");
    write_all(true, 1);
    as_started();
    test_ok(all_as_started(), "as-started-again");
}

static void read_msr(uint64_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"((uint32_t)msr));
    value = lo | (uint64_t)hi << 32;
}

static void write_msr(uint64_t msr) /* value */
{
    __asm__ volatile("wrmsr" : : "c"((uint32_t)msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static bool gives(void (*fn)(uint64_t), uint32_t reg, bool works)
{
    int got = trap_try(fn, MSR_X2APIC + reg);

    if (got == (works ? TRAP_NONE : TRAP_GP))
        return true;
    pith_printf("MSR %x: %d\n", MSR_X2APIC + reg, got);
    return false;
}

static bool in(uint64_t set, uint32_t reg)
{
    return reg < REGS && set >> reg & 1;
}

/* What a read shows as long as nothing was written: the ID and what follows from it are of other forms than the xAPIC's. */
static uint64_t x2apic_start(uint32_t reg)
{
    return reg == LDR ? 1 : shows[reg].start;
}

static bool msr_values(void)
{
    bool ok = true;

    for (uint32_t reg = 0; reg < REGS; reg++) {
        if (!in(READABLE, reg))
            continue;
        read_msr(MSR_X2APIC + reg);
        ok &= value == x2apic_start(reg);
    }
    return ok;
}

static void set_base(uint64_t bits)
{
    read_msr(MSR_APIC_BASE);
    value = (value & ~(APIC_ENABLE | APIC_X2APIC)) | bits;
    write_msr(MSR_APIC_BASE);
}

static void no_msrs(const char *name)
{
    bool ok = true;

    for (uint32_t reg = 0; reg < X2APIC_MSRS; reg++) {
        value = 0;
        ok &= gives(read_msr, reg, false) && gives(write_msr, reg, false);
    }
    test_ok(ok, name);
}

static void x2apic(void)
{
    static const uint64_t reserved[] = { ~0ull, 1ull << 31, 1ull << 63 };
    bool reads = true, refuses = true, writes = true;

    set_base(APIC_ENABLE | APIC_X2APIC);
    for (uint32_t reg = 0; reg < X2APIC_MSRS; reg++)
        reads &= gives(read_msr, reg, in(READABLE, reg));
    test_ok(reads, "rdmsr");
    for (uint32_t reg = 0; reg < X2APIC_MSRS; reg++) {
        for (unsigned i = 0; i < COUNT(reserved); i++) {
            value = reserved[i];
            if ((reg != INITIAL || value >> 32) && (reg != ICR || (uint32_t)value)) /* all of 32 bits, a destination */
                refuses &= gives(write_msr, reg, false);
        }
    }
    test_ok(refuses, "wrmsr-reserved-bits");
    test_ok(msr_values(), "refused-writes-do-nothing");
    for (uint32_t reg = 0; reg < X2APIC_MSRS; reg++) {
        value = 0;
        writes &= gives(write_msr, reg, in(WRITABLE, reg));
    }
    test_ok(writes, "wrmsr");
    test_ok(read_all(false, 5), "no-registers-in-memory-as-x2apic");
    write_all(true, 1);
    value = shows[SVR].start;
    write_msr(MSR_X2APIC + SVR);
    read_msr(MSR_X2APIC + TPR);
    test_equal(value, 0, "writes-to-memory-do-nothing-as-x2apic");
}

static void disabled(void)
{
    set_base(0);
    no_msrs("no-msrs-when-off");
    test_ok(read_all(false, 5), "no-registers-when-off");
    set_base(APIC_ENABLE);
}

/* --- INIT and SIPI: pages of real-mode code that count who comes by, and sleep */
#define PAGE_A 0x9000u
#define PAGE_B 0xa000u
#define SIPI(page) (0x4600u | (page) >> 12)

static volatile uint32_t *counter(uint32_t page)
{
    return (volatile uint32_t *)(uintptr_t)(page + 0x100);
}

static void place(uint32_t page)
{
    static const uint8_t code[] = { 0xfa, 0x2e, 0x66, 0xff, 0x06, 0x00, 0x01, 0xf4, 0xeb, 0xfd }; /* cli; incl %cs:0x100; 1: hlt; jmp 1b */

    memcpy((void *)(uintptr_t)page, code, sizeof(code));
    *counter(page) = 0;
}

/* The other vCPU's turn. */
static void let(void)
{
    uint64_t end = pith_now() + 2 * NS_PER_MS;

    while (pith_now() < end)
        (void)pith_wait(end);
}

/* @page's counter once it is @want, or after a long time: the core is shared by many. */
static uint32_t counted(uint32_t page, uint32_t want)
{
    uint64_t end = pith_now() + 10 * PITH_NS_PER_S;

    do
        let();
    while (*counter(page) != want && pith_now() < end);
    return *counter(page);
}

static void init(void)
{
    smp_icr(1, SMP_INIT);
    let();
}

static void init_and_sipi(void)
{
    uint32_t begun, second;

    place(PAGE_A);
    place(PAGE_B);
    for (unsigned i = 0; i < TRIES; i++) { /* it may get its turn in between, but not always */
        init();
        smp_icr(1, SIPI(PAGE_A));
        smp_icr(1, SMP_INIT);
        let();
    }
    begun = *counter(PAGE_A);
    test_ok(begun < TRIES, "init-undoes-a-sipi");
    smp_icr(1, SIPI(PAGE_A));
    test_equal(counted(PAGE_A, begun + 1), begun + 1, "sipi-behind-init");
    smp_icr(1, SIPI(PAGE_B));
    let();
    test_equal(*counter(PAGE_B), 0, "sipi-to-one-that-runs");
    init();
    smp_icr(1, SIPI(PAGE_B));
    smp_icr(1, SIPI(PAGE_A));
    test_equal(counted(PAGE_B, 1), 1, "first-of-two-sipis");
    second = *counter(PAGE_A) - begun - 1;
    test_equal(second, 0, "second-of-two-sipis");
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    no_msrs("no-msrs-as-xapic");
    xapic((int)pith_option(start, "step", 1));
    x2apic();
    disabled();
    init_and_sipi();
    return test_end();
}
