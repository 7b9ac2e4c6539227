/* SPDX-License-Identifier: MIT */
/* Days are counted from 1 March, so that the leap day is the last of its year. */
#include "boot/calendar.h"

static bool plausible(const struct calendar *c)
{
    return c->year >= 1970 && c->year <= 9999 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= 31 && c->hour <= 23 && c->minute <= 59 && c->second <= 59 &&
           c->behind_utc >= -1440 && c->behind_utc <= 1440;
}

u64 calendar_seconds(const struct calendar *c)
{
    u32 march_year = c->month > 2 ? c->year : c->year - 1;
    u32 march_month = (c->month + 9) % 12;
    s64 days, seconds;

    if (!plausible(c))
        return 0;
    days = 365 * (s64)march_year + march_year / 4 - march_year / 100 + march_year / 400;
    days += (153 * march_month + 2) / 5 + c->day -
            1;      /* months of 31 and 30 days, in turn from March */
    days -= 719468; /* 1 March of year 0 to 1 January 1970 */
    seconds = days * 86400 + c->hour * 3600 + c->minute * 60 + c->second + c->behind_utc * 60;
    return seconds > 0 ? (u64)seconds : 0;
}
