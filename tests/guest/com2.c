/* SPDX-License-Identifier: MIT */
/*
 * Drives a serial port, which must have been given to it (the second, ports = 0x2f8-0x2ff, irqs = 3, or with first=1 the first), by its
 * interrupt: in its loopback mode, then over the line, where a plug sends back what is sent. Then it reboots, and does all of it once more:
 * the port's scratch register tells the second life from the first.
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"
#include "hv/abi/platform.h"

#define COM1       0x3f8
#define COM2       0x2f8
#define IOAPIC     0xfec00000ull
#define ENTRY(gsi) (0x10 + 2 * (gsi))
#define MASKED     0x10000u
#define X2APIC_SVR 0x80fu
#define SECOND     0x5a /* in the scratch register */
#define PATIENCE   (20 * PITH_NS_PER_S)

enum reg { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };
#define IER_RECEIVED 1
#define IIR_NONE     1
#define FIFO_RESET   7 /* on, both emptied */
#define MCR_LINE     0x0b /* DTR, RTS, and OUT2, which lets the interrupt through */
#define MCR_LOOP     0x1b
#define LSR_DATA     1
#define LSR_IDLE     0x40

static volatile unsigned received;
static char text[64];
static uint16_t base = COM2;
static uint32_t gsi = 3;

static uint8_t get(enum reg r)
{
    uint8_t v;

    __asm__ volatile("inb %w1, %0" : "=a"(v) : "d"(base + (int)r));
    return v;
}

static void out(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %w1" : : "a"(v), "d"(port));
}

static void put(enum reg r, uint8_t v)
{
    out((uint16_t)(base + (int)r), v);
}

static void ioapic(uint32_t reg, uint32_t val)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC = reg;
    *(volatile uint32_t *)(uintptr_t)(IOAPIC + 0x10) = val;
}

/* An edge: the line must have been seen low before it counts again. */
static void on_irq(void)
{
    while (!(get(IIR) & IIR_NONE)) {
        while (get(LSR) & LSR_DATA) {
            char c = (char)get(DATA);

            if (received < sizeof(text) - 1)
                text[received++] = c;
        }
        (void)get(MSR);
    }
}

static void open_port(uint8_t mcr)
{
    put(IER, 0);
    put(LCR, 0x80);
    put(DATA, 1); /* 115200 baud */
    put(IER, 0);
    put(LCR, 3);
    put(IIR, FIFO_RESET);
    put(MCR, mcr);
    while (get(LSR) & LSR_DATA) /* not every one is emptied by that */
        (void)get(DATA);
    received = 0;
    memset(text, 0, sizeof(text));
    put(IER, IER_RECEIVED);
}

/* Sends and waits for it to come back by interrupts alone. */
static bool comes_back(const char *words, const char *name)
{
    unsigned len = (unsigned)strlen(words);
    uint64_t end = pith_now() + PATIENCE, before = trap_irqs;

    for (unsigned i = 0; i < len; i++) {
        while (!(get(LSR) & LSR_IDLE))
            __asm__ volatile("pause");
        put(DATA, (uint8_t)words[i]);
    }
    __asm__ volatile("cli"); /* an interrupt between the look and the wait would be slept through */
    while (received < len && pith_now() < end) {
        (void)pith_wait(end);
        __asm__ volatile("sti; nop; cli" : : : "memory");
    }
    __asm__ volatile("sti");
    if (memcmp(text, words, len + 1) != 0)
        pith_printf("came back: '%s', interrupts %lu\n", text, trap_irqs - before);
    return test_ok(memcmp(text, words, len + 1) == 0 && trap_irqs > before, name);
}

int guest_main(const struct pith_start *start)
{
    bool second;

    if (pith_option(start, "first", 0)) {
        base = COM1;
        gsi = 4;
    }
    second = get(SCRATCH) == SECOND;
    trap_init();
    trap_on_irq = on_irq;
    __asm__ volatile("wrmsr" : : "c"(0x1b), "a"(0xfee00d00), "d"(0));
    __asm__ volatile("wrmsr" : : "c"(X2APIC_SVR), "a"(0x1ff), "d"(0));
    __asm__ volatile("sti");
    if (second) { /* what the first life left on does not reach this one by itself */
        (void)pith_wait(pith_now() + PITH_NS_PER_S / 10);
        test_equal(trap_irqs, 0, "no-interrupt-from-before");
    }
    ioapic(ENTRY(gsi) + 1, 0);
    ioapic(ENTRY(gsi), TRAP_IRQ);
    put(SCRATCH, 0xa5);
    test_equal(get(SCRATCH), 0xa5, "registers");
    open_port(MCR_LOOP);
    comes_back("loop", "loopback");
    open_port(MCR_LINE);
    comes_back(second ? "once more by the line\n" : "by the line\n", "line");
    ioapic(ENTRY(gsi), MASKED);
    put(SCRATCH, SECOND);
    if (second)
        return test_end();
    open_port(MCR_LOOP);
    put(DATA, 'x'); /* left behind: a byte and its interrupt */
    if (test_end() == 0)
        out(VACPI_RESET_PORT, VACPI_RESET);
    return 1;
}
