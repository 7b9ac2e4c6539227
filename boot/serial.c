/* SPDX-License-Identifier: MIT */
/* The serial line by hand: the firmware may not know it, and after ExitBootServices only this one is left. */
#include "boot/serial.h"

#include "arch/x86/cpu/insn.h"
#include "boot/manifest.h"
#include "boot/pci.h"
#include "boot/physical.h"
#include "drivers/uart16550.h"
#include "hv/lib/fmt.h"

#define REGISTERS     8u
#define MCR_LOOP      0x1au /* what it sends it hears; OUT2 and RTS on ... */
#define MSR_LOOP      0x90u /* ... which come back as DCD and CTS */
#define MSR_LINES     0xf0u
#define BAR_FIRST     0x10u
#define BAR_PORTS     1u
#define BAR_64        4u
#define PCI_CAPS      0x34u
#define STATUS_CAPS   BIT(20)
#define CAP_POWER     1u
#define CLASS_SERIAL  0x0700u /* class and subclass */
#define CLASS_OTHER   0x0780u /* and how Intel's low-power ones call themselves, sometimes */
#define CLASS_SIGNAL  0x1180u

static struct manifest_serial chosen = { .kind = MANIFEST_LINE_NONE };
static const char *chosen_source;
static struct uart uart;

const struct manifest_serial *serial_at(void)
{
    return &chosen;
}

/* The rules of MANIFEST_KEPT_TEXT's tables hold for Pith, too. */
static const char *place_wrong(const struct manifest_serial *s)
{
    static char why[SERIAL_TEXT];
    u64 last = s->base + (u64)REGISTERS * s->stride - 1;
    bool ports = s->kind == MANIFEST_LINE_PORTS;
    const char *kept = manifest_kept(ports, s->base, last);

    if (kept) {
        fmt_str(why, sizeof(why), "that belongs to %s", kept);
        return why;
    }
    if (ports)
        return last > 0xffff ? "there are no such ports" : NULL;
    if (last < s->base || last >= HANDOFF_SERIAL_END)
        return "it lies where Pith does not reach, above 4 TiB";
    if (s->base % (s->bits / 8))
        return "this is no address of a register of 32 bits";
    if (physical_is_memory(s->base, last) || !physical_mapped(s->base) || !physical_mapped(last))
        return "this is memory, or nothing at all";
    return NULL;
}

/* PCI Bus Power Management Interface Specification, "PMCSR": its last two bits. */
static void power_on(u32 f)
{
    enum { WAIT_READS = 10000 }; /* of a microsecond: 10 ms are asked for */
    u32 at = pci_read(f, PCI_COMMAND) & STATUS_CAPS ? pci_read(f, PCI_CAPS) & 0xfc : 0;

    for (u32 i = 0; i < 48 && at; i++) {
        u32 cap = pci_read(f, at);

        if ((cap & 0xff) == CAP_POWER && pci_read(f, at + 4) & 3) {
            pci_write16(f, at + 4, (u16)(pci_read(f, at + 4) & 0x7ffc));
            for (u32 k = 0; k < WAIT_READS; k++)
                (void)pci_read(f, 0);
        }
        at = cap >> 8 & 0xfc;
    }
}

static u64 bar_of(u32 f, u32 bar, bool *ports)
{
    u32 low = pci_read(f, BAR_FIRST + 4 * bar);

    *ports = low & BAR_PORTS;
    if (*ports)
        return low & ~3u & 0xffff;
    return (low & ~15u) | ((low & 6) == BAR_64 && bar < PCI_BARS - 1 ? (u64)pci_read(f, BAR_FIRST + 4 * bar + 4) << 32 : 0);
}

/* From the function and its register to where that one is. */
static const char *pci_open(struct manifest_serial *s)
{
    u32 f = s->function, class = pci_read(f, PCI_CLASS) >> 16;
    bool ports;
    u64 base;

    if (pci_read(f, 0) == ~0u)
        return "there is no such device";
    if (class != CLASS_SERIAL && class != CLASS_OTHER && class != CLASS_SIGNAL)
        return "that device is no serial port (of class 07, subclass 00)";
    cpu_cli(); /* the firmware's timer may use PCI configuration */
    power_on(f);
    base = bar_of(f, s->bar, &ports);
    if (base)
        pci_write16(f, PCI_COMMAND, (u16)(pci_read(f, PCI_COMMAND) | (ports ? PCI_CMD_PORTS : PCI_CMD_MEMORY) | PCI_CMD_INTX_OFF));
    cpu_sti();
    if (!base)
        return "the firmware gave that device no address there";
    s->kind = ports ? MANIFEST_LINE_PORTS : MANIFEST_LINE_MEMORY;
    s->base += base;
    return NULL;
}

static bool scratch_keeps(const struct uart *u, u8 value)
{
    uart_write(u, UART_SCR, value);
    return uart_read(u, UART_SCR) == value;
}

/* An empty port keeps nothing, and memory that keeps all has no loopback. */
static bool answers(const struct uart *u)
{
    bool loops;
    u8 mcr;

    if (!scratch_keeps(u, 0x5a) || !scratch_keeps(u, 0xa5))
        return false;
    mcr = uart_read(u, UART_MCR);
    uart_write(u, UART_MCR, MCR_LOOP);
    loops = (uart_read(u, UART_MSR) & MSR_LINES) == MSR_LOOP;
    uart_write(u, UART_MCR, mcr);
    return loops;
}

static void set_rate(const struct uart *u, u32 clock, u32 baud)
{
    u32 divisor = baud == MANIFEST_BAUD_KEEP || !baud ? 0 : (clock + 8 * baud) / (16 * baud);

    if (!divisor || divisor > 0xffff)
        return;
    uart_write(u, UART_LCR, UART_LCR_DLAB | UART_LCR_8N1);
    uart_write(u, UART_DLL, (u8)divisor);
    uart_write(u, UART_DLM, (u8)(divisor >> 8));
    uart_write(u, UART_LCR, UART_LCR_8N1);
}

const char *serial_open(const struct manifest_serial *want, const char *source)
{
    struct manifest_serial at = *want;
    const char *wrong = at.kind == MANIFEST_LINE_PCI ? pci_open(&at) : NULL;
    struct uart u;

    if (at.kind != MANIFEST_LINE_NONE) {
        wrong = wrong ? wrong : place_wrong(&at);
        if (wrong)
            return wrong;
        u = (struct uart){
            .mmio = at.kind == MANIFEST_LINE_MEMORY ? (volatile u8 *)at.base : NULL,
            .port = (u16)at.base,
            .stride = (u8)at.stride,
            .wide = at.bits == 32,
        };
        if (!answers(&u))
            return "no 16550 answers there";
        uart_flush(&u); /* changing the divisor would garble what the firmware is still sending */
        set_rate(&u, at.clock, at.baud);
        uart_init(&u);
        uart = u;
    }
    chosen = at;
    chosen.kind = want->kind == MANIFEST_LINE_PCI ? MANIFEST_LINE_PCI : at.kind;
    chosen_source = source;
    return NULL;
}

void serial_write(const char *s)
{
    for (; chosen.kind != MANIFEST_LINE_NONE && *s; s++)
        uart_put(&uart, (u8)*s);
}

static size_t text_place(char *text, size_t size)
{
    u32 f = chosen.function;
    size_t n = 0;

    for (u32 i = 0; i < MANIFEST_COMS; i++)
        if (!uart.mmio && chosen.base == manifest_com(i).base)
            n = fmt_str(text, size, "COM%u at ", i + 1);
    n += fmt_str(text + n, size - n, "%s 0x%lx", uart.mmio ? "memory" : "port", chosen.base);
    if (chosen.kind == MANIFEST_LINE_PCI)
        n += fmt_str(text + n, size - n, " of PCI device %02x:%02x.%u", f >> 8, f >> 3 & 31, f & 7);
    return n;
}

const char *serial_text(char text[SERIAL_TEXT])
{
    size_t n;

    if (chosen.kind == MANIFEST_LINE_NONE)
        return "none";
    n = text_place(text, SERIAL_TEXT);
    if (chosen_source)
        n += fmt_str(text + n, SERIAL_TEXT - n, " (%s)", chosen_source);
    if (chosen.baud == MANIFEST_BAUD_KEEP)
        n += fmt_str(text + n, SERIAL_TEXT - n, ", as fast as the firmware left it");
    else
        n += fmt_str(text + n, SERIAL_TEXT - n, ", %u baud", chosen.baud);
    if (chosen.irq == MANIFEST_NONE)
        (void)fmt_str(text + n, SERIAL_TEXT - n, ", polled");
    else
        (void)fmt_str(text + n, SERIAL_TEXT - n, ", interrupt %u", chosen.irq);
    return text;
}

struct handoff_serial serial_handoff(const struct handoff_isa_irq isa[HANDOFF_ISA_IRQS])
{
    if (chosen.kind == MANIFEST_LINE_NONE)
        return (struct handoff_serial){ 0 };
    return (struct handoff_serial){
        .base = chosen.base,
        .gsi = chosen.irq < HANDOFF_ISA_IRQS ? isa[chosen.irq].gsi : chosen.irq,
        .space = uart.mmio ? HANDOFF_MEMORY : HANDOFF_IO,
        .stride = uart.stride,
        .bits = uart.wide ? 32 : 8,
    };
}
