/* SPDX-License-Identifier: MIT */
/* Reporting for test guests. */
#include "guests/lib/test.h"

static unsigned passed, failed;

bool test_ok(bool ok, const char *name)
{
    pith_printf("%s %s\n", ok ? "ok" : "not ok", name);
    if (ok)
        passed++;
    else
        failed++;
    return ok;
}

bool test_equal(uint64_t have, uint64_t want, const char *name)
{
    if (have != want)
        pith_printf("%s: have 0x%lx, want 0x%lx\n", name, have, want);
    return test_ok(have == want, name);
}

int test_end(void)
{
    pith_printf("%u passed, %u failed\n", passed, failed);
    return passed == 0 ? 1 : (int)failed;
}
