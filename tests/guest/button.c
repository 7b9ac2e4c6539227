/* SPDX-License-Identifier: MIT */
/*
 * Waits for its power button, by ACPI's interrupt, and ends when that has come; with deaf=1 it does not end then.
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"
#include "hv/abi/platform.h"

#define IOAPIC    ((uintptr_t)VIOAPIC_BASE)
#define ENTRY     (0x10 + 2 * VACPI_SCI)
#define LEVEL_LOW 0xa000u

static volatile uint16_t seen;
static volatile unsigned interrupts;

static uint16_t in16(uint16_t port)
{
    uint16_t v;

    __asm__ volatile("inw %w1, %0" : "=a"(v) : "d"(port));
    return v;
}

static uint32_t in32(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %w1, %0" : "=a"(v) : "d"(port));
    return v;
}

static void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %w1" : : "a"(v), "d"(port));
}

static void out16(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %w1" : : "a"(v), "d"(port));
}

static void ioapic(uint32_t reg, uint32_t val)
{
    *(volatile uint32_t *)IOAPIC = reg;
    *(volatile uint32_t *)(IOAPIC + 0x10) = val;
}

/* The first time it is left on: the line stays high, and the interrupt comes again. */
static void on_irq(void)
{
    seen = in16(VACPI_PM1);
    if (interrupts++ > 0)
        out16(VACPI_PM1, VACPI_BUTTON);
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    trap_on_irq = on_irq;
    trap_lapic_on();
    ioapic(ENTRY + 1, 0);
    ioapic(ENTRY, TRAP_IRQ | LEVEL_LOW);
    test_equal(in16(VACPI_PM1), 0, "not-pressed");
    out16(VACPI_PM1_ENABLE, VACPI_BUTTON | 1);
    out8(VACPI_PM1_ENABLE, 0);
    test_equal(in32(VACPI_PM1), VACPI_BUTTON << 16, "enable-by-bytes");
    __asm__ volatile("sti");
    pith_puts("listens\n");
    while (interrupts < 2 || pith_option(start, "deaf", 0))
        (void)pith_wait(pith_now() + PITH_NS_PER_S / 10);
    test_equal(seen, VACPI_BUTTON, "pressed");
    (void)pith_wait(pith_now() + PITH_NS_PER_S / 20);
    test_equal(interrupts, 2, "no-interrupt-once-it-is-cleared");
    test_equal(in16(VACPI_PM1), 0, "cleared");
    return test_end();
}
