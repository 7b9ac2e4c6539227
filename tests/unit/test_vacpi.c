/* SPDX-License-Identifier: MIT */
/*
 * The guest's ACPI tables, read back by offsets of the specification.
 * LINK: boot/image/vacpi.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/image/vacpi.h"
#include "hv/abi/platform.h"
#include "hv/lib/types.h"

#define GPA 0xbfff0000ull

static u8 page[VACPI_SIZE + 16];
static size_t used;

static u64 get(const u8 *p, u32 bytes)
{
    u64 v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static u8 sum(const u8 *p, size_t len)
{
    u8 s = 0;

    while (len--)
        s = (u8)(s + *p++);
    return s;
}

static const u8 *table_at(gpa_t gpa, const char *signature)
{
    const u8 *t = page + (gpa - GPA);

    assert_true(gpa >= GPA && gpa + 36 <= GPA + used && gpa % 16 == 0);
    assert_memory_equal(t, signature, 4);
    assert_true(gpa + get(t + 4, 4) <= GPA + used);
    assert_int_equal(sum(t, get(t + 4, 4)), 0);
    return t;
}

static const u8 *table(u32 index, const char *signature)
{
    const u8 *xsdt = table_at(get(page + 24, 8), "XSDT");

    assert_int_equal(get(xsdt + 4, 4), 36 + 2 * 8);
    return table_at(get(xsdt + 36 + 8 * index, 8), signature);
}

static void build(u32 nr_vcpus)
{
    memset(page, 0xa5, sizeof(page));
    used = vacpi_build(page, GPA, nr_vcpus);
    assert_true(used > 0 && used <= VACPI_SIZE);
    assert_int_equal(page[VACPI_SIZE], 0xa5);
}

static void test_rsdp(void **state)
{
    (void)state;
    build(1);
    assert_memory_equal(page, "RSD PTR ", 8);
    assert_int_equal(page[15], 2);
    assert_int_equal(get(page + 16, 4), 0);
    assert_int_equal(get(page + 20, 4), 36);
    assert_int_equal(sum(page, 20), 0);
    assert_int_equal(sum(page, 36), 0);
}

static void test_fadt(void **state)
{
    const u8 *f, *dsdt, *facs;

    (void)state;
    build(1);
    f = table(0, "FACP");
    dsdt = table_at(get(f + 140, 8), "DSDT");
    facs = page + (get(f + 36, 4) - GPA);
    assert_memory_equal(facs, "FACS\x40\0\0\0", 8);
    assert_int_equal(get(f + 36, 4) % 64, 0);
    assert_int_equal(get(f + 132, 8), 0); /* one of the two */
    assert_int_equal(get(f + 4, 4), 276);
    assert_int_equal(f[8], 6);
    assert_int_equal(f[131], 5);
    assert_int_equal(get(f + 40, 4), GPA + (u64)(dsdt - page));
    assert_int_equal(get(f + 46, 2), 9);
    assert_int_equal(get(f + 48, 4), 0); /* in ACPI mode for good */
    assert_int_equal(get(f + 56, 4), 0x600);
    assert_int_equal(get(f + 64, 4), 0x604);
    assert_int_equal(get(f + 76, 4), 0x608);
    assert_int_equal(get(f + 80, 8), 0);
    assert_memory_equal(f + 88, "\x04\x02\0\x04\0\0\0\0", 8);
    assert_int_equal(get(f + 112, 4), 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10);
    assert_int_equal(get(f + 109, 2), 1 | 1 << 2); /* a serial port, no VGA, no 8042, but a CMOS clock */
    assert_int_equal(f[108], 0x32);
    assert_int_equal(get(f + 96, 2), 101);
    assert_int_equal(get(f + 98, 2), 1001);
    assert_memory_equal(f + 116, "\x01\x08\x00\x01\x0c\x06\0\0\0\0\0\0\x01", 13);   /* reset: byte 1 to port 60ch */
    assert_memory_equal(f + 148, "\x01\x20\x00\x02\x00\x06\0\0\0\0\0", 12);         /* PM1a event */
    assert_memory_equal(f + 172, "\x01\x10\x00\x02\x04\x06\0\0\0\0\0", 12);         /* PM1a control */
    assert_memory_equal(f + 208, "\x01\x20\x00\x03\x08\x06\0\0\0\0\0", 12);         /* timer */
    for (u32 i = 220; i < 268; i++)
        assert_int_equal(f[i], 0);
}

static void test_madt(void **state)
{
    static const u32 counts[] = { 1, 2, 16, 255 };

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
        const u8 *m, *p;

        build(counts[c]);
        m = table(1, "APIC");
        p = m + 44;
        assert_int_equal(get(m + 36, 4), 0xfee00000);
        assert_int_equal(get(m + 40, 4), 1); /* 8259s too */
        for (u32 i = 0; i < counts[c]; i++, p += 8) {
            assert_int_equal(get(p, 2), 0x0800);
            assert_int_equal(p[2], i);
            assert_int_equal(p[3], i);
            assert_int_equal(get(p + 4, 4), 1);
        }
        assert_int_equal(get(p, 4), 0x00000c01);
        assert_int_equal(get(p + 4, 4), 0xfec00000);
        assert_int_equal(get(p + 8, 4), 0);
        assert_memory_equal(p + 12, "\x02\x0a\0\0\x02\0\0\0\0\0", 10); /* ISA's IRQ 0 is pin 2 */
        assert_ptr_equal(p + 22, m + get(m + 4, 4));
        assert_ptr_equal(p + 22, page + used);
    }
}

static void test_too_many_vcpus(void **state)
{
    (void)state;
    assert_int_equal(vacpi_build(page, GPA, 256), 0);
}

static void test_high_address(void **state)
{
    const u8 *xsdt;

    (void)state;
    used = vacpi_build(page, 0x123450000ull, 1);
    xsdt = page + (get(page + 24, 8) - 0x123450000ull);
    assert_memory_equal(xsdt, "XSDT", 4);
    assert_int_equal(get(page + (get(xsdt + 36, 8) - 0x123450000ull) + 40, 4), 0);
}

/* AML package length: bits 7:6 of the first byte say how many follow; it counts itself. */
static size_t package(const u8 *p, size_t *self)
{
    *self = (size_t)(p[0] >> 6) + 1;
    if (*self == 1)
        return p[0] & 0x3f;
    assert_int_equal(*self, 2);
    return (p[0] & 0xfu) | (size_t)p[1] << 4;
}

static const u8 *find(const u8 *p, const u8 *end, const void *what, size_t len)
{
    for (; p + len <= end; p++)
        if (!memcmp(p, what, len))
            return p;
    fail_msg("not found");
    return NULL;
}

/* Checks the nesting of a device, returns its end. */
static const u8 *check_device(const u8 *p, const char *name, const u8 *crs, size_t crs_len)
{
    size_t self, len;
    const u8 *end, *res;

    assert_int_equal(get(p, 2), 0x825b);
    len = package(p + 2, &self);
    end = p + 2 + len;
    assert_memory_equal(p + 2 + self, name, 4);
    res = find(p, end, "_CRS\x11", 5) + 5;
    len = package(res, &self);
    assert_ptr_equal(res + len, end);
    assert_int_equal(res[self], 0x0a);
    assert_int_equal(res[self + 1], crs_len);
    assert_int_equal(len, self + 2 + crs_len);
    assert_memory_equal(res + self + 2, crs, crs_len);
    return end;
}

static void test_dsdt(void **state)
{
    static const u8 com1[] = {
        0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8, 0x22, 0x10, 0, 0x79, 0,
    };
    static const u8 rtc[] = { 0x47, 1, 0x70, 0, 0x70, 0, 1, 2, 0x22, 0, 0, 0x79, 0 };
    static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, 5, 0, 0, 0 };
    const u8 *d, *p, *end;
    size_t self;

    (void)state;
    build(1);
    d = table_at(get(table(0, "FACP") + 140, 8), "DSDT");
    end = d + get(d + 4, 4) - sizeof(s5);
    assert_memory_equal(end, s5, sizeof(s5));
    assert_int_equal(d[8], 2);
    p = d + 36;
    assert_int_equal(*p++, 0x10);
    assert_ptr_equal(p + package(p, &self), end);
    p += self;
    assert_memory_equal(p, "\\_SB_", 5);
    find(p, end, "_HID\x0c\x41\xd0\x05\x01", 9); /* PNP0501 */
    find(p, end, "_HID\x0c\x41\xd0\x0b\x00", 9); /* PNP0B00 */
    p = check_device(p + 5, "COM1", com1, sizeof(com1));
    p = check_device(p, "RTC_", rtc, sizeof(rtc));
    assert_ptr_equal(p, end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsdp), cmocka_unit_test(test_fadt), cmocka_unit_test(test_madt),
        cmocka_unit_test(test_too_many_vcpus), cmocka_unit_test(test_high_address),
        cmocka_unit_test(test_dsdt),
    };

    return cmocka_run_group_tests_name("vacpi", tests, NULL, NULL);
}
