/* SPDX-License-Identifier: MIT */
/* Calendar date -> seconds since 1970. Pure. */
#pragma once

#include "hv/lib/types.h"

struct calendar {
    u32 year, month, day, hour, minute, second; /* month and day from 1 */
    int behind_utc;                             /* minutes to add to get UTC; 0 when unknown */
};

/* 0 for a date that cannot be, and for one before 1970. */
u64 calendar_seconds(const struct calendar *c);
