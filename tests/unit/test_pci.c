/* SPDX-License-Identifier: MIT */
/* PCI configuration space against a pretended bus: who is there, and what base address registers decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/cpu/insn.h"

static u32 fake_inl(u16 port);
static void fake_outl(u16 port, u32 val);
static void fake_outw(u16 port, u16 val);
#define inl  fake_inl
#define outl fake_outl
#define outw fake_outw
#include "drivers/pci.c"
#define cpu_cli() (irqs_off = true)
#define cpu_sti() (irqs_off = false)
static bool irqs_off;
#undef ADDRESS
#undef DATA
#undef ENABLE
#include "boot/pci.c"

struct function {
    u32 number;
    u32 regs[64], writable[64];
};

/* 00:01.0 with 1 MiB of memory, a 64-bit register above 4 GiB and ports; 00:01.3; 02:1f.0 a bridge; 00:00.0 the host's. */
static const struct function wanted[] = {
    { 0x008, { [0] = 0x11e81234, [1] = 0x02900006, [2] = 0x00ff0010, [3] = 0x00800000, [4] = 0xc1000000, [5] = 0x0000000c, [6] = 0x12,
               [7] = 0x6001, [8] = 0, [9] = 0x6101 },
      { [1] = 0x407, [4] = 0xfff00000, [5] = 0xffffc000, [6] = 0xffffffff, [7] = 0xffffff80, [8] = 0xfffff000, [9] = 0xfff0 } },
    { 0x00b, { [0] = 0x00018086, [1] = 0x00000007, [2] = 0x01000000 }, { [1] = 0x407 } },
    { 0x2f8, { [0] = 0x00028086, [1] = 0x00000007, [2] = 0x06040000, [3] = 0x00010000, [4] = 0xfe000000, [6] = 0x00020100 },
      { [1] = 0x407, [4] = 0xffffff00, [6] = 0x00ffffff } },
    { 0x000, { [0] = 0x29c08086, [1] = 0x00000006, [2] = 0x06000000, [4] = 0xf0000000 }, { [1] = 4, [4] = 0xfffff000 } },
};
static struct function bus[ARRAY_SIZE(wanted)];
static u32 address, writes, found[8], nr_found;

static struct function *selected(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(bus); i++)
        if (bus[i].number == (address >> 8 & 0xffff))
            return &bus[i];
    return NULL;
}

static u32 fake_inl(u16 port)
{
    struct function *f = selected();

    assert_int_equal(port, 0xcfc);
    assert_true(address & 0x80000000u);
    return f ? f->regs[(address & 0xfc) / 4] : ~0u;
}

static void fake_outl(u16 port, u32 val)
{
    struct function *f = selected();
    u32 reg = (address & 0xfc) / 4;

    if (port == 0xcf8) {
        address = val;
        return;
    }
    assert_non_null(f);
    assert_true(reg >= 4 && reg < 10);
    assert_true(irqs_off);
    assert_int_equal(f->regs[1] & 3, 0); /* it decodes nothing while its registers are tried */
    f->regs[reg] = (f->regs[reg] & ~f->writable[reg]) | (val & f->writable[reg]);
    writes++;
}

static void fake_outw(u16 port, u16 val)
{
    struct function *f = selected();

    assert_int_equal(port, 0xcfc); /* the command, never the status beside it */
    assert_int_equal(address & 0xfc, 4);
    f->regs[1] = (f->regs[1] & 0xffff0000u) | (val & f->writable[1] & 0xffff);
    writes++;
}

static int fresh(void **state)
{
    (void)state;
    memcpy(bus, wanted, sizeof(bus));
    writes = nr_found = 0;
    return 0;
}

static void note(void *ctx, u32 function)
{
    assert_ptr_equal(ctx, bus);
    found[nr_found++] = function;
}

static void each(void **state)
{
    (void)state;
    pci_each(note, bus);
    assert_int_equal(nr_found, 4);
    assert_int_equal(found[0], 0x000);
    assert_int_equal(found[1], 0x008);
    assert_int_equal(found[2], 0x00b);
    assert_int_equal(found[3], 0x2f8);
    assert_int_equal(writes, 0);
}

static void expect_bar(const struct pci_bar *b, u64 first, u64 last, bool ports)
{
    assert_int_equal(b->first, first);
    assert_int_equal(b->last, last);
    assert_int_equal(b->ports, ports);
}

static void device(void **state)
{
    struct pci_bar bars[PCI_BARS];

    (void)state;
    assert_int_equal(pci_bars(0x008, bars), 4); /* the register that is 0 was given no address */
    expect_bar(&bars[0], 0xc1000000, 0xc10fffff, false);
    expect_bar(&bars[1], 0x1200000000, 0x1200003fff, false);
    expect_bar(&bars[2], 0x6000, 0x607f, true);
    expect_bar(&bars[3], 0x6100, 0x610f, true); /* its upper half does not exist */
    assert_memory_equal(bus, wanted, sizeof(bus));
}

static void bridges(void **state)
{
    struct pci_bar bars[PCI_BARS];

    (void)state;
    assert_int_equal(pci_bars(0x2f8, bars), 1);
    expect_bar(&bars[0], 0xfe000000, 0xfe0000ff, false);
    assert_memory_equal(bus, wanted, sizeof(bus)); /* and its bus numbers were not touched */
    writes = 0;
    assert_int_equal(pci_bars(0x000, bars), 0);
    assert_int_equal(writes, 0);
    assert_int_equal(pci_bars(0x00b, bars), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each, fresh),
        cmocka_unit_test_setup(device, fresh),
        cmocka_unit_test_setup(bridges, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
