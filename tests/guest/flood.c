/* SPDX-License-Identifier: MIT */
/* Too much of everything: text, string I/O, interrupts, timers, device registers, calls. case=N, as in attack.c. */
#include "guests/lib/trap.h"

#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define RAX(nr)        (PITH_CALL_BASE + (uint64_t)(nr))
#define NS_PER_MS      UINT64_C(1000000)
#define UART           0x3f8
#define LAPIC          0xfee00000ull
#define IOAPIC         0xfec00000ull
#define NOWHERE        0xd0000000ull
#define RFLAGS_DF      0x400u
#define MSR_TSC        0x10u
#define MSR_APIC_BASE  0x1bu
#define MSR_DEADLINE   0x6e0u
#define APIC_X2APIC    0xc00u
#define X2APIC_SVR     0x80fu
#define X2APIC_ICR     0x830u
#define X2APIC_TIMER   0x832u
#define X2APIC_COUNT   0x838u
#define X2APIC_DIVIDE  0x83eu
#define X2APIC_SELF    0x83fu
#define TIMER_PERIODIC 0x20000u
#define TIMER_DEADLINE 0x40000u
#define ICR_NMI        0x400u
#define ICR_SELF       0x40000u
#define ICR_ASSERT     0x4000u
#define CPUID_DEADLINE (1u << 24)

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };

static char buffer[2 * 4096] __attribute__((aligned(4096)));
static uint64_t ram_end;

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

/* Behind it interrupts are on: some emulators preempt no guest that was entered without (an exception's gate clears IF). */
static void try(void (*fn)(uint64_t), uint64_t arg)
{
    (void)trap_try(fn, arg);
    __asm__ volatile("cld; sti");
}

static bool console(void)
{
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)(i % 97 == 0 ? 0x1b : 0x20 + i % 95);
    for (unsigned i = 0; i < 256; i++) /* a megabyte without an end of line */
        (void)pith_console_write((uintptr_t)buffer + i, PITH_CONSOLE_MAX);
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)(i * 7);
    for (unsigned i = 0; i < 128; i++) /* all that is not text, too */
        (void)pith_console_write((uintptr_t)buffer + i, PITH_CONSOLE_MAX);
    memset(buffer, '\n', sizeof(buffer));
    for (unsigned i = 0; i < 16; i++)
        (void)pith_console_write((uintptr_t)buffer, PITH_CONSOLE_MAX);
    for (unsigned i = 0; i < 100000; i++)
        __asm__ volatile("outb %b0, %w1" : : "a"(i % 300 ? i : '\n'), "d"(UART));
    for (unsigned i = 0; i < 20000; i++)
        __asm__ volatile("outl %0, %w1" : : "a"(0x08085b1b * i), "d"(UART));
    return true;
}

/* RCX elements of each string instruction from RSI to RDI, upwards or (bit 0) downwards. */
struct string { uint64_t from, to, count, flags; };
#define STRING(name, insn)                                                                                      \
    static void string_##name(uint64_t arg)                                                                     \
    {                                                                                                           \
        const struct string *s = (const struct string *)(uintptr_t)arg;                                         \
        uint64_t si = s->from, di = s->to, c = s->count;                                                        \
                                                                                                                \
        __asm__ volatile("push %4; popfq; " insn "; cld" : "+S"(si), "+D"(di), "+c"(c) : "a"(0), "r"(s->flags), \
                         "d"(0x80) : "memory", "cc");                                                           \
    }
STRING(insb, "rep insb")
STRING(insl, "rep insl")
STRING(outsb, "rep outsb")
STRING(outsl, "rep outsl")
STRING(movsb, "rep movsb")
STRING(movsq, "rep movsq")
STRING(stosl, "rep stosl")
STRING(lodsw, "rep lodsw")

static bool strings(void)
{
    static void (*const insns[])(uint64_t) = {
        string_insb, string_insl, string_outsb, string_outsl, string_movsb, string_movsq, string_stosl, string_lodsw,
    };
    uint64_t here = (uintptr_t)buffer;
    const struct string all[] = {
        { here, here, 1000, 2 },                       { ram_end - 64, here, 512, 2 },
        { here, ram_end - 64, 512, 2 },                { LAPIC, IOAPIC, 600, 2 },
        { LAPIC + 0xffd, here, 40, 2 },                { here, LAPIC - 61, 100, 2 },
        { NOWHERE, NOWHERE + 64, 600, 2 },             { here + 4095, ram_end + 63, 600, 2 | RFLAGS_DF },
        { (1ull << 47) - 16, here, 1000, 2 },          { here, (1ull << 47) - 16, 1000, 2 },
        { 64, 64, ~0ull, 2 | RFLAGS_DF },              { ~0ull - 7, ~0ull - 7, 8, 2 },
        { here, 0xfffffffff, 1, 2 },                   { here, here, 0, 2 },
    };

    for (unsigned i = 0; i < COUNT(all); i++)
        for (unsigned j = 0; j < COUNT(insns); j++)
            try(insns[j], (uintptr_t)&all[i]);
    return true;
}

static void x2apic_on(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
}

static void let_in_for(uint64_t ms)
{
    uint64_t end = pith_now() + ms * NS_PER_MS;

    while (pith_now() < end)
        __asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static bool timers(void)
{
    static const uint64_t deadlines[] = { 1, ~0ull, ~0ull - 1, 1ull << 63, (1ull << 63) - 1, 0 };

    x2apic_on();
    wrmsr(X2APIC_DIVIDE, 0xb);
    wrmsr(X2APIC_TIMER, TRAP_IRQ | TIMER_PERIODIC);
    wrmsr(X2APIC_COUNT, 1);
    let_in_for(100);
    for (uint64_t tsc = 0; tsc < 64; tsc++) { /* a clock at the edges while the period runs */
        wrmsr(MSR_TSC, tsc % 2 ? 1ull << tsc : 0 - (1ull << tsc));
        wrmsr(X2APIC_COUNT, tsc % 3 ? 1 : ~0u);
        let_in_for(1);
    }
    wrmsr(MSR_TSC, 1ull << 40);
    if (pith_cpuid(1, 0).ecx & CPUID_DEADLINE) {
        wrmsr(X2APIC_TIMER, TRAP_IRQ | TIMER_DEADLINE);
        for (unsigned i = 0; i < 6000; i++) {
            wrmsr(MSR_DEADLINE, i < 1000 ? pith_tsc() : deadlines[i % COUNT(deadlines)]);
            __asm__ volatile("sti; nop; nop; cli" : : : "memory");
        }
    }
    wrmsr(X2APIC_TIMER, 3 | TIMER_PERIODIC); /* a vector that does not exist */
    wrmsr(X2APIC_COUNT, 1);
    let_in_for(20);
    wrmsr(X2APIC_COUNT, 0);
    return trap_irqs > 10;
}

extern const char nmi_entry[];
extern volatile uint64_t nmis;
__asm__(".text\n"
        "nmi_entry:\n" /* sends the next one before it returns */
        "    push %rax; push %rcx; push %rdx\n"
        "    incq nmis(%rip)\n"
        "    cmpq $10000, nmis(%rip)\n"
        "    ja 1f\n"
        "    mov $0x830, %ecx; mov $0x44400, %eax; xor %edx, %edx; wrmsr\n"
        "1:  pop %rdx; pop %rcx; pop %rax\n"
        "    iretq\n"
        ".local nmis; .comm nmis, 8, 8\n");

static void set_gate(unsigned vector, uint64_t address)
{
    struct table idtr;
    struct gate *gate;

    __asm__ volatile("sidt %0" : "=m"(idtr));
    gate = (struct gate *)(uintptr_t)idtr.base + vector;
    gate->low = (uint16_t)address;
    gate->mid = (uint16_t)(address >> 16);
}

static void try_icr(uint64_t icr)
{
    wrmsr(X2APIC_ICR, icr);
}

static bool ipis(void)
{
    x2apic_on();
    for (unsigned i = 0; i < 5000; i++) {
        wrmsr(X2APIC_SELF, 16 + i % 240);
        wrmsr(X2APIC_SELF, TRAP_IRQ);
        if (rdmsr(0x827) == 0) /* what has no gate stays pending behind this one: IF is clear again */
            __asm__ volatile("nop");
    }
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_X2APIC); /* off: forgets what is pending */
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x800);
    x2apic_on();
    for (unsigned i = 0; i < 10000; i++)
        __asm__ volatile("wrmsr; sti; nop; cli" : : "c"(X2APIC_SELF), "a"(TRAP_IRQ), "d"(0) : "memory");
    for (uint64_t icr = 0; icr < 0x800; icr += 9) { /* every mode to IDs that nobody has, logical and physical */
        (void)trap_try(try_icr, icr | ICR_ASSERT | 5ull << 32);
        (void)trap_try(try_icr, icr | ICR_ASSERT | 0x800 | 0x12340000ull << 32);
        (void)trap_try(try_icr, icr | ICR_ASSERT | 0xc0000 | 1ull << 32);
    }
    set_gate(2, (uintptr_t)nmi_entry);
    for (unsigned i = 0; i < 1000; i++)
        wrmsr(X2APIC_ICR, ICR_NMI | ICR_SELF | ICR_ASSERT);
    let_in_for(1);
    return trap_irqs > 5000 && nmis > 0;
}

#define TOUCH(type)                                                      \
    static void touch_##type(uint64_t at)                                \
    {                                                                    \
        volatile type *p = (volatile type *)(uintptr_t)at;               \
        type old = *p;                                                   \
                                                                         \
        *p = (type)~0ull;                                                \
        *p = 0;                                                          \
        *p = old;                                                        \
    }
TOUCH(uint8_t)
TOUCH(uint16_t)
TOUCH(uint32_t)
TOUCH(uint64_t)

static void every_register(void)
{
    for (uint64_t offset = 0; offset < 0x1000 - 7; offset += 16) {
        touch_uint32_t(LAPIC + offset);
        touch_uint32_t(IOAPIC + offset);
        if (offset % 0x70)
            continue;
        touch_uint8_t(LAPIC + offset + 1);
        touch_uint16_t(LAPIC + offset + 3);
        touch_uint64_t(LAPIC + offset);
        touch_uint8_t(IOAPIC + offset / 8);
        touch_uint16_t(IOAPIC + offset / 4);
        touch_uint64_t(IOAPIC + offset + 4);
    }
    for (uint32_t reg = 0; reg < 0x100; reg++) {
        *(volatile uint32_t *)(uintptr_t)IOAPIC = reg;
        touch_uint32_t(IOAPIC + 0x10);
        *(volatile uint32_t *)(uintptr_t)(IOAPIC + 0x10) = 0x8700 | reg; /* level, low-active, ExtINT */
    }
    touch_uint64_t(LAPIC + 0xffc); /* across its end */
    touch_uint64_t(LAPIC - 4);
}

static bool registers(void)
{
    every_register();
    __asm__ volatile("outb %b0, %w1" : : "a"(0xf), "d"(UART + 1)); /* with a line that has something to say */
    __asm__ volatile("outb %b0, %w1" : : "a"(0xb), "d"(UART + 4));
    every_register();
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~0x800ull);
    every_register();
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x800ull);
    x2apic_on();
    every_register();
    return true;
}

/* These would be true to their word. */
static bool ends_me(uint64_t nr, uint64_t partition_or_vcpu)
{
    return !partition_or_vcpu && (nr == PITH_CALL_VCPU_STOP || nr == PITH_CALL_PART_STOP || nr == PITH_CALL_PART_PAUSE ||
                                  nr == PITH_CALL_PART_RESTART);
}

/* WAIT and its like return at once: an interrupt is pending, and IF is clear. */
static bool calls(void)
{
    static const uint64_t edges[] = {
        0, 1, 7, 4095, 4096, 4097, 1ull << 31, (1ull << 32) - 1, 1ull << 32, 0xffff870000000000, (1ull << 47) - 1, 1ull << 52,
        (1ull << 63) - 1, 1ull << 63, 0 - 4096ull, ~0ull - 1, ~0ull, LAPIC, IOAPIC + 0xff8, NOWHERE,
    };

    x2apic_on();
    wrmsr(X2APIC_SELF, TRAP_IRQ);
    for (uint64_t nr = 0; nr < PITH_CALLS + 3; nr++) {
        if (nr == PITH_CALL_EXIT)
            continue;
        for (unsigned i = 0; i < COUNT(edges); i++) {
            if (ends_me(nr, edges[i]))
                continue;
            (void)pith_hypercall(RAX(nr), edges[i], 0, 0, 0, 0);
            for (unsigned j = 0; j < COUNT(edges); j++)
                (void)pith_hypercall(RAX(nr), edges[i], edges[j], 0, 0, 0);
            (void)pith_hypercall(RAX(nr), ram_end - edges[i] % 8, edges[i] % 8192, 0, 0, edges[i]);
        }
    }
    for (unsigned i = 0; i < COUNT(edges); i++)
        (void)pith_hypercall(edges[i], edges[i], edges[i], edges[i], edges[i], edges[i]);
    return true;
}

int guest_main(const struct pith_start *start)
{
    static bool (*const cases[])(void) = { console, strings, timers, ipis, registers, calls };
    uint64_t which = pith_option(start, "case", 0);
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    bool ok;

    ram_end = mem[0].size + mem[1].size;
    trap_init();
    if (which < 2) /* the others open and close their windows themselves */
        __asm__ volatile("sti");
    ok = which < COUNT(cases) && cases[which]();
    pith_printf("\n%s\n", ok ? "survived" : "not ok");
    return ok ? 0 : 1;
}
