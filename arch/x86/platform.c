/* SPDX-License-Identifier: MIT */
/* Finds and tames the machine's interrupt controllers. */
#include "arch/x86/platform.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "drivers/ioapic.h"
#include "drivers/lapic.h"
#include "hv/lib/log.h"
#include "hv/lib/spinlock.h"

#define IOAPIC_DEFAULT   0xfec00000u
#define PIC_MASTER_MASK  0x21
#define PIC_SLAVE_MASK   0xa1
#define ELCR             0x4d0      /* a bit an ISA interrupt: level-triggered */
#define IOAPIC_MAX_ID    0xfeu      /* of a destination; ffh is all cores */
#define CPUID_1C_X2APIC  BIT(21)
#define APIC_BASE_ADDR   0x000ffffffffff000ull

const struct handoff_machine *platform_machine;

static struct {
    volatile void *mmio;
    u32 gsi_base, pins;
} ioapics[HANDOFF_IOAPICS];
static u32 nr_ioapics;
static struct spinlock ioapic_lock; /* of the registers: an index and a window */

static enum pith_status lapic_find(void)
{
    u64 base = rdmsr(MSR_APIC_BASE);
    void *mmio = NULL;
    u32 a, b, c, d;

    cpuid(1, 0, &a, &b, &c, &d);
    if (!(base & APIC_BASE_X2APIC) && !(c & CPUID_1C_X2APIC)) {
        mmio = host_map(base & APIC_BASE_ADDR, PAGE_SIZE, HOST_UC);
        if (!mmio)
            return PITH_E_MEM;
    }
    lapic_use(mmio);
    log_info("local APICs: %s", mmio ? "xAPIC" : "x2APIC");
    return PITH_OK;
}

static void ioapic_add(hpa_t base, u32 gsi_base)
{
    void *mmio = host_map(base, PAGE_SIZE, HOST_UC);
    u32 pins = mmio ? ioapic_init(mmio) : 0;

    if (!pins) {
        log_warn("no I/O APIC answers at 0x%lx", base);
        return;
    }
    ioapics[nr_ioapics].mmio = mmio;
    ioapics[nr_ioapics].gsi_base = gsi_base;
    ioapics[nr_ioapics++].pins = pins;
}

/* Nothing may interrupt but what was asked for: the firmware's routes end here. */
static void old_interrupts_off(void)
{
    outb(PIC_MASTER_MASK, 0xff);
    outb(PIC_SLAVE_MASK, 0xff);
    for (u32 i = 0; i < platform_machine->nr_ioapics; i++)
        ioapic_add(platform_machine->ioapics[i].base, platform_machine->ioapics[i].gsi_base);
    if (!nr_ioapics)
        ioapic_add(IOAPIC_DEFAULT, 0);
}

enum pith_status platform_init(const struct handoff *h)
{
    enum pith_status st = lapic_find();

    if (st != PITH_OK)
        return st;
    platform_machine = &h->machine;
    old_interrupts_off();
    return PITH_OK;
}

static volatile void *find_pin(u32 gsi, u32 *pin)
{
    for (u32 i = 0; i < nr_ioapics; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins) {
            *pin = gsi - ioapics[i].gsi_base;
            return ioapics[i].mmio;
        }
    return NULL;
}

/* ISA interrupts are what the MADT or else the edge/level control registers say; the others are PCI's: level, low. */
static struct ioapic_route route_of(u32 gsi)
{
    bool isa = gsi < HANDOFF_ISA_IRQS;
    struct ioapic_route route = { .level = !isa || inb((u16)(ELCR + gsi / 8)) >> gsi % 8 & 1, .active_low = !isa };

    for (u32 irq = 0; irq < HANDOFF_ISA_IRQS; irq++)
        if (platform_machine->isa[irq].gsi == gsi && (platform_machine->isa[irq].level || irq != gsi)) {
            route.level = platform_machine->isa[irq].level;
            route.active_low = platform_machine->isa[irq].active_low;
        }
    return route;
}

bool arch_gsi_level(u32 gsi)
{
    return route_of(gsi).level;
}

enum pith_status arch_gsi_route(u32 gsi, u8 vector, u32 apic_id)
{
    struct ioapic_route route = route_of(gsi);
    volatile void *mmio;
    u32 pin;

    mmio = find_pin(gsi, &pin);
    if (!mmio || apic_id > IOAPIC_MAX_ID)
        return PITH_E_HW;
    route.vector = vector;
    route.apic_id = apic_id;
    spin_lock(&ioapic_lock);
    ioapic_route(mmio, pin, &route);
    spin_unlock(&ioapic_lock);
    return PITH_OK;
}

void arch_gsi_mask(u32 gsi, bool masked)
{
    volatile void *mmio;
    u32 pin;

    mmio = find_pin(gsi, &pin);
    if (!mmio)
        return;
    spin_lock(&ioapic_lock); /* interrupts are off wherever it is held */
    ioapic_mask(mmio, pin, masked);
    spin_unlock(&ioapic_lock);
}

enum pith_status arch_isa_irq(u8 irq, u8 vector)
{
    return irq < HANDOFF_ISA_IRQS ? arch_gsi_route(platform_machine->isa[irq].gsi, vector, lapic_id()) : PITH_E_ARG;
}
