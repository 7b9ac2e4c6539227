/* SPDX-License-Identifier: MIT */
/*
 * The serial driver and the loader's choice of a line, against a model of the 16550 at ports, in memory with registers of 8 and of 32
 * bits, and behind PCI. No emulator has one in memory.
 * LINK: boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/cpu/insn.h"

static u8 fake_inb(u16 port);
static void fake_outb(u16 port, u8 val);
#define inb  fake_inb
#define outb fake_outb
#define cpu_relax()
static u32 model_read(const volatile void *at, u32 bytes);
static void model_write(volatile void *at, u32 bytes, u32 val);
#define mmio_read8(at)        ((u8)model_read(at, 1))
#define mmio_read32(at)       model_read(at, 4)
#define mmio_write8(at, val)  model_write(at, 1, val)
#define mmio_write32(at, val) model_write(at, 4, val)
#include "drivers/uart16550.c"
#define cpu_cli()
#define cpu_sti()
#include "boot/serial.c"

enum { FIFO_ON = 1 };
static struct model {
    u64 base;
    bool ports, scratch, loops, full; /* full: nobody takes what it sends */
    u32 stride, bytes;
    u8 regs[8], divisor[2];
    char sent[256];
    u32 nr_sent, reads;
} uart_model;
static u32 pci_regs[2][64]; /* 00:11.0 and nothing */
static bool is_memory;

static u8 model_get(u32 reg)
{
    struct model *m = &uart_model;
    u8 mcr = m->regs[UART_MCR];

    m->reads++;
    if (reg < 2 && m->regs[UART_LCR] & 0x80)
        return m->divisor[reg];
    switch (reg) {
    case UART_IIR: return m->regs[UART_FCR] & FIFO_ON ? 0xc1 : 1;
    case UART_LSR: return m->full ? 0 : 0x60;
    case UART_MSR: return m->loops && mcr & 0x10 ? (u8)((mcr & 0xc) << 4 | (mcr & 2) << 3 | (mcr & 1) << 5) : 0xb0;
    case UART_SCR: return m->scratch ? m->regs[reg] : 0xff;
    default: return m->regs[reg];
    }
}

static void model_set(u32 reg, u8 val)
{
    struct model *m = &uart_model;

    if (reg < 2 && m->regs[UART_LCR] & 0x80) {
        m->divisor[reg] = val;
        return;
    }
    if (reg == UART_DATA && m->nr_sent < sizeof(m->sent) - 1)
        m->sent[m->nr_sent++] = (char)val;
    m->regs[reg] = val;
}

static bool model_at(u64 at, bool ports, u32 bytes, u32 *reg)
{
    const struct model *m = &uart_model;

    *reg = (u32)(at - m->base) / m->stride;
    return m->ports == ports && bytes == m->bytes && at >= m->base && at < m->base + 8ull * m->stride &&
           at % m->stride == m->base % m->stride;
}

static u8 fake_inb(u16 port)
{
    u32 reg;

    return model_at(port, true, 1, &reg) ? model_get(reg) : 0xff;
}

static void fake_outb(u16 port, u8 val)
{
    u32 reg;

    if (model_at(port, true, 1, &reg))
        model_set(reg, val);
}

static u32 model_read(const volatile void *at, u32 bytes)
{
    u32 reg;

    return model_at((u64)at, false, bytes, &reg) ? model_get(reg) : ~0u;
}

static void model_write(volatile void *at, u32 bytes, u32 val)
{
    u32 reg;

    if (model_at((u64)at, false, bytes, &reg))
        model_set(reg, (u8)val);
}

bool physical_is_memory(u64 first, u64 last)
{
    (void)first;
    (void)last;
    return is_memory;
}
bool physical_mapped(u64 at) { return at < 0x200000000; }

u32 pci_read(u32 function, u32 reg)
{
    return function == 0x88 ? pci_regs[0][reg / 4] : ~0u;
}

void pci_write16(u32 function, u32 reg, u16 val)
{
    u32 *r = &pci_regs[0][reg / 4];

    assert_int_equal(function, 0x88);
    *r = reg & 2 ? (*r & 0xffff) | (u32)val << 16 : (*r & 0xffff0000) | val;
}

static int fresh(void **state)
{
    (void)state;
    uart_model = (struct model){ .base = 0x3f8, .ports = true, .scratch = true, .loops = true, .stride = 1, .bytes = 1 };
    chosen = (struct manifest_serial){ .kind = MANIFEST_LINE_NONE };
    is_memory = false;
    memset(pci_regs, 0, sizeof(pci_regs));
    pci_regs[0][0] = 0x00021b36;
    pci_regs[0][2] = 0x07000201;
    return 0;
}

static struct handoff_serial handed(void)
{
    struct handoff_isa_irq isa[HANDOFF_ISA_IRQS];

    for (u32 i = 0; i < HANDOFF_ISA_IRQS; i++)
        isa[i] = (struct handoff_isa_irq){ .gsi = i + 100 };
    return serial_handoff(isa);
}

static void expect_line(const struct manifest_serial *want, const char *text, struct handoff_serial handoff)
{
    char buf[SERIAL_TEXT];
    struct handoff_serial h;
    const char *wrong = serial_open(want, NULL);

    if (wrong)
        fail_msg("%s", wrong);
    serial_write("hello");
    assert_string_equal(uart_model.sent, "hello");
    assert_string_equal(serial_text(buf), text);
    h = handed();
    assert_memory_equal(&h, &handoff, sizeof(h));
    assert_int_equal(uart_model.regs[UART_IER], 0);
    assert_int_equal(uart_model.regs[UART_LCR], 3);
    assert_int_equal(uart_model.regs[UART_MCR], 0xb);
}

static void expect_none(const struct manifest_serial *want, const char *words)
{
    const char *wrong = serial_open(want, NULL);

    if (!wrong || !strstr(wrong, words))
        fail_msg("said '%s', wanted '%s'", wrong ? wrong : "", words);
    assert_int_equal(serial_at()->kind, MANIFEST_LINE_NONE);
    assert_int_equal(handed().bits, 0);
}

static void at_ports(void **state)
{
    struct manifest_serial s = manifest_com(0);

    (void)state;
    expect_line(&s, "COM1 at port 0x3f8, 115200 baud, interrupt 4", (struct handoff_serial){ 0x3f8, 104, HANDOFF_IO, 1, 8, 0 });
    assert_int_equal(uart_model.divisor[0] | uart_model.divisor[1] << 8, 1);
    s.baud = 300;
    assert_null(serial_open(&s, "SPCR"));
    assert_int_equal(uart_model.divisor[0] | uart_model.divisor[1] << 8, 384);
    s.baud = MANIFEST_BAUD_KEEP;
    uart_model.nr_sent = 0;
    s.irq = MANIFEST_NONE;
    expect_line(&s, "COM1 at port 0x3f8, as fast as the firmware left it, polled",
                (struct handoff_serial){ 0x3f8, HANDOFF_NO_GSI, HANDOFF_IO, 1, 8, 0 });
    assert_int_equal(uart_model.divisor[0] | uart_model.divisor[1] << 8, 384);
    s = (struct manifest_serial){ .kind = MANIFEST_LINE_NONE };
    assert_null(serial_open(&s, NULL));
    serial_write("x");
    assert_int_equal(uart_model.nr_sent, 5);
}

static void no_port(void **state)
{
    struct manifest_serial s = manifest_com(1);

    (void)state;
    expect_none(&s, "no 16550 answers there");
    s = manifest_com(0);
    uart_model.scratch = false;
    expect_none(&s, "no 16550 answers there");
    uart_model.scratch = true;
    uart_model.loops = false; /* memory keeps all */
    expect_none(&s, "no 16550 answers there");
    s.base = 0x60;
    expect_none(&s, "that belongs to the PC's own devices");
    s.base = 0xfffc;
    expect_none(&s, "no such ports");
}

static void in_memory(void **state)
{
    static const struct {
        u32 stride, bits;
    } kinds[] = { { 1, 8 }, { 2, 8 }, { 4, 8 }, { 4, 32 } };
    struct manifest_serial s;

    for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
        fresh(state);
        uart_model.ports = false;
        uart_model.base = 0xfe034000;
        uart_model.stride = kinds[i].stride;
        uart_model.bytes = kinds[i].bits / 8;
        s = (struct manifest_serial){ .kind = MANIFEST_LINE_MEMORY, .base = 0xfe034000, .stride = kinds[i].stride, .bits = kinds[i].bits,
                                      .baud = MANIFEST_BAUD_KEEP, .irq = 20 };
        expect_line(&s, "memory 0xfe034000, as fast as the firmware left it, interrupt 20",
                    (struct handoff_serial){ 0xfe034000, 20, HANDOFF_MEMORY, (u8)kinds[i].stride, (u8)kinds[i].bits, 0 });
    }
    fresh(state);
    is_memory = true;
    expect_none(&s, "this is memory");
    is_memory = false;
    s.base = 0x200000000;
    expect_none(&s, "this is memory, or nothing at all");
    s.base = 0xfee00000;
    expect_none(&s, "that belongs to the local APICs");
    s.base = HANDOFF_SERIAL_END - 8;
    expect_none(&s, "above 4 TiB");
    s.base = 0xfe034001;
    expect_none(&s, "no address of a register");
}

static void behind_pci(void **state)
{
    struct manifest_serial s = manifest_com(0);

    (void)state;
    s.kind = MANIFEST_LINE_PCI;
    s.function = 0x88;
    s.base = 8;
    s.irq = MANIFEST_NONE;
    uart_model.base = 0x6048;
    pci_regs[0][4] = 0x6041;
    pci_regs[0][1] = 0x00100000; /* nothing is on; and asleep */
    pci_regs[0][13] = 0x40;
    pci_regs[0][16] = 0x00035001;
    pci_regs[0][17] = 0x8003;
    expect_line(&s, "port 0x6048 of PCI device 00:11.0, 115200 baud, polled",
                (struct handoff_serial){ 0x6048, HANDOFF_NO_GSI, HANDOFF_IO, 1, 8, 0 });
    assert_int_equal(pci_regs[0][1] & 0xffff, 0x401);
    assert_int_equal(pci_regs[0][17], 0);

    fresh(state);
    uart_model.ports = false;
    uart_model.base = 0x140001000;
    uart_model.stride = uart_model.bytes = 4;
    pci_regs[0][6] = 0x40001004;
    pci_regs[0][7] = 1;
    s.bar = 2;
    s.base = 0;
    s.stride = 4;
    s.bits = 32;
    expect_line(&s, "memory 0x140001000 of PCI device 00:11.0, 115200 baud, polled",
                (struct handoff_serial){ 0x140001000, HANDOFF_NO_GSI, HANDOFF_MEMORY, 4, 32, 0 });
    assert_int_equal(pci_regs[0][1] & 0xffff, 0x402);

    fresh(state);
    s.bar = 3;
    expect_none(&s, "gave that device no address there");
    pci_regs[0][2] = 0x03000000;
    expect_none(&s, "no serial port");
    s.function = 0x89;
    expect_none(&s, "no such device");
}

/* Nobody takes what it sends: one wait, then a look at each byte, until there is room again. */
static void dead_line(void **state)
{
    struct manifest_serial s = manifest_com(0);
    u32 before;

    (void)state;
    assert_null(serial_open(&s, NULL));
    uart_model.full = true;
    serial_write("a");
    assert_int_equal(uart_model.nr_sent, 0);
    before = uart_model.reads;
    for (u32 i = 0; i < 1000; i++)
        serial_write("nobody reads this ");
    uart_flush(&uart);
    assert_int_equal(uart_model.reads - before, 18000);
    assert_int_equal(uart_room(&uart), 0);
    uart_model.full = false;
    serial_write("back");
    assert_string_equal(uart_model.sent, "back");
    assert_int_equal(uart_room(&uart), 16);
    uart_model.full = true; /* with a full FIFO when all must be out */
    before = uart_model.reads;
    uart_flush(&uart);
    uart_flush(&uart);
    assert_int_equal(uart_model.reads - before, UART_TRIES);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = { T(at_ports), T(no_port), T(in_memory), T(behind_pci), T(dead_line) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
