/* SPDX-License-Identifier: MIT */
/*
 * Drives a network card (Intel 82540EM, 8254x Software Developer's Manual), which must have been given to it: its registers
 * and its level-triggered interrupt; no packets. base= and gsi= on the command line say where it is; storm=1: never takes
 * the interrupt's cause away.
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define IOAPIC      0xfec00000ull
#define LEVEL       0x8000u
#define X2APIC_SVR  0x80fu
#define PATIENCE    (20 * PITH_NS_PER_S)
#define LINK_CHANGE 4u

enum reg { STATUS = 8, CAUSE = 0xc0 /* reading clears */, CAUSE_SET = 0xc8, MASK_SET = 0xd0, MASK_CLEAR = 0xd8, TABLE = 0x5200 };

static volatile uint8_t *device;
static bool storm;

static uint32_t get(enum reg r)
{
    return *(volatile uint32_t *)(device + r);
}

static void put(enum reg r, uint32_t v)
{
    *(volatile uint32_t *)(device + r) = v;
}

static void ioapic(uint32_t reg, uint32_t val)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC = reg;
    *(volatile uint32_t *)(uintptr_t)(IOAPIC + 0x10) = val;
}

static void on_irq(void)
{
    if (!storm)
        (void)get(CAUSE);
}

static bool raised(uint64_t want)
{
    uint64_t end = pith_now() + PATIENCE;

    put(CAUSE_SET, LINK_CHANGE);
    __asm__ volatile("cli"); /* an interrupt between the look and the wait would be slept through */
    while (trap_irqs < want && pith_now() < end) {
        (void)pith_wait(end);
        __asm__ volatile("sti; nop; cli" : : : "memory");
    }
    __asm__ volatile("sti");
    return trap_irqs >= want;
}

int guest_main(const struct pith_start *start)
{
    uint32_t entry = 0x10 + 2 * (uint32_t)pith_option(start, "gsi", 20);

    device = (volatile uint8_t *)(uintptr_t)pith_option(start, "base", 0);
    storm = pith_option(start, "storm", 0);
    trap_init();
    trap_on_irq = on_irq;
    __asm__ volatile("wrmsr" : : "c"(0x1b), "a"(0xfee00d00), "d"(0));
    __asm__ volatile("wrmsr" : : "c"(X2APIC_SVR), "a"(0x1ff), "d"(0));
    test_ok(get(STATUS) != ~0u, "there");
    put(TABLE, 0x12345678);
    test_equal(get(TABLE), 0x12345678, "registers");
    put(MASK_CLEAR, ~0u);
    (void)get(CAUSE);
    ioapic(entry + 1, 0);
    ioapic(entry, TRAP_IRQ | LEVEL);
    put(MASK_SET, LINK_CHANGE);
    __asm__ volatile("sti");
    if (storm) {
        pith_puts("storm\n");
        put(CAUSE_SET, LINK_CHANGE);
        for (;;)
            __asm__ volatile("hlt");
    }
    for (uint64_t n = 1; n <= 100; n++)
        if (!raised(n))
            break;
    (void)pith_wait(pith_now() + PITH_NS_PER_S / 10);
    test_equal(trap_irqs, 100, "each-interrupt-once");
    put(MASK_CLEAR, ~0u);
    /* the card could write there */
    test_ok(!(pith_features().rbx & PITH_FEATURE_BALLOON) && pith_balloon_out(4 << 20).status == PITH_E_STATE &&
                pith_balloon_in(4 << 20).status == PITH_E_STATE,
            "keeps-its-memory");
    return test_end();
}
