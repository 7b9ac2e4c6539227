/* SPDX-License-Identifier: MIT */
/*
 * What may be given to a partition on one pretended machine.
 * LINK: boot/devices.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "boot/devices.h"
#include "boot/pci.h"
#include "tests/unit/two_partitions.h"

/* 00:02.0 has memory and ports; 00:03.0 memory; 00:04.0 is the screen: its picture and registers. */
enum { F2 = 0x10, F3 = 0x18, SCREEN = 0x20 };
static const struct { u32 function; struct pci_bar bar; } bars[] = {
    { F2, { 0xe0000000, 0xe0000fff, false } }, { F2, { 0x6000, 0x60ff, true } }, { F3, { 0xe0001000, 0xe0001fff, false } },
    { SCREEN, { 0xd0000000, 0xd0ffffff, false } }, { SCREEN, { 0xe0002000, 0xe0002fff, false } },
};
static struct acpi_info acpi = { .nr_kept = 2, .kept = {
    { 0xb0000000, 0xbfffffff, false, "PCI configuration" }, { 0x800, 0x87f, true, "power management" },
} };
static const struct handoff_range ranges[] = {
    { 0, 0x80000000, HANDOFF_FREE, 0 }, { 0xa0000000, 0x1000, HANDOFF_RESERVED, 0 },
};
static struct devices_of machine;
static char said[4096];

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
static void note(void *ctx, const struct manifest_place *at, const char *text)
{
    size_t len = strlen(said);

    assert_ptr_equal(ctx, &m);
    snprintf(said + len, sizeof(said) - len, "%u: %s: %s\n", at->part->line, at->key, text);
}

static int fresh(void **state)
{
    (void)state;
    two_partitions();
    machine = (struct devices_of){ .ranges = ranges, .nr_ranges = ARRAY_SIZE(ranges), .acpi = &acpi };
    machine.fb = (struct handoff_fb){ .base = 0xd0000000, .width = 1024, .height = 768, .pitch = 4096, .bytes = 4 };
    said[0] = 0;
    return 0;
}

static void expect_refused(const char *words)
{
    devices_examine(&m, &machine, note, &m);
    if (!strstr(said, words))
        fail_msg("said '%s', wanted '%s'", said, words);
}

static void expect_given(void)
{
    devices_examine(&m, &machine, note, &m);
    assert_string_equal(said, "");
}

static void kept(void **state)
{
    static const struct { bool ports; u64 first, last; const char *words; } bad[] = {
        { false, 0xb0008000, 0xb0008fff, "10: mmio: mmio 0xb0008000-0xb0008fff of 'a' reaches into 0xb0000000-0xbfffffff, PCI " },
        { false, 0xd02ff000, 0xd02fffff, "0xd0000000-0xd02fffff, the screen - take that out" },
        { false, 0xd0300000, 0xd0300fff, "the screen's device" }, /* below the picture, the same function */
        { false, 0xe0002000, 0xe0002fff, "the screen's device" },
        { false, 0x7ffff000, 0x7fffffff, "0x0-0x7fffffff, RAM - take that out" },
        { false, 0xa0000000, 0xa0000fff, "what the firmware keeps" },
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
    expect_given();
}

/* Pith's own line: at ports, in memory, and with the whole PCI function that it is of. */
static void own_line(void **state)
{
    static const struct { struct handoff_serial line; bool ports; u64 first, last; const char *words; } bad[] = {
        { { .base = 0x2f8, .space = HANDOFF_IO, .stride = 1, .bits = 8 }, true, 0x2ff, 0x300, "0x2f8-0x2ff, Pith's console, which" },
        { { .base = 0xe0009000, .stride = 4, .bits = 32 }, false, 0xe0009000, 0xe0009fff, "0xe0009000-0xe000901f, Pith's console" },
        { { .base = 0x6008, .space = HANDOFF_IO, .stride = 1, .bits = 8 }, false, 0xe0000000, 0xe0000fff, "the device of Pith's console" },
    };

    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        fresh(state);
        machine.serial = bad[i].line;
        give(0, bad[i].ports, bad[i].first, bad[i].last)->flags = MANIFEST_DMA_TRUSTED;
        expect_refused(bad[i].words);
    }
    fresh(state);
    machine.serial = bad[0].line;
    give(0, true, 0x3f8, 0x3ff);
    give(0, true, 0x300, 0x307);
    expect_given();
}

static void no_screen(void **state)
{
    (void)state;
    machine.fb.bytes = 0;
    give(0, false, 0xe0002000, 0xe0002fff)->flags = MANIFEST_DMA_TRUSTED;
    expect_given();
}

static void trusted(void **state)
{
    const struct manifest_partition *p = &m.partitions[0];

    (void)state;
    give(0, false, 0xe0000000, 0xe0000fff)->flags = MANIFEST_DMA_TRUSTED;
    give(0, true, 0x6000, 0x60ff);
    give(0, false, 0xe0001000, 0xe0001fff);
    expect_given();
    assert_int_equal(p->nr_functions, 2);
    assert_int_equal(p->functions[0].number, F2);
    assert_int_equal(p->functions[0].command, PCI_CMD_PORTS | PCI_CMD_MEMORY | PCI_CMD_MASTER);
    assert_int_equal(p->functions[1].number, F3);
    assert_int_equal(p->functions[1].command, PCI_CMD_MEMORY | PCI_CMD_MASTER);
    assert_int_equal(m.partitions[1].nr_functions, 0);
}

static void too_many(void **state)
{
    struct manifest_partition *p = give(0, false, 0xe0000000, 0xe0000fff);

    (void)state;
    p->flags = MANIFEST_DMA_TRUSTED;
    p->nr_functions = MANIFEST_FUNCTIONS;
    expect_refused("one too many");
    assert_int_equal(p->nr_functions, MANIFEST_FUNCTIONS);
}

/* Who has a part of a function has its bus mastering, and its other half. */
static void shared(void **state)
{
    (void)state;
    give(0, false, 0xe0000000, 0xe0000fff)->flags = MANIFEST_DMA_TRUSTED;
    give(1, true, 0x6000, 0x60ff)->flags = MANIFEST_DMA_TRUSTED;
    expect_refused("20: ports: ports 0x6000-0x60ff of 'b' reaches into 0x6000-0x60ff of PCI device 00:02.0, "
                   "of which another partition has a part");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = { T(kept), T(own_line), T(no_screen), T(trusted), T(too_many), T(shared) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
