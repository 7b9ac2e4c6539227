/* SPDX-License-Identifier: MIT */
/* Descriptor tables, and what becomes of an exception. SDM 3, Interrupt and Exception Handling. */
#include "guests/lib/trap.h"

#define NR_EXCEPTIONS 32u
#define SEL_CODE      0x08u
#define SEL_TSS       0x28u
#define GATE_KERNEL   0x8eu /* present interrupt gate */
#define GATE_USER     0xeeu /* and for INT3 at CPL 3 */
#define PTE_USER      4ull
#define PTE_LEAF      0x80ull
#define PTE_ADDRESS   0x000ffffffffff000ull
#define MSR_APIC_BASE  0x1bu
#define APIC_X2APIC    0xc00u /* enabled, in x2APIC mode */
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_SVR 0x80fu

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
struct __attribute__((packed)) tss { uint32_t zero; uint64_t rsp[3]; uint8_t rest[74]; uint16_t io_map; };
struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };
_Static_assert(sizeof(struct gate) == 16, "SDM 3, 64-Bit Mode IDT");
_Static_assert(sizeof(struct tss) == 104, "SDM 3, Task Management in 64-Bit Mode");

/* Null, the start's code and data, user data, user code, the TSS in two, and 32-bit code. */
static uint64_t gdt[8] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0, 0x00cf9b000000ffff,
};
static struct gate idt[TRAP_IRQ + 1];
static struct tss tss;
static uint8_t trap_stack[8192] __attribute__((aligned(16)));
static uint8_t user_stack[8192] __attribute__((aligned(16)));

struct trap_frame trap_last;
uint64_t trap_cr2;
volatile uint64_t trap_irqs;
void (*trap_on_irq)(void);

/* Shared with trap.S. */
extern uint64_t trap_resume; /* RSP inside trap_try(), 0: nobody waits for an exception */
extern const uint64_t trap_gates[NR_EXCEPTIONS + 1];
struct user_call { uint64_t fn, arg, stack; };
void trap_enter_user(uint64_t call);
int trap_entered(const struct trap_frame *f);

uint64_t trap_resume;

void trap_lapic_on(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_APIC_BASE));
    __asm__ volatile("wrmsr" : : "c"(MSR_APIC_BASE), "a"(lo | APIC_X2APIC), "d"(hi) : "memory");
    __asm__ volatile("wrmsr" : : "c"(MSR_X2APIC_SVR), "a"(0x1ff), "d"(0) : "memory");
}

/* The vector, to leave trap_try() with it; negative: go on where it was interrupted. */
int trap_entered(const struct trap_frame *f)
{
    if (f->vector == TRAP_IRQ) {
        trap_irqs = trap_irqs + 1;
        if (trap_on_irq)
            trap_on_irq();
        __asm__ volatile("wrmsr" : : "c"(MSR_X2APIC_EOI), "a"(0), "d"(0));
        return -1;
    }
    trap_last = *f;
    __asm__ volatile("mov %%cr2, %0" : "=r"(trap_cr2));
    if (trap_resume == 0) {
        pith_printf("exception %lu, error 0x%lx, RIP 0x%lx, CR2 0x%lx\n", f->vector, f->error, f->rip, trap_cr2);
        pith_quit(0x100 + f->vector);
    }
    return (int)f->vector;
}

static void set_gate(unsigned vector, uint64_t address, uint8_t attr)
{
    idt[vector] = (struct gate){
        .low = (uint16_t)address, .selector = SEL_CODE, .attr = attr,
        .mid = (uint16_t)(address >> 16), .high = (uint32_t)(address >> 32),
    };
}

static void load_tss(void)
{
    uint64_t base = (uintptr_t)&tss, limit = sizeof(tss) - 1;

    tss.rsp[0] = (uintptr_t)trap_stack + sizeof(trap_stack);
    tss.io_map = sizeof(tss);
    gdt[5] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[6] = base >> 32;
}

void trap_init(void)
{
    struct table gdtr = { sizeof(gdt) - 1, (uintptr_t)gdt }, idtr = { sizeof(idt) - 1, (uintptr_t)idt };

    load_tss();
    for (unsigned i = 0; i < NR_EXCEPTIONS; i++)
        set_gate(i, trap_gates[i], i == TRAP_BP ? GATE_USER : GATE_KERNEL);
    set_gate(TRAP_IRQ, trap_gates[NR_EXCEPTIONS], GATE_KERNEL);
    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

static void open_table(uint64_t table, unsigned level)
{
    uint64_t *entries = (uint64_t *)(uintptr_t)(table & PTE_ADDRESS);

    for (unsigned i = 0; i < 512; i++) {
        if (!(entries[i] & 1))
            continue;
        entries[i] |= PTE_USER;
        if (level > 1 && !(entries[i] & PTE_LEAF))
            open_table(entries[i], level - 1);
    }
}

void trap_open_user(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    open_table(cr3, 4);
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

int trap_try_user(void (*fn)(uint64_t arg), uint64_t arg)
{
    /* As after a call: RSP + 8 is a multiple of 16. */
    struct user_call call = { (uintptr_t)fn, arg, (uintptr_t)user_stack + sizeof(user_stack) - 8 };

    return trap_try(trap_enter_user, (uintptr_t)&call);
}
