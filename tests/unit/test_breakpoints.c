/* SPDX-License-Identifier: MIT */
/*
 * A guest's breakpoints never reach the hypervisor.
 * LINK: arch/x86/breakpoints.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"

#define EXEC  0ull
#define WRITE 0xdull /* 4 bytes */
#define IO    0x2ull

static u64 armed(u64 addr, unsigned n, u64 type)
{
    u64 dr[4] = { 0 };

    dr[n] = addr;
    return breakpoints_armed(dr, 0x400 | 3ull << 2 * n | type << (16 + 4 * n)) & DR7_ENABLES;
}

static void test_hypervisor(void **state)
{
    static const u64 hypervisor[] = { HOST_DIRECT_BASE, HOST_DIRECT_BASE - 7, HOST_DIRECT_BASE + 0x12345678, HOST_IMAGE_BASE,
                                      HOST_IMAGE_BASE + GIB(1) - 1 };
    static const u64 guest[] = { 0, 0x1000, HOST_DIRECT_BASE - 8, HOST_IMAGE_BASE + GIB(1), ~0ull, 0x7fffffffffff };

    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        for (size_t i = 0; i < ARRAY_SIZE(hypervisor); i++) {
            assert_int_equal(armed(hypervisor[i], n, EXEC), 0);
            assert_int_equal(armed(hypervisor[i], n, WRITE), 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(guest); i++) {
            assert_int_equal(armed(guest[i], n, EXEC), 3ull << 2 * n);
            assert_int_equal(armed(guest[i], n, WRITE), 3ull << 2 * n);
        }
        assert_int_equal(armed(0x3f8, n, IO), 0);
    }
}

/* One that may not be armed leaves the others and all else in DR7 alone. */
static void test_others(void **state)
{
    const u64 dr[4] = { 0x1000, HOST_IMAGE_BASE, 0x2000, 0x80 };
    u64 dr7 = 0x27ff | WRITE << 16 | WRITE << 20 | EXEC << 24 | IO << 28;

    (void)state;
    assert_int_equal(breakpoints_armed(dr, dr7), dr7 & ~0xccull);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hypervisor), cmocka_unit_test(test_others) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
