/* SPDX-License-Identifier: MIT */
/* The emulated devices' places. */
#include "hv/bus.h"

#include "arch/x86/cpu/regs.h"
#include "hv/exit.h"
#include "hv/isa.h"
#include "hv/partition.h"

typedef void bus_fn(struct vcpu *v, struct bus_access *a);

static u64 all_ones(u8 size)
{
    return size == 8 ? ~0ull : BIT(size * 8) - 1;
}

/* Byte-wide devices: wider accesses are bytes in ascending order, as on an 8-bit bus. */
static u8 take_byte(const struct bus_access *a, u32 i)
{
    return (u8)(a->val >> (8 * i));
}

static void put_byte(struct bus_access *a, u32 i, u8 byte)
{
    a->val |= (u64)byte << (8 * i);
}

static void uart(struct vcpu *v, struct bus_access *a)
{
    struct partition *p = v->part;
    char out[8];
    u32 n = 0;

    spin_lock(&p->lock);
    for (u32 i = 0; i < a->size; i++) {
        u32 reg = (u32)a->addr + i - VUART_BASE;
        int c;

        if (reg > 7)
            break;
        if (!a->write) {
            put_byte(a, i, vuart_read(&p->uart, reg));
            continue;
        }
        c = vuart_write(&p->uart, reg, take_byte(a, i));
        if (c >= 0)
            out[n++] = (char)c;
    }
    partition_uart_update(p);
    spin_unlock(&p->lock);
    if (n)
        console_write(&p->console, out, n);
}

static void rtc_byte(struct partition *p, struct bus_access *a, u32 i)
{
    u64 now = partition_wall_now(p);

    spin_lock(&p->lock);
    if (a->write)
        vrtc_write(&p->rtc, (u32)a->addr + i, take_byte(a, i));
    else
        put_byte(a, i, vrtc_read(&p->rtc, (u32)a->addr + i, now));
    spin_unlock(&p->lock);
}

static void rtc(struct vcpu *v, struct bus_access *a)
{
    rtc_byte(v->part, a, 0);
    if (a->size > 1 && a->addr == 0x70)
        rtc_byte(v->part, a, 1);
}

static void local_apic(struct vcpu *v, struct bus_access *a)
{
    u32 reg = (u32)(a->addr >> 4) & 0xff;
    struct vlapic_effect e = { 0 };

    /* Registers are 32 bits wide at 16-byte steps; other widths are undefined on hardware, and do nothing here. */
    if (vlapic_x2apic(&v->lapic) || (a->addr & 0xf) || a->size != 4 || reg > 0x3f) {
        a->val = a->write ? a->val : all_ones(a->size);
        return;
    }
    if (!a->write) {
        if (reg == 8)
            v->lapic.tpr = (u32)(arch_vcpu_reg(&v->arch, X86_CR8) << 4) | (v->lapic.tpr & 0xf);
        a->val = vlapic_read(&v->lapic, reg, vcpu_guest_tsc(v));
        return;
    }
    vlapic_write(&v->lapic, reg, (u32)a->val, vcpu_guest_tsc(v), &e);
    if (reg == 8)
        arch_vcpu_set_reg(&v->arch, X86_CR8, (a->val >> 4) & 0xf);
    v->arch.irq_dirty |= e.extint;
    exit_lapic_effect(v, &e);
}

static void io_apic(struct vcpu *v, struct bus_access *a)
{
    struct partition *p = v->part;
    u32 offset = (u32)(a->addr - VIOAPIC_BASE);

    if (a->size != 4) {
        a->val = a->write ? a->val : all_ones(a->size);
        return;
    }
    spin_lock(&p->lock);
    if (a->write)
        vioapic_write(&p->ioapic, offset, (u32)a->val, partition_deliver, p);
    else
        a->val = vioapic_read(&p->ioapic, offset);
    spin_unlock(&p->lock);
}

struct place { u64 first, last; bus_fn *fn; };

static const struct place ports[] = {
    { VUART_BASE, VUART_BASE + 7, uart },
    { 0x70, 0x71, rtc },
    { VPIC_MASTER, VPIC_MASTER + 1, isa_ports },
    { VPIC_SLAVE, VPIC_SLAVE + 1, isa_ports },
    { VPIT_BASE, VPIT_BASE + 3, isa_ports },
    { VPIT_CONTROL, VPIT_CONTROL, isa_ports },
    { VACPI_PM1, VACPI_RESET_PORT, isa_acpi },
    { VPIC_ELCR, VPIC_ELCR + 1, isa_ports },
};
static const struct place mmio[] = {
    { VLAPIC_BASE, VLAPIC_BASE + PAGE_SIZE - 1, local_apic },
    { VIOAPIC_BASE, VIOAPIC_BASE + 0xff, io_apic },
};

void bus_nothing(struct vcpu *v)
{
    __atomic_fetch_add(&v->part->empty_bus, 1, __ATOMIC_RELAXED);
}

static const struct place *find(const struct place *places, u32 n, u64 addr)
{
    for (u32 i = 0; i < n; i++)
        if (addr >= places[i].first && addr <= places[i].last)
            return &places[i];
    return NULL;
}

/* False: nobody is there. A guest mostly comes back to @last, where it was before. */
static bool access(struct vcpu *v, struct bus_access *a, const struct place *places, u32 n, const struct place **last)
{
    const struct place *place = *last;

    if (!a->write)
        a->val = 0;
    if (!place || a->addr < place->first || a->addr > place->last)
        place = find(places, n, a->addr);
    if (place) {
        *last = place;
        place->fn(v, a);
        return true;
    }
    bus_nothing(v);
    if (!a->write)
        a->val = all_ones(a->size);
    return false;
}

void bus_pio(struct vcpu *v, struct bus_access *a)
{
    access(v, a, ports, ARRAY_SIZE(ports), &v->last_port);
}

void bus_mmio(struct vcpu *v, struct bus_access *a)
{
    if (!access(v, a, mmio, ARRAY_SIZE(mmio), &v->last_mmio) && (v->part->conf->flags & MANIFEST_STRICT))
        v->why = "access to memory that nobody gave it (strict = yes)";
}
