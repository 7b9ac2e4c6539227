/* SPDX-License-Identifier: MIT */
/* GDT, TSS and IDT (SDM 3A, "Protected-Mode Memory Management" and "Interrupt and Exception Handling"). */
#include "arch/x86/desc.h"

#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/host_desc.h"
#include "arch/x86/slots.h"

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS  0x18

#define DESC_CODE 0x00af9b000000ffffull /* 64-bit, accessed: the processor then need not write it */
#define DESC_DATA 0x00cf93000000ffffull
#define TSS_TYPE  0x89ull
#define GATE      0x8eull               /* interrupt gate, DPL 0 */
#define IDT_GATES 256u
#define STUB_SIZE 16u

struct tss {
    u32 reserved;
    u64 rsp[3], reserved2, ist[7], reserved3;
    u16 reserved4, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM 3A, 64-Bit TSS");

struct desc_ptr {
    u16 limit;
    u64 base;
} __attribute__((packed));

struct core_desc {
    u64 gdt[5];
    struct tss tss;
} __attribute__((aligned(64)));

static struct core_desc cores[HOST_MAX_CORES];
static u64 idt[IDT_GATES][2] __attribute__((aligned(4096)));

extern const char trap_stubs[]; /* IDT_GATES stubs of STUB_SIZE bytes, traps.S */

static u64 ist_number(u32 vector)
{
    switch (vector) {
    case X86_DF:
        return 1;
    case X86_NMI:
        return 2;
    case X86_MC:
        return 3;
    default:
        return 0;
    }
}

static void idt_fill(void)
{
    for (u32 v = 0; v < IDT_GATES; v++) {
        u64 stub = (u64)trap_stubs + (u64)v * STUB_SIZE;

        idt[v][0] = (stub & 0xffff) | SEL_CODE << 16 | ist_number(v) << 32 | GATE << 40 | (stub >> 16 & 0xffff) << 48;
        idt[v][1] = stub >> 32;
    }
}

static void core_fill(struct core_desc *c, u32 index)
{
    u64 tss = (u64)&c->tss;

    c->tss.ist[0] = slot_va(index, SLOT_DF + SLOT_IST_PAGES);
    c->tss.ist[1] = slot_va(index, SLOT_NMI + SLOT_IST_PAGES);
    c->tss.ist[2] = slot_va(index, SLOT_MC + SLOT_IST_PAGES);
    c->tss.iomap = sizeof(c->tss);
    c->gdt[1] = DESC_CODE;
    c->gdt[2] = DESC_DATA;
    c->gdt[3] = (sizeof(c->tss) - 1) | (tss & 0xffffff) << 16 | TSS_TYPE << 40 | (tss >> 24 & 0xff) << 56;
    c->gdt[4] = tss >> 32;
}

void desc_load(u32 index)
{
    struct core_desc *c = &cores[index];
    struct desc_ptr gdtr = { sizeof(c->gdt) - 1, (u64)c->gdt };
    struct desc_ptr idtr = { sizeof(idt) - 1, (u64)idt };

    if (index == 0)
        idt_fill();
    core_fill(c, index);
    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
    __asm__ volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : "i"(SEL_CODE) : "rax", "memory");
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" : : "r"(SEL_DATA));
    __asm__ volatile("mov %0, %%fs; mov %0, %%gs; lldt %w0" : : "r"(0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

void arch_host_desc(struct host_desc *out)
{
    const struct core_desc *c = &cores[slot_index()];

    *out = (struct host_desc){
        .gdt_base = (u64)c->gdt, .idt_base = (u64)idt, .tss_base = (u64)&c->tss,
        .cs = SEL_CODE, .ds = SEL_DATA, .tr = SEL_TSS,
    };
}
