/* SPDX-License-Identifier: MIT */
/* Finds and tames the machine's interrupt controllers. */
#include "arch/x86/platform.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "drivers/ioapic.h"
#include "drivers/lapic.h"
#include "hv/lib/log.h"

#define IOAPIC_DEFAULT   0xfec00000u
#define PIC_MASTER_MASK  0x21
#define PIC_SLAVE_MASK   0xa1
#define CPUID_1C_X2APIC  BIT(21)
#define APIC_BASE_ADDR   0x000ffffffffff000ull

struct acpi_info platform_acpi;

static struct {
    volatile void *mmio;
    u32 gsi_base, pins;
} ioapics[ACPI_MAX_IOAPICS];
static u32 nr_ioapics;

static bool read_physical(hpa_t hpa, void *buf, size_t len)
{
    u32 a, b, c, d;

    cpuid(0x80000008, 0, &a, &b, &c, &d);
    if (hpa + len < hpa || hpa + len > BIT(a & 0xff))
        return false;
    host_read(hpa, buf, len);
    return true;
}

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
    for (u32 i = 0; i < platform_acpi.nr_ioapics; i++)
        ioapic_add(platform_acpi.ioapics[i].base, platform_acpi.ioapics[i].gsi_base);
    if (!nr_ioapics)
        ioapic_add(IOAPIC_DEFAULT, 0);
}

enum pith_status platform_init(const struct handoff *h)
{
    enum pith_status st = lapic_find();

    if (st != PITH_OK)
        return st;
    acpi_parse(h->acpi_rsdp, read_physical, &platform_acpi);
    if (!platform_acpi.found)
        log_info("no ACPI tables: devices are taken where PCs have them");
    old_interrupts_off();
    return PITH_OK;
}

enum pith_status arch_isa_irq(u8 irq, u8 vector)
{
    struct ioapic_route route = { .vector = vector, .apic_id = lapic_id() };
    const struct acpi_isa_irq *isa;

    if (irq >= ACPI_ISA_IRQS)
        return PITH_E_ARG;
    isa = &platform_acpi.isa[irq];
    route.level = isa->level;
    route.active_low = isa->active_low;
    for (u32 i = 0; i < nr_ioapics; i++) {
        if (isa->gsi < ioapics[i].gsi_base || isa->gsi - ioapics[i].gsi_base >= ioapics[i].pins)
            continue;
        ioapic_route(ioapics[i].mmio, isa->gsi - ioapics[i].gsi_base, &route);
        return PITH_OK;
    }
    return PITH_E_HW;
}
