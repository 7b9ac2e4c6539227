/* SPDX-License-Identifier: MIT */
/* Attacks that end the attacker, or keep it busy for ever: case=N. Nobody else may notice. */
#include "guests/lib/trap.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define LAPIC         0xfee00000ull
#define IOAPIC        0xfec00000ull
#define NOWHERE       0xd0000000ull
#define MSR_APIC_BASE 0x1bu
#define APIC_X2APIC   0xc00u
#define X2APIC_SVR    0x80fu
#define X2APIC_ICR    0x830u
#define ICR_INIT_SELF 0x44500u
#define SEL_TSS       0x28u
#define DR7_STACK     0x000d0401ull /* DR0: 4 bytes, writes, local, and its LE bit */

struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };
struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static struct table idtr(void)
{
    struct table t;

    __asm__ volatile("sidt %0" : "=m"(t));
    return t;
}

static void load_idt(uint64_t base, uint16_t limit)
{
    struct table t = { limit, base };

    __asm__ volatile("lidt %0" : : "m"(t));
}

/* --- those that end --- */

static void idt_in_device(void)
{
    load_idt(LAPIC, 0xfff);
    __asm__ volatile("ud2");
}

static void idt_nowhere(void)
{
    load_idt(NOWHERE, 0xfff);
    __asm__ volatile("int $0x40");
}

static void idt_not_canonical(void)
{
    load_idt(0x7ffffffffff8, 0xfff);
    __asm__ volatile("int $0x80");
}

static void stack_in_device(void)
{
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(LAPIC + 0x800));
}

static void stack_nowhere(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax; pop %%rax; ud2" : : "r"(NOWHERE + 0x800));
}

static void push_to_device(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax; call 1f; 1: ud2" : : "r"(IOAPIC + 0x18));
}

static void gdt_in_device(void)
{
    struct table t = { 0xfff, IOAPIC };

    __asm__ volatile("lgdt %0; mov %1, %%ds; mov %1, %%ss; int3" : : "m"(t), "r"(0x10));
}

static void tss_nowhere(void)
{
    static uint64_t gdt[4] = { 0, 0x00af9b000000ffff, 0, 0 };
    struct table t = { sizeof(gdt) - 1, (uintptr_t)gdt };
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;

    gdt[2] = 0x67 | (NOWHERE & 0xffffff) << 16 | 0x89ull << 40 | (NOWHERE >> 24) << 56;
    gates[TRAP_UD].ist = 1;
    __asm__ volatile("lgdt %0; ltr %w1; ud2" : : "m"(t), "r"(0x10));
}

static void cr3_nowhere(void)
{
    __asm__ volatile("mov %0, %%cr3; nop" : : "r"(NOWHERE) : "memory");
}

static void cr3_in_device(void)
{
    __asm__ volatile("mov %0, %%cr3; cpuid" : : "r"(LAPIC) : "memory", "eax", "ebx", "ecx", "edx");
}

static void cr3_far_away(void)
{
    __asm__ volatile("mov %0, %%cr3; nop" : : "r"(0xfffffff000ull) : "memory");
}

/* All ones are no instruction, and there is nobody to say so to. */
static void run_in_device(void)
{
    load_idt(0, 0);
    ((void (*)(void))(uintptr_t)LAPIC)();
}

static void run_nowhere(void)
{
    load_idt(0, 0);
    ((void (*)(void))(uintptr_t)(NOWHERE + 1))();
}

static void no_idt(void)
{
    load_idt(0, 0);
    __asm__ volatile("int3");
}

/* The page tables say that they are somewhere else, and the processor may not have noticed yet: what it runs cannot be read. */
static void tables_under_way(void)
{
    volatile uint64_t *top;

    __asm__ volatile("mov %%cr3, %0" : "=r"(top));
    top[0] = NOWHERE | 7;
    for (;;)
        (void)pith_cpuid(0, 0);
}

static void stack_not_canonical(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax; ud2" : : "r"(1ull << 47));
}

/* The TSS of trap_init(): RSP0 at 4, IST 1 at 36. */
static uint8_t *tss(void)
{
    struct table gdtr;
    const uint64_t *d;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    d = (const uint64_t *)(uintptr_t)(gdtr.base + SEL_TSS);
    return (uint8_t *)(uintptr_t)((d[0] >> 16 & 0xffffff) | d[0] >> 56 << 24 | d[1] << 32);
}

static void ist_garbage(void)
{
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;
    uint64_t garbage = 0x8000dead0000beefull;

    memcpy(tss() + 36, &garbage, sizeof(garbage));
    for (unsigned i = 0; i < 32; i++)
        gates[i].ist = 1;
    __asm__ volatile("ud2");
}

static void idt_short(void)
{
    load_idt(idtr().base, 6 * sizeof(struct gate) - 1); /* neither #UD, nor #GP, nor #DF */
    __asm__ volatile("ud2");
}

static void gdt_empty(void)
{
    struct table t = { 0, 0 };

    __asm__ volatile("lgdt %0; ud2" : : "m"(t));
}

static void gates_to_data(void)
{
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;

    for (unsigned i = 0; i < 32; i++)
        gates[i].selector = 0x10;
    __asm__ volatile("ud2");
}

static void from_user(uint64_t arg)
{
    (void)arg;
    __asm__ volatile("int3; ud2");
}

static void rsp0_garbage(void)
{
    uint64_t garbage = 1ull << 47;

    trap_open_user();
    memcpy(tss() + 4, &garbage, sizeof(garbage));
    (void)trap_try_user(from_user, 0);
}

/* CPL 3 needs a stack from it, and it ends before it begins. */
static void tss_short(void)
{
    struct table gdtr;
    uint64_t *d;

    trap_open_user();
    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    d = (uint64_t *)(uintptr_t)(gdtr.base + SEL_TSS);
    d[0] = (d[0] & ~(0xffffull | 2ull << 40)) | 3; /* not busy, 4 bytes */
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    (void)trap_try_user(from_user, 0);
}

/* Base and limit run over the end of all addresses. */
static void idt_wraps(void)
{
    load_idt(~0ull - 0x60, 0xffff);
    __asm__ volatile("int3");
}

/* --- those that do not --- */

static void spin(void)
{
    __asm__ volatile("cli; 1: pause; jmp 1b");
}

static void halt(void)
{
    __asm__ volatile("cli; hlt; ud2");
}

static void wait_for_ever(void)
{
    for (;;)
        (void)pith_wait(~0ull);
}

static void init_self(void)
{
    wrmsr(MSR_APIC_BASE, 0xfee00900 | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
    wrmsr(X2APIC_ICR, ICR_INIT_SELF);
    __asm__ volatile("ud2");
}

/* #UD's handler is an instruction that is #UD, on a stack that does not grow. */
static void endless_ud(void)
{
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;
    uint64_t at;

    __asm__ volatile("lea 1f(%%rip), %0; jmp 2f; 1: mov %%rbp, %%rsp; ud2; 2:" : "=r"(at));
    gates[TRAP_UD].low = (uint16_t)at;
    gates[TRAP_UD].mid = (uint16_t)(at >> 16);
    __asm__ volatile("mov %%rsp, %%rbp; ud2" : : : "memory");
}

/* A breakpoint on what the delivery of #DB pushes: on processors that see it, the next one is due before the first instruction. */
static void endless_db(void)
{
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;
    uint64_t at, stack;

    __asm__ volatile("lea 1f(%%rip), %0; jmp 2f; 1: mov %%rbp, %%rsp; push %%rax; nop; jmp 1b; 2:" : "=r"(at));
    gates[TRAP_DB].low = (uint16_t)at;
    gates[TRAP_DB].mid = (uint16_t)(at >> 16);
    __asm__ volatile("mov %%rsp, %0" : "=r"(stack));
    stack = (stack & ~0xffull) - 0x100;
    __asm__ volatile("mov %0, %%dr0" : : "r"(stack - 40));
    __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_STACK));
    __asm__ volatile("mov %0, %%rsp; mov %0, %%rbp; push %%rax; push %%rax; push %%rax; push %%rax; push %%rax; nop; jmp ." : : "r"(stack)
                     : "memory");
}

/*
 * #AC is no contributory exception: the delivery that raises it again is no double fault. It takes a stack that is not aligned, in 32-bit
 * code, and a handler at CPL 3; a processor without #AC runs the loop. SDM 3, Interrupt 17; Conditions for Generating a Double Fault.
 */
static void endless_ac(void)
{
    static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff };
    static uint64_t idt[18], stack[32];
    struct table t = { sizeof(gdt) - 1, (uintptr_t)gdt };
    uint64_t at;

    __asm__ volatile("lea 2f(%%rip), %0" : "=r"(at));
    idt[17] = (at & 0xffff) | 0x1bull << 16 | 0x8eull << 40 | at >> 16 << 48;
    load_idt((uintptr_t)idt, sizeof(idt) - 1);
    __asm__ volatile("lgdt %0; mov %2, %%rsp; pushq $0x08; lea 1f(%%rip), %%rax; push %%rax; lretq\n"
                     ".code32\n"
                     "1: mov %%cr0, %%eax; and $0x7fffffff, %%eax; or $0x40000, %%eax; mov %%eax, %%cr0\n" /* no paging; AM */
                     "mov $0x10, %%eax; mov %%eax, %%ss\n"
                     "push $0x23; lea -127(%%esp), %%eax; push %%eax; push $0x40002; push $0x1b; push %1; iretl\n" /* AC */
                     "2: mov %%eax, (%%esp); jmp 2b\n"
                     ".code64\n"
                     : : "m"(t), "b"((uint32_t)at), "r"(stack + 32) : "memory", "rax");
}

static void endless_store(void)
{
    uint64_t to = NOWHERE, count = ~0ull;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

static void endless_ports(void)
{
    static char text[4096];

    for (;;) {
        uint64_t from = (uintptr_t)text, count = sizeof(text);

        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80));
    }
}

static void endless_text(void)
{
    for (;;)
        pith_puts("all work and no play makes a partition a dull one ");
}

static void out8(uint16_t port, uint8_t val)
{
    __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

/* An 8259 that needs no word between two deliveries, and a line that stays up: the serial port's, level-triggered. */
static void endless_irq(void)
{
    static const struct { uint16_t port; uint8_t val; } setup[] = {
        { 0x20, 0x11 }, { 0x21, 0x38 }, { 0x21, 0x04 }, { 0x21, 0x03 }, { 0x21, 0xef }, { 0x4d0, 0x10 }, { 0x3fc, 8 }, { 0x3f9, 2 },
    };
    struct gate *gates = (struct gate *)(uintptr_t)idtr().base;
    uint64_t at;

    __asm__ volatile("lea 1f(%%rip), %0; jmp 2f; 1: iretq; 2:" : "=r"(at));
    gates[0x3c] = (struct gate){ (uint16_t)at, 8, 0, 0x8e, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
    for (unsigned i = 0; i < COUNT(setup); i++)
        out8(setup[i].port, setup[i].val);
    __asm__ volatile("1: pause; jmp 1b");
}

int guest_main(const struct pith_start *start)
{
    static void (*const cases[])(void) = {
        idt_in_device, idt_nowhere, idt_not_canonical, stack_in_device, stack_nowhere, push_to_device, gdt_in_device, tss_nowhere,
        cr3_nowhere, cr3_in_device, cr3_far_away, run_in_device, run_nowhere, no_idt, tables_under_way,
        stack_not_canonical, ist_garbage, idt_short, gdt_empty, gates_to_data,
        [20] = spin, halt, wait_for_ever, init_self, endless_ud, endless_db, endless_store, endless_ports, endless_text,
        endless_irq,
        [30] = rsp0_garbage, tss_short, idt_wraps,
        [33] = endless_ac,
    };
    uint64_t which = pith_option(start, "case", 0);

    trap_init();
    if (which >= 28) /* one calls all the time, which some emulators preempt soon only with interrupts on; one waits for them */
        __asm__ volatile("sti");
    pith_puts("attacks\n");
    cases[which % COUNT(cases)]();
    pith_puts("\nnot ok\n"); /* none of them returns */
    return 1;
}
