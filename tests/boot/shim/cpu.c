/* SPDX-License-Identifier: MIT */
/* Processor and interrupt controllers as no firmware should leave them. What it could not live with itself comes after its end. */
#include "tests/boot/shim/shim.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/slot.h"

#define APIC_BASE_ADDR 0x000ffffffffff000ull
#define IOAPIC         0xfec00000u
#define HPET           0xfed00000u
#define COM1           0x3f8u
#define STACK_TOP      (SLOT_BASE + (SLOT_STACK + SLOT_STACK_PAGES) * PAGE_SIZE)
#define ICR_NMI        0x4400u /* the level is "assert" */
#define ICR_SELF       0x44000u
#define STUCK_VECTOR   0xe5u
#define MTRR_DEF_TYPE  0x2ffu
#define DEBUGCTL       0x1d9u
#define VM_HSAVE_PA    0xc0010117u

struct gate { u16 low, selector; u8 ist, type; u16 middle; u32 high, reserved; };

static struct gate idt[256] __attribute__((aligned(16)));
volatile u32 shim_nmis;
extern const char shim_any[], shim_nmi[];
void __attribute__((sysv_abi)) shim_la57(u64 root);
static struct { bool lapic, lapic_off, flags, breakpoints, registers, devices, nmi, la57; } at_exit;

/* Neither tells a controller of an end; an NMI does not even end, so that the next waits until somebody returns from an interrupt. */
__asm__(".text\n"
        "shim_any: iretq\n"
        "shim_nmi: incl shim_nmis(%rip); mov (%rsp), %rax; mov 24(%rsp), %rsp; jmp *%rax\n");

static void gate_set(u32 vector, const char *handler)
{
    u64 at = (u64)handler;
    u16 cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    idt[vector] = (struct gate){ (u16)at, cs, 0, 0x8e, (u16)(at >> 16), (u32)(at >> 32), 0 };
}

static void idt_take(void)
{
    struct { u16 limit; u64 base; } __attribute__((packed)) idtr = { sizeof(idt) - 1, (u64)idt };

    for (u32 v = 0; v < 256; v++)
        gate_set(v, shim_any);
    gate_set(2, shim_nmi);
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

static bool x2apic(void)
{
    return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static u32 lapic_read(u32 reg)
{
    return x2apic() ? (u32)rdmsr(0x800 + (reg >> 4)) : *(volatile u32 *)((rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR) + reg);
}

static void lapic_write(u32 reg, u32 val)
{
    if (x2apic())
        wrmsr(0x800 + (reg >> 4), val);
    else
        *(volatile u32 *)((rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR) + reg) = val;
}

static void nmi_self(void)
{
    u32 id = lapic_read(0x20);

    if (x2apic()) {
        wrmsr(0x830, (u64)id << 32 | ICR_NMI);
        return;
    }
    lapic_write(0x310, id);
    lapic_write(0x300, ICR_NMI);
}

/* One interrupt that is never acknowledged, others masked by priority, a timer that runs on, pins that lead somewhere. */
static void lapic_spoil(void)
{
    lapic_write(0xf0, 0x1ff);
    lapic_write(0x80, 0);
    lapic_write(0x300, ICR_SELF | STUCK_VECTOR);
    __asm__ volatile("sti; nop; nop; cli");
    lapic_write(0x3e0, 0);
    lapic_write(0x320, 0x20041);
    lapic_write(0x380, 50000);
    lapic_write(0x350, 0x700);
    lapic_write(0x360, 0x62);
    lapic_write(0x370, 0x63);
    lapic_write(0x80, 0xff);
}

/* The first push in the hypervisor's address space, and the first byte of its image. */
static void breakpoints_arm(void)
{
    write_dr0(STACK_TOP - 8);
    write_dr1(STACK_TOP - 16);
    write_dr2(0xffff870000000000);
    write_dr3(0);
    write_dr7(0x00bb07ff); /* 8 bytes read or written, twice; execution, twice */
}

static void registers_spoil(void)
{
    u32 a, b, c, d;

    write_cr0(read_cr0() | CR0_AM | CR0_TS | CR0_MP);
    write_cr4(read_cr4() | CR4_TSD | CR4_DE | CR4_PGE | CR4_PCE);
    wrmsr(MSR_PAT, 0);
    wrmsr(MTRR_DEF_TYPE, 0xc00);
    wrmsr(0xc0000081, ~0ull);
    wrmsr(0xc0000102, 0x1234567890);
    cpuid(0x80000001, 0, &a, &b, &c, &d);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (c & BIT(2) ? EFER_SVME : 0));
    if (c & BIT(2))
        wrmsr(VM_HSAVE_PA, 0x1000);
}

/* All that ticks does so, and all pins lead to this core. */
static void devices_stir(void)
{
    outb(0x43, 0x34);
    outb(0x40, 0x20);
    outb(0x40, 0);
    outb(0x70, 0x0b);
    outb(0x71, (u8)(inb(0x71) | 0x70));
    outb(0x21, 0);
    outb(0xa1, 0);
    outb(COM1 + 1, 0x0f);
    *(volatile u64 *)(HPET + 0x100) = 0x4c | 2u << 9;
    *(volatile u64 *)(HPET + 0x108) = 100000;
    *(volatile u64 *)(HPET + 0x10) = 3;
    for (u32 pin = 0; pin < 24; pin++) {
        *(volatile u32 *)IOAPIC = 0x11 + 2 * pin;
        *(volatile u32 *)(IOAPIC + 0x10) = 0;
        *(volatile u32 *)IOAPIC = 0x10 + 2 * pin;
        *(volatile u32 *)(IOAPIC + 0x10) = (pin % 2 ? 0x8000u : 0) | (0x50 + pin);
    }
    cpu_sti();
}

static void nmi_leave(void)
{
    nmi_self();
    __asm__ volatile("1: pause; cmpl $0, shim_nmis(%%rip); je 1b" : : : "rax", "memory");
    nmi_self();
}

static void la57_on(void)
{
    static u64 root[512] __attribute__((aligned(4096)));

    root[0] = read_cr3() | 3;
    shim_la57((u64)root);
}

void cpu_finish(void)
{
    cpu_cli();
    if (at_exit.la57)
        la57_on();
    if (at_exit.lapic || at_exit.nmi || at_exit.devices)
        idt_take();
    if (at_exit.registers)
        registers_spoil();
    if (at_exit.lapic)
        lapic_spoil();
    if (at_exit.nmi)
        nmi_leave();
    if (at_exit.lapic_off)
        wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(u64)(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
    if (at_exit.breakpoints)
        breakpoints_arm();
    if (at_exit.devices)
        devices_stir();
    if (at_exit.flags)
        __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "er"(RFLAGS_AC | 0x7000u) : "memory", "cc");
}

/* PI Specification, EFI_MP_SERVICES_PROTOCOL: the third of its functions */
struct mp_services {
    void *count, *info;
    EFI_STATUS(EFIAPI *all)
    (struct mp_services *mp, void EFIAPI (*fn)(void *), BOOLEAN one_by_one, EFI_EVENT event, UINTN us, void *arg, UINTN **failed);
};

static void EFIAPI x2apic_on(void *arg)
{
    (void)arg;
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
}

static void w_x2apic(const u64 *a)
{
    EFI_GUID guid = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
    struct mp_services *mp;

    (void)a;
    if (!EFI_ERROR(real.LocateProtocol(&guid, NULL, (void **)&mp)))
        (void)mp->all(mp, x2apic_on, TRUE, NULL, 0, NULL, NULL);
    x2apic_on(NULL);
}

static void w_msr(const u64 *a) { wrmsr((u32)a[0], a[1]); }
static void w_lapic(const u64 *a) { (void)a; at_exit.lapic = true; }
static void w_lapic_off(const u64 *a) { (void)a; at_exit.lapic_off = true; }
static void w_flags(const u64 *a) { (void)a; at_exit.flags = true; }
static void w_breakpoints(const u64 *a) { (void)a; at_exit.breakpoints = true; }
static void w_registers(const u64 *a) { (void)a; at_exit.registers = true; }
static void w_devices(const u64 *a) { (void)a; at_exit.devices = true; }
static void w_la57(const u64 *a) { (void)a; at_exit.la57 = true; }
static void w_nmi(const u64 *a) { (void)a; at_exit.nmi = true; }

/* A serial port in loopback, with the divisor's bytes in front of its data */
static void w_uart(const u64 *a)
{
    (void)a;
    outb(COM1 + 4, 0x10);
    outb(COM1 + 3, 0x9f);
}

/* PCI configuration: address as in port 0xcf8, value */
static void w_pci(const u64 *a)
{
    outl(0xcf8, (u32)a[0]);
    outl(0xcfc, (u32)a[1]);
}

const struct shim_word cpu_words[] = {
    { "cpu-x2apic", w_x2apic }, { "cpu-msr", w_msr }, { "cpu-lapic", w_lapic }, { "cpu-lapic-off", w_lapic_off },
    { "cpu-flags", w_flags }, { "cpu-nmi", w_nmi }, { "cpu-la57", w_la57 }, { "cpu-breakpoints", w_breakpoints },
    { "cpu-registers", w_registers }, { "devices", w_devices }, { "uart", w_uart }, { "pci", w_pci }, { NULL, NULL },
};
