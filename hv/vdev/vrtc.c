/* SPDX-License-Identifier: MIT */
/* A real-time clock that shows a given time and keeps 128 bytes of RAM. MC146818A data sheet. */
#include "hv/vdev/vrtc.h"

enum reg {
    REG_SECONDS = 0x00, REG_MINUTES = 0x02, REG_HOURS = 0x04, REG_WEEKDAY = 0x06, REG_DAY = 0x07,
    REG_MONTH = 0x08, REG_YEAR = 0x09, REG_A = 0x0a, REG_B = 0x0b, REG_C = 0x0c, REG_D = 0x0d,
    REG_CENTURY = 0x32
};

#define A_UIP     0x80u
#define A_RESET   0x26u /* 32768 Hz, 1024 Hz */
#define B_24H     0x02u
#define B_BINARY  0x04u
#define D_VALID   0x80u
#define HOURS_PM  0x80u
#define INDEX_MASK 0x7fu /* bit 7 of port 70h masks NMIs */

struct date { u32 year, month, day, weekday; };

void vrtc_reset(struct vrtc *r)
{
    *r = (struct vrtc){ 0 };
    r->ram[REG_A] = A_RESET;
    r->ram[REG_B] = B_24H;
}

static bool is_leap(u32 year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static u32 days_in_month(u32 year, u32 month)
{
    static const u8 days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/*
 * Days since 1970-01-01, a Thursday. The clock's weekdays are 1 (Sunday) to 7. The calendar repeats
 * every 400 years, so no time makes the loops long.
 */
static struct date date_from_days(u64 days)
{
    struct date d = { .year = 1970, .month = 1, .weekday = (u32)((days + 4) % 7) + 1 };
    const u32 days_in_400_years = 146097;

    d.year += (u32)(days / days_in_400_years) * 400;
    days %= days_in_400_years;
    for (; days >= 365u + is_leap(d.year); d.year++)
        days -= 365u + is_leap(d.year);
    for (; days >= days_in_month(d.year, d.month); d.month++)
        days -= days_in_month(d.year, d.month);
    d.day = (u32)days + 1;
    return d;
}

static u8 encode(const struct vrtc *r, u32 val)
{
    return (u8)(r->ram[REG_B] & B_BINARY ? val : val / 10 << 4 | val % 10);
}

static u8 encode_hours(const struct vrtc *r, u32 hours)
{
    if (r->ram[REG_B] & B_24H)
        return encode(r, hours);
    return encode(r, (hours + 11) % 12 + 1) | (hours >= 12 ? HOURS_PM : 0);
}

/* The calendar is some hundred steps long: out of the way of everything else. */
static __attribute__((noinline)) u8 read_date(const struct vrtc *r, u64 now)
{
    struct date d = date_from_days(now / 86400);

    switch (r->index) {
    case REG_WEEKDAY: return (u8)d.weekday;
    case REG_DAY: return encode(r, d.day);
    case REG_MONTH: return encode(r, d.month);
    case REG_YEAR: return encode(r, d.year % 100);
    default: return encode(r, d.year / 100 % 100);
    }
}

static u8 read_ram(const struct vrtc *r, u64 now)
{
    switch (r->index) {
    case REG_SECONDS: return encode(r, (u32)(now % 60));
    case REG_MINUTES: return encode(r, (u32)(now / 60 % 60));
    case REG_HOURS: return encode_hours(r, (u32)(now / 3600 % 24));
    case REG_WEEKDAY ... REG_YEAR:
    case REG_CENTURY: return read_date(r, now);
    case REG_D: return D_VALID;
    default: return r->ram[r->index];
    }
}

u8 vrtc_read(const struct vrtc *r, u32 port, u64 now_seconds)
{
    return port & 1 ? read_ram(r, now_seconds) : 0xff; /* the index is write-only */
}

static void write_ram(struct vrtc *r, u8 val)
{
    if (r->index == REG_A)
        r->ram[REG_A] = (u8)(val & ~A_UIP);
    else if (r->index != REG_C)
        r->ram[r->index] = val;
}

void vrtc_write(struct vrtc *r, u32 port, u8 val)
{
    if (port & 1)
        write_ram(r, val);
    else
        r->index = val & INDEX_MASK;
}
