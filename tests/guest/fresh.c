/* SPDX-License-Identifier: MIT */
/*
 * Every life begins afresh: looks at all that an earlier one could have left, says "clean" or what it found, leaves as much
 * as it can behind itself, and then lives as how=N on the command line says, until it ends or is ended.
 */
#include "guests/lib/smp.h"
#include "guests/lib/trap.h"
#include "hv/abi/platform.h"

#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define IMAGE_BASE     0x200000ull
#define POISON         0xa5a5a5a5a5a5a5a5ull
#define CR4_OSXSAVE    (1ull << 18)
#define CPUID_XSAVE    (1u << 26)
#define CPUID_OSXSAVE  (1u << 27)
#define CPUID_AVX      (1u << 28)
#define LAPIC          0xfee00000ull
#define IOAPIC         0xfec00000ull
#define UART           0x3f8
#define X2APIC         0x800u
#define X2APIC_SVR     0x80fu
#define X2APIC_TIMER   0x832u
#define X2APIC_COUNT   0x838u
#define X2APIC_SELF    0x83fu
#define TIMER_PERIODIC 0x20000u

extern const char pith_image_end[];

static const struct pith_start *boot;
static bool first_vcpu = true;
static volatile bool clean = true;
static uint8_t fx[512] __attribute__((aligned(16)));
static uint64_t clock_page[512] __attribute__((aligned(4096)));
static char second_stack[8192] __attribute__((aligned(16)));

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static uint8_t in8(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static void want(const char *what, uint64_t index, uint64_t have, uint64_t right)
{
    if (have == right)
        return;
    pith_printf("not ok: vCPU %u %s %lx is %lx, not %lx\n", !first_vcpu, what, index, have, right);
    clean = false;
}

static const struct { uint32_t msr; uint64_t reset, dirt; } msrs[] = {
    { 0x174, 0, 0x18 },                        { 0x175, 0, 0x123456 },         { 0x176, 0, 0x654321 }, /* SYSENTER */
    { 0x277, 0x0007040600070406, 0x0606060606060606 },                                                /* PAT: all WB */
    { 0xc0000081, 0, 0x23001000000000 },       { 0xc0000082, 0, 0x1111 },      { 0xc0000083, 0, 0x2222 }, /* SYSCALL */
    { 0xc0000084, 0, 0x47700 },                { 0xc0000100, 0, 0x3333 },      { 0xc0000101, 0, 0x4444 }, /* FS, GS */
    { 0xc0000102, 0, 0x5555 },                 { 0xc0000103, 0, 0x77 },        { 0x3b, 0, 12345678 },     /* GS, TSC */
    { 0x4b564d01, 0, (uint64_t)-1 /* clock_page */ },
};

#define DR(op, n)                                                                            \
    static uint64_t get_dr##n(void) { uint64_t v; __asm__ volatile("mov %%dr" #n ", %0" : "=r"(v)); return v; } \
    static void set_dr##n(uint64_t v) { __asm__ volatile("mov %0, %%dr" #n : : "r"(v)); }
DR(, 0) DR(, 1) DR(, 2) DR(, 3) DR(, 6) DR(, 7)

static void debug_registers(void)
{
    want("DR", 0, get_dr0(), 0);
    want("DR", 1, get_dr1(), 0);
    want("DR", 2, get_dr2(), 0);
    want("DR", 3, get_dr3(), 0);
    want("DR", 6, get_dr6(), 0xffff0ff0);
    want("DR", 7, get_dr7(), 0x400);
    set_dr0(0x1111);
    set_dr1(0x2222);
    set_dr2(0x3333);
    set_dr3(0x4444);
    set_dr6(0xffff0fff);
    set_dr7(0x455);
}

static void extended_state(void)
{
    struct pith_cpuid features = pith_cpuid(1, 0);
    uint64_t cr4, high = 0;
    uint32_t xcr0, xcr0_high;

    want("OSXSAVE", 0, features.ecx & CPUID_OSXSAVE, 0);
    __asm__ volatile("fxsave64 %0" : "=m"(fx));
    want("FCW", 0, fx[0] | (uint64_t)fx[1] << 8, 0x40);
    want("MXCSR", 0, *(uint32_t *)(void *)(fx + 24), 0x1f80);
    for (unsigned i = 0; i < 32; i++)
        want("XMM", i / 2, *(uint64_t *)(void *)(fx + 160 + i * 8), 0);
    if (features.ecx & CPUID_XSAVE) {
        __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
        __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(xcr0_high) : "c"(0));
        want("XCR0", 0, xcr0 | (uint64_t)xcr0_high << 32, 1);
    }
    if ((features.ecx & CPUID_XSAVE) && (features.ecx & CPUID_AVX)) {
        __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
        __asm__ volatile("vextractf128 $1, %%ymm9, %%xmm0; movq %%xmm0, %0" : "=r"(high));
        want("YMM", 9, high, 0);
        __asm__ volatile("movq %0, %%xmm9; vinsertf128 $1, %%xmm9, %%ymm9, %%ymm9" : : "r"(POISON));
    }
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm5; movq %0, %%xmm15; fninit; fld1" : : "r"(POISON));
}

static void model_specific(void)
{
    for (unsigned i = 0; i < COUNT(msrs); i++) {
        want("MSR", msrs[i].msr, rdmsr(msrs[i].msr), msrs[i].reset);
        wrmsr(msrs[i].msr, msrs[i].dirt == (uint64_t)-1 ? (uintptr_t)clock_page | 1 : msrs[i].dirt);
    }
}

/* Interrupts stay off: what is pending stays so. */
static void local_apic(void)
{
    want("APIC_BASE", 0, rdmsr(0x1b), first_vcpu ? 0xfee00900 : 0xfee00800);
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
    want("SVR", 0, rdmsr(X2APIC_SVR), first_vcpu ? 0x1ff : 0xff); /* on where firmware would have turned it on */
    want("TPR", 0, rdmsr(X2APIC + 8), 0);
    for (uint32_t i = 0; i < 24; i++)
        want("ISR, TMR, IRR", i, rdmsr(X2APIC + 0x10 + i), 0);
    want("LVT", 0, rdmsr(X2APIC_TIMER), 0x10000);
    want("count", 0, rdmsr(X2APIC_COUNT), 0);
    wrmsr(X2APIC_SVR, 0x1cf);
    wrmsr(X2APIC + 8, 0x20);
    wrmsr(X2APIC_TIMER, 0x77 | TIMER_PERIODIC);
    wrmsr(X2APIC_COUNT, 1000000);
    wrmsr(X2APIC_SELF, 0x99);
    wrmsr(X2APIC_SELF, 0xaa);
}

static void of_a_vcpu(void)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    want("CR", 2, cr2, 0);
    __asm__ volatile("mov %0, %%cr2" : : "r"(POISON));
    debug_registers();
    extended_state();
    model_specific();
    local_apic();
}

static void devices(void)
{
    volatile uint32_t *select = (volatile uint32_t *)(uintptr_t)IOAPIC, *window = select + 4;

    want("UART", 1, in8(UART + 1), 0);
    want("UART", 3, in8(UART + 3), 0);
    want("UART", 4, in8(UART + 4), 0);
    out8(UART + 1, 0xf);
    out8(UART + 3, 0x1b);
    out8(UART + 4, 0x1b);
    for (uint32_t i = 0; i < 24; i++) {
        *select = 0x10 + 2 * i;
        want("I/O APIC entry", i, *window, 0x10000);
        *window = 0x8740 + i;
    }
}

/* RAM, less the image and the start tables at its end: all zero, then all poison. */
static void memory(void)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)boot->mem;
    uint64_t image_end = ((uintptr_t)pith_image_end + 7) & ~7ull;
    uint64_t dirty = 0;

    for (uint64_t gpa = 8; gpa < mem[0].size; gpa += 8) {
        volatile uint64_t *p = (volatile uint64_t *)(uintptr_t)(gpa = gpa == IMAGE_BASE ? image_end : gpa);

        if (*p && !dirty)
            dirty = gpa;
        *p = POISON;
    }
    want("RAM", 0, dirty, 0);
}

static void second(void)
{
    first_vcpu = false;
    of_a_vcpu();
    for (;;)
        __asm__ volatile("pause");
}

/* --- lives --- */

static void fault(void)
{
    __asm__ volatile("lidt %0; ud2" : : "m"(*(const char(*)[10]) "\0\0\0\0\0\0\0\0\0"));
}

static void reset(void)
{
    out8(VACPI_RESET_PORT, VACPI_RESET);
}

static void spin(void)
{
    __asm__ volatile("1: jmp 1b");
}

static void halt(void)
{
    wrmsr(X2APIC + 8, 0);
    trap_init();
    wrmsr(0x1b, 0xfee00100); /* off: forgets what is pending */
    wrmsr(0x1b, 0xfee00900);
    wrmsr(0x1b, 0xfee00d00);
    wrmsr(X2APIC_SVR, 0x1ff);
    wrmsr(X2APIC_TIMER, TRAP_IRQ | TIMER_PERIODIC);
    wrmsr(X2APIC_COUNT, 3000000);
    for (;;)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void wait_long(void)
{
    wrmsr(0x1b, 0xfee00100); /* off: nothing is pending */
    for (;;)
        (void)pith_wait(pith_now() + 3000000);
}

static void strings(void)
{
    for (;;) {
        uint64_t from = (uintptr_t)fx, count = ~0ull >> 1;

        __asm__ volatile("1: outsb; sub $1, %%rsi; loop 1b" : "+S"(from), "+c"(count) : "d"(0x80));
    }
}

static void rep_ports(void)
{
    for (;;) {
        uint64_t from = 0, count = IMAGE_BASE;

        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80));
    }
}

static void rep_device(void)
{
    uint64_t to = 0xd0000000, count = ~0ull;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

static void nothing(void)
{
}

static void starts(void)
{
    for (;;) {
        (void)smp_start(1, nothing, second_stack + sizeof(second_stack));
        smp_icr(1, SMP_INIT);
        smp_icr(1, SMP_SIPI);
        smp_icr(1, SMP_INIT);
    }
}

static void calls(void)
{
    for (;;) {
        (void)pith_version();
        (void)pith_yield();
    }
}

int guest_main(const struct pith_start *start)
{
    static void (*const lives[])(void) = {
        nothing, fault, reset, spin, halt, wait_long, strings, rep_ports, rep_device, starts, calls,
    };
    uint64_t how = pith_option(start, "how", 0);

    boot = start;
    of_a_vcpu();
    devices();
    memory();
    if (start->nr_vcpus > 1 && !smp_start(1, second, second_stack + sizeof(second_stack)))
        want("started", 1, 0, 1);
    while (start->nr_vcpus > 1 && *(volatile bool *)&first_vcpu)
        __asm__ volatile("pause");
    (void)pith_wait(pith_now() + 1000000); /* the second one has looked by then, or is asked to stop while it does */
    if (clean)
        pith_puts("clean\n");
    lives[how % COUNT(lives)]();
    return 1;
}
