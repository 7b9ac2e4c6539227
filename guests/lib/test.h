/* SPDX-License-Identifier: MIT */
/* What the guests in tests/guest report with: "ok NAME" or "not ok NAME" on the console, and an exit status. */
#pragma once

#include "guests/lib/pith.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns @ok. */
bool test_ok(bool ok, const char *name);
/* Prints both numbers when they differ. */
bool test_equal(uint64_t have, uint64_t want, const char *name);
/* "N passed, N failed"; the number of failures, for guest_main() to return. A test without a single check has failed. */
int test_end(void);

#ifdef __cplusplus
}
#endif
