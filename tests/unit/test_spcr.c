/* SPDX-License-Identifier: MIT */
/*
 * SPCR and DBG2, good, old, damaged and lying.
 * LINK: boot/spcr.c boot/acpi.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/manifest.h"
#include "boot/say.h"
#include "boot/spcr.h"
#include "tests/unit/acpi_memory.h"

enum { RSDP = BASE, RSDT = BASE + 0x100, TABLE = BASE + 0x200 };

static u32 said;
static struct manifest_serial line;
static char why[160];

void say(const char *fmt, ...)
{
    (void)fmt;
    said++;
}

static void gas(hpa_t hpa, u8 space, u8 bits, u8 access, u64 address)
{
    put(hpa, space, 1);
    put(hpa + 1, bits, 1);
    put(hpa + 2, 0, 1);
    put(hpa + 3, access, 1);
    put(hpa + 4, address, 8);
}

/* COM2 by its ISA interrupt, 57600 baud; not PCI's. */
static void spcr(u8 revision, u32 len)
{
    put(TABLE + 8, revision, 1);
    gas(TABLE + 40, 1, 8, 1, 0x2f8);
    put(TABLE + 52, 1, 1);
    put(TABLE + 53, 3, 1);
    put(TABLE + 58, 6, 1);
    put(TABLE + 64, 0xffffffff, 4);
    finish(TABLE, "SPCR", len);
}

/* A debug port on the network, then a UART in memory. */
static void dbg2(void)
{
    hpa_t second = TABLE + 44 + 22;

    put(TABLE + 36, 44, 4);
    put(TABLE + 40, 2, 4);
    put(TABLE + 44 + 1, 22, 2);
    put(TABLE + 44 + 12, 0x8003, 2);
    put(second + 1, 22 + 12, 2);
    put(second + 3, 1, 1);
    put(second + 12, 0x8000, 2);
    put(second + 14, 0x12, 2);
    put(second + 18, 22, 2);
    gas(second + 22, 0, 32, 3, 0xfe034000);
    finish(TABLE, "DBG2", 44 + 22 + 34);
}

static int fresh(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memcpy(at(RSDP), "RSD PTR ", 8);
    put(RSDP + 16, RSDT, 4);
    sum(RSDP, 20, 8);
    put(RSDT + 36, TABLE, 4);
    finish(RSDT, "RSDT", 40);
    said = 0;
    return 0;
}

static bool find(u32 source)
{
    bool found = spcr_find(source, RSDP, read_memory, &line, why, sizeof(why));

    assert_int_equal(said, 0);
    return found;
}

static void expect_line(u32 source, u32 kind, u64 base, u32 stride, u32 bits, u32 irq, u32 baud, u32 clock)
{
    const struct manifest_serial want = {
        .kind = kind, .base = base, .stride = stride, .bits = bits, .irq = irq, .baud = baud, .clock = clock,
    };

    if (!find(source))
        fail_msg("%s", why);
    assert_memory_equal(&line, &want, sizeof(want));
}

static void expect_none(u32 source, const char *words)
{
    assert_false(find(source));
    if (!strstr(why, words) || (!*words && *why))
        fail_msg("said '%s', wanted '%s'", why, words);
}

static void redirection(void **state)
{
    (void)state;
    spcr(2, 80);
    expect_line(0, MANIFEST_LINE_PORTS, 0x2f8, 1, 8, 3, 57600, MANIFEST_PC_CLOCK);
    put(TABLE + 58, 0, 1);        /* as it is set */
    put(TABLE + 76, 48000000, 4); /* of no meaning in this revision */
    finish(TABLE, "SPCR", 80);
    expect_line(0, MANIFEST_LINE_PORTS, 0x2f8, 1, 8, 3, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
    put(TABLE + 58, 5, 1); /* no rate */
    put(TABLE + 52, 2, 1);
    put(TABLE + 54, 20, 4);
    finish(TABLE, "SPCR", 80);
    expect_line(0, MANIFEST_LINE_PORTS, 0x2f8, 1, 8, 20, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
    put(TABLE + 52, 0, 1);
    finish(TABLE, "SPCR", 80);
    expect_line(0, MANIFEST_LINE_PORTS, 0x2f8, 1, 8, MANIFEST_NONE, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
    finish(TABLE, "SPCR", 64); /* ends where the interrupt and the rate are told */
    expect_line(0, MANIFEST_LINE_PORTS, 0x2f8, 1, 8, MANIFEST_NONE, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
}

static void in_memory(void **state)
{
    (void)state;
    spcr(2, 80);
    put(TABLE + 36, 0x12, 1);
    gas(TABLE + 40, 0, 8, 1, 0xfe034000);
    finish(TABLE, "SPCR", 80);
    expect_line(0, MANIFEST_LINE_MEMORY, 0xfe034000, 1, 8, 3, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK); /* its clock is not known */
    gas(TABLE + 40, 0, 32, 1, 0xfe034000);
    finish(TABLE, "SPCR", 80);
    expect_line(0, MANIFEST_LINE_MEMORY, 0xfe034000, 4, 8, 3, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
    gas(TABLE + 40, 0, 8, 3, 0xfe034000);
    put(TABLE + 8, 3, 1);
    put(TABLE + 76, 48000000, 4);
    put(TABLE + 80, 3000000, 4);
    finish(TABLE, "SPCR", 88);
    expect_line(0, MANIFEST_LINE_MEMORY, 0xfe034000, 4, 32, 3, 57600, 48000000);
    put(TABLE + 8, 4, 1);
    finish(TABLE, "SPCR", 88);
    expect_line(0, MANIFEST_LINE_MEMORY, 0xfe034000, 4, 32, 3, 3000000, 48000000);
}

static void debug_port(void **state)
{
    (void)state;
    dbg2();
    expect_line(1, MANIFEST_LINE_MEMORY, 0xfe034000, 4, 32, MANIFEST_NONE, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK);
    expect_none(0, "");
    put(TABLE + 40, 1, 4); /* only the network's */
    finish(TABLE, "DBG2", 100);
    expect_none(1, "");
}

static void useless(void **state)
{
    (void)state;
    expect_none(0, ""); /* no such table */
    spcr(2, 80);
    *at(TABLE + 60) ^= 1; /* the checksum: told where all tables are read */
    expect_none(0, "");
    finish(TABLE, "SPCR", 60);
    expect_none(0, "it has 60 bytes, too few");
    put(TABLE + 36, 3, 1);
    finish(TABLE, "SPCR", 80);
    expect_none(0, "another UART than a 16550 (interface type 0x3)");
    put(TABLE + 36, 0, 1);
    gas(TABLE + 40, 1, 8, 1, 0);
    finish(TABLE, "SPCR", 80);
    expect_none(0, "no port and no memory (address 0x0 in space 1)");
    gas(TABLE + 40, 10, 8, 1, 5);
    finish(TABLE, "SPCR", 80);
    expect_none(0, "no port and no memory (address 0x5 in space 10)");
}

static void damaged_debug_port(void **state)
{
    static const struct { u32 off; u64 val; u32 size; const char *words; } wrong[] = {
        { 36, 101, 4, "" },                                     /* no entry fits */
        { 44 + 1, 21, 2, "entry at offset 44 is damaged" },     /* smaller than itself */
        { 44 + 1, 0, 2, "entry at offset 44 is damaged" },
        { 44 + 1, 0xffff, 2, "entry at offset 44 is damaged" },
        { 66 + 3, 0, 1, "entry at offset 66 is damaged" },      /* no register */
        { 66 + 18, 23, 2, "entry at offset 66 is damaged" },    /* it ends behind the entry */
        { 66 + 18, 0xffff, 2, "entry at offset 66 is damaged" },
        { 66 + 14, 3, 2, "interface type 0x3" },
    };

    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
        fresh(state);
        dbg2();
        put(TABLE + wrong[i].off, wrong[i].val, wrong[i].size);
        finish(TABLE, "DBG2", 100);
        expect_none(1, wrong[i].words);
    }
    fresh(state);
    dbg2();
    finish(TABLE, "DBG2", 40);
    expect_none(1, "it has 40 bytes, too few");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = { T(redirection), T(in_memory), T(debug_port), T(useless), T(damaged_debug_port) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
