/* SPDX-License-Identifier: MIT */
/*
 * The real-time clock against the C library's calendar.
 * LINK: hv/vdev/vrtc.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "hv/lib/types.h"
#include "hv/vdev/vrtc.h"

static struct vrtc rtc;

static u8 rd(u8 index, u64 now)
{
    vrtc_write(&rtc, 0x70, index);
    return vrtc_read(&rtc, 0x71, now);
}

static void wr(u8 index, u8 val)
{
    vrtc_write(&rtc, 0x70, index);
    vrtc_write(&rtc, 0x71, val);
}

static u32 bcd(u8 val)
{
    assert_true((val & 0xf) < 10 && val >> 4 < 10);
    return (val >> 4) * 10u + (val & 0xf);
}

static int fresh(void **state)
{
    (void)state;
    vrtc_reset(&rtc);
    return 0;
}

static void compare(u64 now)
{
    time_t t = (time_t)now;
    struct tm tm;

    gmtime_r(&t, &tm);
    assert_int_equal(bcd(rd(0x00, now)), tm.tm_sec);
    assert_int_equal(bcd(rd(0x02, now)), tm.tm_min);
    assert_int_equal(bcd(rd(0x04, now)), tm.tm_hour);
    assert_int_equal(rd(0x06, now), tm.tm_wday + 1);
    assert_int_equal(bcd(rd(0x07, now)), tm.tm_mday);
    assert_int_equal(bcd(rd(0x08, now)), tm.tm_mon + 1);
    assert_int_equal(bcd(rd(0x09, now)), tm.tm_year % 100);
    assert_int_equal(bcd(rd(0x32, now)), tm.tm_year / 100 + 19);
}

static void test_calendar(void **state)
{
    static const u64 edges[] = {
        0, 86399, 86400, 68169599, 68169600, 951782399, 951782400 /* 2000-02-29 */, 951868800,
        1767225600 /* 2026-01-01 */, 2147483647, 2147483648ull, 4107542399ull /* 2100-02-28 */,
        4107542400ull, 13574563200ull /* 2400-02-29 */, 13574649600ull,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edges); i++)
        compare(edges[i]);
    for (u64 day = 0; day < 160000; day++)
        compare(day * 86400 + day % 86400);
}

static void test_status_registers(void **state)
{
    (void)state;
    assert_int_equal(rd(0x0a, 0), 0x26);
    assert_int_equal(rd(0x0b, 0), 0x02);
    assert_int_equal(rd(0x0c, 0), 0);
    assert_int_equal(rd(0x0d, 0), 0x80);
    wr(0x0a, 0xff);
    assert_int_equal(rd(0x0a, 0), 0x7f); /* never busy updating */
    wr(0x0c, 0xff);
    wr(0x0d, 0);
    assert_int_equal(rd(0x0c, 0), 0);
    assert_int_equal(rd(0x0d, 0), 0x80);
}

static void test_binary_and_12_hours(void **state)
{
    static const u8 twelve[24] = {
        12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
        0x8c, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
    };

    (void)state;
    wr(0x0b, 0x06);
    assert_int_equal(rd(0x00, 59), 59);
    assert_int_equal(rd(0x04, 23 * 3600), 23);
    assert_int_equal(rd(0x32, 0), 19);
    wr(0x0b, 0x04);
    for (u8 h = 0; h < 24; h++)
        assert_int_equal(rd(0x04, h * 3600u), twelve[h]);
    wr(0x0b, 0x00);
    assert_int_equal(rd(0x04, 23 * 3600), 0x91);
    assert_int_equal(rd(0x04, 0), 0x12);
}

static void test_ram_and_setting(void **state)
{
    (void)state;
    for (u32 i = 0x0e; i < 128; i++)
        if (i != 0x32)
            wr((u8)i, (u8)(i ^ 0x5a));
    for (u32 i = 0x0e; i < 128; i++)
        if (i != 0x32)
            assert_int_equal(rd((u8)i, 0), i ^ 0x5a);
    assert_int_equal(rd(0x80 | 0x40, 0), 0x40 ^ 0x5a); /* bit 7 is the NMI mask */
    wr(0x00, 0x33);
    wr(0x07, 0x22);
    compare(1767225600);
    assert_int_equal(vrtc_read(&rtc, 0x70, 0), 0xff);
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(calendar), T(status_registers), T(binary_and_12_hours), T(ram_and_setting),
    };

    return cmocka_run_group_tests_name("vrtc", tests, NULL, NULL);
}
