/* SPDX-License-Identifier: MIT */
/*
 * Cores out of ACPI tables, whole and damaged.
 * LINK: boot/madt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/madt.h"

static u8 rsdp[36], xsdt[36 + 3 * 8], madt[256], other[36];
static u32 length;
static struct handoff_cpu cpus[8];

static void put32(u8 *at, u32 val) { memcpy(at, &val, 4); }

static void lapic(u8 id, u32 flags)
{
    u8 *e = madt + length;

    e[0] = 0;
    e[1] = 8;
    e[2] = (u8)~id; /* the ACPI processor number is something else */
    e[3] = id;
    put32(e + 4, flags);
    length += 8;
}

static void x2apic(u32 id, u32 flags)
{
    u8 *e = madt + length;

    e[0] = 9;
    e[1] = 16;
    put32(e + 4, id);
    put32(e + 8, flags);
    length += 16;
}

static void foreign(u8 type, u8 size)
{
    madt[length] = type;
    madt[length + 1] = size;
    length += size;
}

static int setup(void **state)
{
    u64 at;

    (void)state;
    memset(madt, 0, sizeof(madt));
    memset(cpus, 0xee, sizeof(cpus));
    length = 44;
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    at = (u64)xsdt;
    memcpy(rsdp + 24, &at, 8);
    memcpy(xsdt, "XSDT", 4);
    put32(xsdt + 4, sizeof(xsdt));
    memcpy(other, "FACP", 4);
    at = (u64)other;
    memcpy(xsdt + 36, &at, 8);
    memset(xsdt + 44, 0, 8); /* firmware leaves holes */
    at = (u64)madt;
    memcpy(xsdt + 52, &at, 8);
    memcpy(madt, "APIC", 4);
    return 0;
}

static u32 list(u32 self, u32 max)
{
    put32(madt + 4, length);
    return madt_cpus((u64)rsdp, self, cpus, max, 1);
}

static void both_kinds(void **state)
{
    (void)state;
    lapic(4, 1);
    foreign(1, 12); /* an I/O APIC */
    lapic(0, 1);    /* this one */
    lapic(6, 0);    /* disabled */
    lapic(7, 2);    /* could be plugged in */
    x2apic(300, 1);
    x2apic(301, 0);
    x2apic(4, 1);   /* listed twice */
    assert_int_equal(list(0, 8), 3);
    assert_int_equal(cpus[0].apic_id, 0xeeeeeeee); /* the caller's */
    assert_int_equal(cpus[1].apic_id, 4);
    assert_int_equal(cpus[1].flags, 0);
    assert_int_equal(cpus[2].apic_id, 300);
    assert_int_equal(cpus[3].apic_id, 0xeeeeeeee);
}

/* Beyond what a local APIC entry can name; no core has the name of all. */
static void wide(void **state)
{
    (void)state;
    lapic(1, 1);
    lapic(0xff, 0); /* as in the tables of such machines: what is listed below as an x2APIC */
    x2apic(0xff, 1);
    x2apic(0x100, 1);
    x2apic(0x1ff, 1);  /* this one */
    x2apic(0x101, 1);  /* not 1 */
    x2apic(0xfffffffe, 1);
    x2apic(0xffffffff, 1);
    assert_int_equal(list(0x1ff, 8), 6);
    assert_int_equal(cpus[1].apic_id, 1);
    assert_int_equal(cpus[2].apic_id, 0xff);
    assert_int_equal(cpus[3].apic_id, 0x100);
    assert_int_equal(cpus[4].apic_id, 0x101);
    assert_int_equal(cpus[5].apic_id, 0xfffffffe);
}

static void counts_beyond(void **state)
{
    (void)state;
    lapic(1, 1);
    lapic(2, 1);
    lapic(3, 1);
    assert_int_equal(list(0, 2), 4);
    assert_int_equal(cpus[1].apic_id, 1);
    assert_int_equal(cpus[2].apic_id, 0xeeeeeeee);
    put32(madt + 4, length);
    assert_int_equal(madt_cpus((u64)rsdp, 0, NULL, 0, 1), 4);
}

static void damaged(void **state)
{
    (void)state;
    lapic(1, 1);
    foreign(5, 0); /* no length: not for ever */
    length += 2;
    lapic(2, 1);
    assert_int_equal(list(0, 8), 2);
    length = 44;
    lapic(1, 1);
    lapic(2, 1);
    length -= 1; /* the last one is cut off */
    assert_int_equal(list(0, 8), 2);
    length = 0;
    assert_int_equal(list(0, 8), 1);
}

static void no_table(void **state)
{
    (void)state;
    lapic(1, 1);
    assert_int_equal(madt_cpus(0, 0, cpus, 8, 1), 1);
    memcpy(madt, "CIPA", 4);
    assert_int_equal(list(0, 8), 1);
    memcpy(madt, "APIC", 4);
    put32(xsdt + 4, 36 + 2 * 8); /* does not list it */
    assert_int_equal(list(0, 8), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_kinds, setup), cmocka_unit_test_setup(counts_beyond, setup),
        cmocka_unit_test_setup(wide, setup),
        cmocka_unit_test_setup(damaged, setup),    cmocka_unit_test_setup(no_table, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
