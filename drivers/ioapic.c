/* SPDX-License-Identifier: MIT */
/* I/O APIC (82093AA data sheet, "Register Description"). */
#include "drivers/ioapic.h"

enum ioapic_reg { IOAPIC_VERSION = 1, IOAPIC_REDIRECTION = 0x10 };

#define IOREGSEL 0x00u
#define IOWIN    0x10u

#define PIN_LOW    0x2000u
#define PIN_LEVEL  0x8000u
#define PIN_MASKED 0x10000u

static u32 ioapic_read(volatile void *mmio, u32 reg)
{
    volatile u32 *regs = mmio;

    regs[IOREGSEL / 4] = reg;
    return regs[IOWIN / 4];
}

static void ioapic_write(volatile void *mmio, u32 reg, u32 val)
{
    volatile u32 *regs = mmio;

    regs[IOREGSEL / 4] = reg;
    regs[IOWIN / 4] = val;
}

u32 ioapic_init(volatile void *mmio)
{
    u32 version = ioapic_read(mmio, IOAPIC_VERSION);
    u32 pins = (version >> 16 & 0xff) + 1;

    if (version == 0 || version == ~0u)
        return 0;
    for (u32 pin = 0; pin < pins; pin++)
        ioapic_write(mmio, IOAPIC_REDIRECTION + 2 * pin, PIN_MASKED);
    return pins;
}

void ioapic_mask(volatile void *mmio, u32 pin, bool masked)
{
    u32 reg = IOAPIC_REDIRECTION + 2 * pin;
    u32 low = ioapic_read(mmio, reg) & ~PIN_MASKED;

    ioapic_write(mmio, reg, low | (masked ? PIN_MASKED : 0));
}

void ioapic_route(volatile void *mmio, u32 pin, const struct ioapic_route *route)
{
    u32 low = route->vector | (route->level ? PIN_LEVEL : 0) | (route->active_low ? PIN_LOW : 0);

    ioapic_write(mmio, IOAPIC_REDIRECTION + 2 * pin, PIN_MASKED);
    ioapic_write(mmio, IOAPIC_REDIRECTION + 2 * pin + 1, route->apic_id << 24);
    ioapic_write(mmio, IOAPIC_REDIRECTION + 2 * pin, low);
}
