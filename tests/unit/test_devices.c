/* SPDX-License-Identifier: MIT */
/*
 * What may be given to a partition on one pretended machine, and what its PCI devices are told when.
 * LINK: hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/fmt.h"
#include "hv/devices.c"

/* 00:02.0 has memory and ports; 00:03.0 memory; 00:04.0 is the screen: its picture and registers. */
enum { F2 = 0x10, F3 = 0x18, SCREEN = 0x20 };
static const struct { u32 function; struct pci_bar bar; } bars[] = {
    { F2, { 0xe0000000, 0xe0000fff, false } }, { F2, { 0x6000, 0x60ff, true } }, { F3, { 0xe0001000, 0xe0001fff, false } },
    { SCREEN, { 0xd0000000, 0xd0ffffff, false } }, { SCREEN, { 0xe0002000, 0xe0002fff, false } },
};
static const struct acpi_kept tables[] = {
    { 0xb0000000, 0xbfffffff, false, "PCI configuration" }, { 0x800, 0x87f, true, "power management" },
};
static struct handoff handoff;
static struct manifest m;
static struct partition parts[2];
static u16 commands[SCREEN + 1];
static char said[4096];

const struct acpi_kept *arch_kept(u32 i) { return i < ARRAY_SIZE(tables) ? &tables[i] : NULL; }
u32 pci_bars(u32 function, struct pci_bar out[PCI_BARS])
{
    u32 n = 0;

    for (u32 i = 0; i < ARRAY_SIZE(bars); i++)
        if (bars[i].function == function)
            out[n++] = bars[i].bar;
    return n;
}
void pci_each(void (*fn)(void *ctx, u32 function), void *ctx)
{
    for (u32 f = F2; f <= SCREEN; f += 8)
        fn(ctx, f);
}
u32 pci_read(u32 function, u32 reg) { return reg == PCI_COMMAND ? 0xffff0000u | commands[function] : 0; }
void pci_write16(u32 function, u32 reg, u16 val)
{
    assert_int_equal(reg, PCI_COMMAND);
    commands[function] = val;
}
void log_line(enum log_level level, const char *fmt, ...)
{
    size_t len = strlen(said);
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    fmt_vstr(said + len, sizeof(said) - len, fmt, ap);
    va_end(ap);
}
enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size, enum s2_prot prot, enum s2_type type)
{
    (void)vm;
    assert_int_equal(gpa, hpa);
    assert_int_equal(size, 0x1000);
    assert_int_equal(prot, S2_RW);
    assert_int_equal(type, S2_UC);
    return PITH_OK;
}
void arch_vm_trap_pio(struct arch_vm *vm, u16 port, u32 count, bool trap)
{
    (void)vm;
    assert_true(port == 0x6000 && count == 0x100 && !trap);
}
enum pith_status device_irqs_create(struct partition *p) { (void)p; return PITH_OK; }
void device_irqs_start(struct partition *p) { (void)p; }
void device_irqs_stop(struct partition *p) { (void)p; }

static int fresh(void **state)
{
    (void)state;
    memset(&m, 0, sizeof(m));
    memset(commands, 0, sizeof(commands));
    m.nr_partitions = 2;
    for (u32 i = 0; i < 2; i++) {
        m.partitions[i].name[0] = (char)('a' + i);
        m.partitions[i].line = 10 + 10 * i;
        parts[i].conf = &m.partitions[i];
        parts[i].name = m.partitions[i].name;
    }
    handoff = (struct handoff){ .fb = { 0xd0000000, 1024, 768, 4096, HANDOFF_FB_BGRX } };
    nr_given = 0;
    said[0] = 0;
    return 0;
}

static struct manifest_partition *give(u32 part, bool ports, u64 first, u64 last)
{
    struct manifest_partition *p = &m.partitions[part];

    if (ports)
        p->ports[p->nr_ports++] = (struct manifest_range){ first, last };
    else
        p->mmio[p->nr_mmio++] = (struct manifest_range){ first, last };
    return p;
}

static void expect_refused(const char *words)
{
    assert_int_equal(devices_check(&m, &handoff), PITH_E_ARG);
    if (!strstr(said, words))
        fail_msg("said '%s', wanted '%s'", said, words);
}

static void kept(void **state)
{
    static const struct { bool ports; u64 first, last; const char *words; } bad[] = {
        { false, 0xb0008000, 0xb0008fff, "pith.conf:10: mmio 0xb0008000-0xb0008fff of 'a' reaches into 0xb0000000-0xbfffffff, PCI " },
        { false, 0xd02ff000, 0xd02fffff, "0xd0000000-0xd02fffff, the screen - take that out" },
        { false, 0xd0300000, 0xd0300fff, "the screen's device" }, /* below the picture, the same function */
        { false, 0xe0002000, 0xe0002fff, "the screen's device" },
        { true, 0x87f, 0x880, "power management" },
        { true, 0x60ff, 0x60ff, "PCI device 00:02.0, which could write to all memory - take it out, or write dma = trusted" },
        { false, 0xe0000000, 0xe0001fff, "PCI device 00:03.0" },
    };

    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        fresh(state);
        give(0, bad[i].ports, bad[i].first, bad[i].last);
        expect_refused(bad[i].words);
    }
    fresh(state);
    give(0, false, 0xd1000000, 0xd1000fff);
    give(1, true, 0x2f8, 0x2ff);
    assert_int_equal(devices_check(&m, &handoff), PITH_OK);
    assert_string_equal(said, "");
}

static void no_screen(void **state)
{
    (void)state;
    handoff.fb.format = HANDOFF_FB_NONE;
    give(0, false, 0xe0002000, 0xe0002fff)->flags = MANIFEST_DMA_TRUSTED;
    assert_int_equal(devices_check(&m, &handoff), PITH_OK);
}

static void trusted(void **state)
{
    (void)state;
    give(0, false, 0xe0000000, 0xe0000fff)->flags = MANIFEST_DMA_TRUSTED;
    give(0, true, 0x6000, 0x60ff);
    assert_int_equal(devices_check(&m, &handoff), PITH_OK);
    assert_int_equal(devices_create(&parts[0]), PITH_OK);
    assert_non_null(strstr(said, "a is NOT ISOLATED"));
    said[0] = 0;
    assert_int_equal(devices_create(&parts[1]), PITH_OK);
    assert_string_equal(said, "");

    commands[F2] = PCI_CMD_INTX_OFF | 0x40;
    devices_start(&parts[1]);
    assert_int_equal(commands[F2], PCI_CMD_INTX_OFF | 0x40);
    devices_start(&parts[0]);
    assert_int_equal(commands[F2], 0x40 | PCI_CMD_PORTS | PCI_CMD_MEMORY | PCI_CMD_MASTER);
    assert_int_equal(commands[F3], 0);
    devices_stop(&parts[0]);
    assert_int_equal(commands[F2] & (PCI_CMD_MASTER | PCI_CMD_INTX_OFF), PCI_CMD_INTX_OFF);
}

/* Who has a part of a function has its bus mastering, and its other half. */
static void shared(void **state)
{
    (void)state;
    give(0, false, 0xe0000000, 0xe0000fff)->flags = MANIFEST_DMA_TRUSTED;
    give(1, true, 0x6000, 0x60ff)->flags = MANIFEST_DMA_TRUSTED;
    expect_refused("pith.conf:20: ports 0x6000-0x60ff of 'b' reaches into 0x6000-0x60ff of PCI device 00:02.0, "
                   "of which another partition has a part");
}

static void frames(void **state)
{
    struct manifest_partition *p = give(0, false, 0xe0000000, 0xe0000fff);

    (void)state;
    assert_in_range(devices_frames(p), 3, 16);
    give(0, false, GIB(8), GIB(10) - 1);
    assert_in_range(devices_frames(p), 2 * 512 + 2 + 6, 4096);
    assert_int_equal(devices_frames(&m.partitions[1]), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = { T(kept), T(no_screen), T(trusted), T(shared), T(frames) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
