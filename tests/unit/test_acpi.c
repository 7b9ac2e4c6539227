/* SPDX-License-Identifier: MIT */
/*
 * The ACPI table reader against good, old, damaged and lying tables in a small piece of pretended physical memory.
 * LINK: boot/acpi.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "boot/acpi.h"
#include "boot/say.h"
#include "tests/unit/acpi_memory.h"

enum { RSDP = BASE, RSDT = BASE + 0x100, XSDT = BASE + 0x200, MADT = BASE + 0x300, HPET = BASE + 0x500,
       FADT = BASE + 0x600, DSDT = BASE + 0x800, MCFG = BASE + 0x2000, DMAR = BASE + 0x2100, IVRS = BASE + 0x2200,
       TPM2 = BASE + 0x2300 };

static u32 warnings;

void say(const char *fmt, ...)
{
    (void)fmt;
    warnings++;
}

static void build_madt(void)
{
    static const u8 entries[] = {
        0, 8, 0, 0, 1, 0, 0, 0,                          /* a processor: not of interest here */
        1, 12, 9, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0, /* I/O APIC at fec00000, from GSI 0 */
        1, 12, 10, 0, 0x00, 0x10, 0xc0, 0xfe, 24, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                   /* ISA 0 is GSI 2, as the bus has it */
        2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,                /* ISA 9: level, low */
        2, 10, 0, 77, 9, 0, 0, 0, 0x0f, 0,               /* no such ISA interrupt */
    };

    memcpy(at(MADT + 44), entries, sizeof(entries));
    finish(MADT, "APIC", 44 + sizeof(entries));
}

static void build_fadt(void)
{
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    *at(FADT + 52) = 0xf1;
    put(FADT + 56, 0x600, 4);
    put(FADT + 64, 0x604, 4);
    *at(FADT + 88) = 4;
    put(FADT + 76, 0x608, 4);
    put(FADT + 112, 1u << 10, 4);
    *at(FADT + 116) = HANDOFF_IO;
    put(FADT + 120, 0xcf9, 8);
    *at(FADT + 128) = 0x0f;
    finish(FADT, "FACP", 244);
}

static void build_dsdt(u32 pad, const u8 *s5, u32 len)
{
    memset(at(DSDT), 0, SIZE - (DSDT - BASE));
    memcpy(at(DSDT + 36 + pad), s5, len);
    finish(DSDT, "DSDT", 36 + pad + len + 20);
}

static const u8 s5_good[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00 };

static int build(void **state)
{
    (void)state;
    warnings = 0;
    memset(memory, 0, sizeof(memory));
    memcpy(at(RSDP), "RSD PTR ", 8);
    *at(RSDP + 15) = 2;
    put(RSDP + 16, RSDT, 4);
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, XSDT, 8);
    sum(RSDP, 20, 8);
    sum(RSDP, 36, 32);
    put(RSDT + 36, FADT, 4);
    finish(RSDT, "RSDT", 40);
    put(XSDT + 36, MADT, 8);
    put(XSDT + 44, HPET, 8);
    put(XSDT + 52, FADT, 8);
    finish(XSDT, "XSDT", 60);
    put(HPET + 44, 0xfed00000, 8);
    finish(HPET, "HPET", 56);
    build_madt();
    build_fadt();
    build_dsdt(0, s5_good, sizeof(s5_good));
    return 0;
}

static struct acpi_info parse(hpa_t rsdp)
{
    struct acpi_info info;

    memset(&info, 0xaa, sizeof(info));
    acpi_parse(rsdp, read_memory, &info);
    return info;
}

static bool is_kept(const struct acpi_info *i, u64 first, u64 last, bool ports)
{
    for (u32 k = 0; k < i->nr_kept; k++)
        if (i->kept[k].first == first && i->kept[k].last == last && i->kept[k].ports == ports)
            return true;
    return false;
}

/* One more table in the place of @signature's, which are the last of the XSDT. */
static void add_table(hpa_t hpa, const char *signature, const u8 *content, u32 size, u32 entry)
{
    memcpy(at(hpa + 36), content, size);
    finish(hpa, signature, 36 + size);
    put(XSDT + 60 + 8 * entry, hpa, 8);
    finish(XSDT, "XSDT", 68 + 8 * entry);
}

static void test_kept(void **state)
{
    static const u8 mcfg[] = { 0, 0, 0, 0, 0, 0, 0, 0, /* e0000000, segment 0, buses 1 to 3; the last entry is cut */
                               0, 0, 0, 0xe0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0xd0, 0, 0, 0, 0 };
    static const u8 dmar[] = { 38, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                               0, 0, 16, 0, 0, 1, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, /* 2 pages at fed90000 */
                               1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0x7c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7c, 0, 0, 0, 0 };
    static const u8 ivrs[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                               0x11, 0, 24, 0, 2, 0, 0x40, 0, 0, 0, 0xb8, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                               0x20, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0x10, 0xfe, 0, 0, 0, 0, 0x10, 0, 0, 0 /* no length */ };
    static const u8 tpm2[] = { 0, 0, 0, 0, 0x40, 0, 0x50, 0xfe, 0, 0, 0, 0, 7, 0, 0, 0 };
    struct acpi_info i;

    (void)state;
    add_table(MCFG, "MCFG", mcfg, sizeof(mcfg), 0);
    add_table(DMAR, "DMAR", dmar, sizeof(dmar), 1);
    add_table(IVRS, "IVRS", ivrs, sizeof(ivrs), 2);
    add_table(TPM2, "TPM2", tpm2, sizeof(tpm2), 3);
    i = parse(RSDP);
    assert_true(is_kept(&i, 0xe0100000, 0xe03fffff, false));
    assert_true(is_kept(&i, 0xfed90000, 0xfed91fff, false));
    assert_true(is_kept(&i, 0xfeb80000, 0xfebfffff, false));
    assert_true(is_kept(&i, 0xfe500000, 0xfe504fff, false));
    assert_true(is_kept(&i, 0xfec01000, 0xfec01fff, false));
    assert_true(is_kept(&i, 0xfed00000, 0xfed003ff, false));
    assert_true(is_kept(&i, 0x600, 0x67f, true)); /* once, although two registers lie in it */
    assert_true(is_kept(&i, 0xb2, 0xb3, true));
    assert_true(is_kept(&i, 0xcf9, 0xcfc, true));
    assert_int_equal(i.nr_kept, 10);
}

/* More than there is room for: then it is everything. */
static void test_all_is_kept(void **state)
{
    struct acpi_info i = { 0 };

    (void)state;
    for (u32 n = 1; n <= ACPI_MAX_KEPT + 5; n++)
        acpi_keep(&i, n * MIB(1), 16, false, "");
    assert_int_equal(i.nr_kept, ACPI_MAX_KEPT);
    assert_true(is_kept(&i, 0, ~0ull, false) && is_kept(&i, 0, ~0ull, true));
    i = (struct acpi_info){ 0 };
    acpi_keep(&i, ~0ull - 5, 100, false, "");
    assert_true(is_kept(&i, ~0ull - 5, ~0ull, false));
}

static void test_all_tables(void **state)
{
    struct acpi_info i = parse(RSDP);

    (void)state;
    assert_true(i.found);
    assert_int_equal(i.machine.nr_ioapics, 2);
    assert_int_equal(i.machine.ioapics[0].base, 0xfec00000);
    assert_int_equal(i.machine.ioapics[1].base, 0xfec01000);
    assert_int_equal(i.machine.ioapics[1].gsi_base, 24);
    assert_int_equal(i.machine.isa[0].gsi, 2);
    assert_false(i.machine.isa[0].level || i.machine.isa[0].active_low);
    assert_true(i.machine.isa[9].level && i.machine.isa[9].active_low);
    assert_int_equal(i.machine.isa[4].gsi, 4);
    assert_int_equal(i.hpet, 0xfed00000);
    assert_int_equal(i.pm_timer, 0x608);
    assert_int_equal(i.machine.pm1a_cnt, 0x604);
    assert_int_equal(i.machine.pm1b_cnt, 0);
    assert_int_equal(i.machine.pm1a_evt, 0x600);
    assert_int_equal(i.machine.pm1b_evt, 0);
    assert_int_equal(i.machine.pm1_evt_len, 4);
    assert_int_equal(i.machine.smi_cmd, 0xb2);
    assert_int_equal(i.machine.acpi_enable, 0xf1);
    assert_int_equal(i.machine.reset, 0xcf9);
    assert_int_equal(i.machine.reset_value, 0x0f);
    assert_true(i.machine.has_s5);
    assert_int_equal(i.machine.s5_typ_a, 5);
    assert_int_equal(i.machine.s5_typ_b, 0);
    assert_int_equal(warnings, 0);
}

static void test_none(void **state)
{
    struct acpi_info i = parse(0);

    (void)state;
    assert_false(i.found);
    assert_int_equal(i.machine.isa[15].gsi, 15);
    assert_int_equal(i.machine.nr_ioapics, 0);
    assert_int_equal(warnings, 0);
}

static void test_old_root(void **state)
{
    struct acpi_info i;

    (void)state;
    *at(RSDP + 15) = 0;
    sum(RSDP, 20, 8);
    i = parse(RSDP);
    assert_true(i.found);
    assert_int_equal(i.machine.nr_ioapics, 0); /* the RSDT names the FADT only */
    assert_int_equal(i.pm_timer, 0x608);
}

static void test_damaged_xsdt_falls_back(void **state)
{
    struct acpi_info i;

    (void)state;
    *at(XSDT + 9) ^= 1;
    i = parse(RSDP);
    assert_true(i.found);
    assert_int_equal(i.hpet, 0);
    assert_int_equal(i.pm_timer, 0x608);
    assert_int_equal(warnings, 1);
}

static void test_damaged_root(void **state)
{
    (void)state;
    *at(RSDP + 8) ^= 1;
    assert_false(parse(RSDP).found);
    assert_int_equal(warnings, 1);
}

static void test_one_damaged_table(void **state)
{
    struct acpi_info i;

    (void)state;
    *at(HPET + 44) ^= 1;
    i = parse(RSDP);
    assert_int_equal(i.hpet, 0);
    assert_int_equal(i.machine.nr_ioapics, 2);
    assert_int_equal(warnings, 1);
}

static void test_lengths(void **state)
{
    static const u32 lengths[] = { 0, 35, 0x7fffffff, 0xffffffff };

    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(lengths); k++) {
        put(MADT + 4, lengths[k], 4);
        assert_int_equal(parse(RSDP).machine.nr_ioapics, 0);
        assert_int_equal(parse(RSDP).hpet, 0xfed00000);
    }
    put(MADT + 4, SIZE, 4); /* plausible, but the memory ends before */
    assert_int_equal(parse(RSDP).machine.nr_ioapics, 0);
}

static void test_madt_entry_lengths(void **state)
{
    struct acpi_info i;

    (void)state;
    *at(MADT + 44 + 8 + 1) = 0; /* the first I/O APIC's length: an endless walk for the careless */
    finish(MADT, "APIC", 44 + 62);
    assert_int_equal(parse(RSDP).machine.nr_ioapics, 0);
    assert_int_equal(warnings, 1);

    build_madt();
    *at(MADT + 44 + 8 + 12 + 1) = 200; /* the second one leaves the table */
    finish(MADT, "APIC", 44 + 62);
    i = parse(RSDP);
    assert_int_equal(i.machine.nr_ioapics, 1);
    assert_int_equal(i.machine.isa[0].gsi, 0);
}

static void test_many_ioapics(void **state)
{
    (void)state;
    for (u32 k = 0; k < 12; k++) {
        *at(MADT + 44 + 12 * k) = 1;
        *at(MADT + 45 + 12 * k) = 12;
    }
    finish(MADT, "APIC", 44 + 12 * 12);
    assert_int_equal(parse(RSDP).machine.nr_ioapics, HANDOFF_IOAPICS);
}

static void test_tables_outside_memory(void **state)
{
    struct acpi_info i;

    (void)state;
    put(XSDT + 36, 0xfffffffffffffff0ull, 8);
    put(XSDT + 44, 0, 8);
    finish(XSDT, "XSDT", 60);
    i = parse(RSDP);
    assert_int_equal(i.machine.nr_ioapics, 0);
    assert_int_equal(i.pm_timer, 0x608);
    assert_false(parse(0xfffffffffffffff0ull).found);
}

static void test_x_fields_win(void **state)
{
    struct acpi_info i;

    (void)state;
    *at(FADT + 172) = HANDOFF_IO;
    put(FADT + 176, 0x1804, 8);
    *at(FADT + 208) = HANDOFF_MEMORY; /* a PM timer in memory is of no use here */
    put(FADT + 212, 0xfed80808, 8);
    finish(FADT, "FACP", 244);
    i = parse(RSDP);
    assert_int_equal(i.machine.pm1a_cnt, 0x1804);
    assert_int_equal(i.pm_timer, 0);
}

static void test_short_fadt(void **state)
{
    struct acpi_info i;

    (void)state;
    finish(FADT, "FACP", 116); /* revision 1: no reset register, no 64-bit fields; what lies behind is not the table's */
    i = parse(RSDP);
    assert_int_equal(i.machine.pm1a_cnt, 0x604);
    assert_int_equal(i.machine.reset, 0);
    assert_true(i.machine.has_s5);
}

static void test_s5_anywhere(void **state)
{
    (void)state;
    for (u32 pad = 0; pad < 1100; pad++) {
        build_dsdt(pad, s5_good, sizeof(s5_good));
        assert_true(parse(RSDP).machine.has_s5);
    }
}

static void test_s5_forms(void **state)
{
    static const u8 zero_one[] = { '_', 'S', '5', '_', 0x12, 0x04, 0x02, 0x00, 0x01 };
    static const u8 long_length[] = { '_', 'S', '5', '_', 0x12, 0x47, 0x00, 0x04, 0x0a, 0x07, 0x0a, 0x07 };
    static const u8 no_package[] = { '_', 'S', '5', '_', 0x14, 0x06, 0x04, 0x0a, 0x05, 0x00 };
    static const u8 too_big[] = { '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x08, 0x00 };
    static const u8 one_element[] = { '_', 'S', '5', '_', 0x12, 0x06, 0x01, 0x0a, 0x05, 0x00 };

    (void)state;
    build_dsdt(3, zero_one, sizeof(zero_one));
    assert_true(parse(RSDP).machine.has_s5);
    assert_int_equal(parse(RSDP).machine.s5_typ_b, 1);
    build_dsdt(3, long_length, sizeof(long_length));
    assert_int_equal(parse(RSDP).machine.s5_typ_a, 7);
    build_dsdt(3, no_package, sizeof(no_package));
    assert_false(parse(RSDP).machine.has_s5);
    build_dsdt(3, too_big, sizeof(too_big));
    assert_false(parse(RSDP).machine.has_s5);
    build_dsdt(3, one_element, sizeof(one_element));
    assert_false(parse(RSDP).machine.has_s5);
}

static void test_s5_cut_short(void **state)
{
    (void)state;
    for (u32 len = 4; len <= 12; len++) {
        memset(at(DSDT), 0, SIZE - (DSDT - BASE));
        memcpy(at(DSDT + 36), s5_good + 1, len);
        memset(at(DSDT + 36 + len), 0xff, 40); /* behind the table */
        finish(DSDT, "DSDT", 36 + len);
        assert_int_equal(parse(RSDP).machine.has_s5, len >= 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_tables, build),
        cmocka_unit_test_setup(test_kept, build),
        cmocka_unit_test_setup(test_all_is_kept, build),
        cmocka_unit_test_setup(test_none, build),
        cmocka_unit_test_setup(test_old_root, build),
        cmocka_unit_test_setup(test_damaged_xsdt_falls_back, build),
        cmocka_unit_test_setup(test_damaged_root, build),
        cmocka_unit_test_setup(test_one_damaged_table, build),
        cmocka_unit_test_setup(test_lengths, build),
        cmocka_unit_test_setup(test_madt_entry_lengths, build),
        cmocka_unit_test_setup(test_many_ioapics, build),
        cmocka_unit_test_setup(test_tables_outside_memory, build),
        cmocka_unit_test_setup(test_x_fields_win, build),
        cmocka_unit_test_setup(test_short_fadt, build),
        cmocka_unit_test_setup(test_s5_anywhere, build),
        cmocka_unit_test_setup(test_s5_forms, build),
        cmocka_unit_test_setup(test_s5_cut_short, build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
