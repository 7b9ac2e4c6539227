/* SPDX-License-Identifier: MIT */
/*
 * The reader of the firmware's ACPI tables on changed ones, most with their checksums made right again: it asks for no memory
 * without end, and what it reports is in range.
 * LINK: boot/acpi.c boot/spcr.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include <stdarg.h>

#include "boot/acpi.h"
#include "boot/say.h"
#include "boot/spcr.h"
#include "tests/fuzz/fuzz.h"

enum { BASE = 0x10000, RSDP = BASE, RSDT = BASE + 0x100, XSDT = BASE + 0x200, MADT = BASE + 0x300, HPET = BASE + 0x500,
       FADT = BASE + 0x600, DSDT = BASE + 0x800, MCFG = BASE + 0x1c00, DMAR = BASE + 0x1d00, IVRS = BASE + 0x1e00, SPCR = BASE + 0x1f00,
       DBG2 = BASE + 0x2000, SIZE = 0x2200 };

static const u32 tables[] = { RSDT, XSDT, MADT, HPET, FADT, DSDT, MCFG, DMAR, IVRS, SPCR, DBG2 };
static u8 *memory; /* SIZE bytes that stand at BASE */
static u32 nr_reads;

void say(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    FUZZ_CHECK(vsnprintf(line, sizeof(line), fmt, ap) > 0);
    va_end(ap);
}

static bool read_memory(hpa_t hpa, void *buf, size_t len)
{
    nr_reads++;
    FUZZ_CHECK(len > 0 && len <= 4096);
    if (hpa < BASE || hpa > BASE + SIZE || len > BASE + SIZE - hpa)
        return false;
    memcpy(buf, memory + (hpa - BASE), len);
    return true;
}

static void put(u32 at, size_t size, u64 val)
{
    memcpy(memory + (at - BASE), &val, size);
}

static void sum(u32 at, u64 len, u32 where)
{
    u8 *p = memory + (at - BASE), s = 0;

    p[where] = 0;
    for (u64 i = 0; i < MIN(len, (u64)(BASE + SIZE - at)); i++)
        s = (u8)(s + p[i]);
    p[where] = (u8)-s;
}

static void put_table(u32 at, const char *signature, u32 len)
{
    memcpy(memory + (at - BASE), signature, 4);
    put(at + 4, 4, len);
}

static void make_madt(void)
{
    static const u8 sizes[] = { 8, 12, 10, 2, 6, 16 };
    u32 at = MADT + 44;

    while (at < MADT + 0x180) {
        u8 type = (u8)fuzz_below(ARRAY_SIZE(sizes));
        u64 content = fuzz_next();

        put(at + 2, 8, content);
        put(at, 2, type | (u32)sizes[type] << 8);
        if (type == 2)
            put(at + 2, 2, (content & 0x1f) << 8);
        at += sizes[type];
    }
    put_table(MADT, "APIC", at - MADT);
}

static void make_fadt(void)
{
    put_table(FADT, "FACP", fuzz_below(2) ? 244 : 116);
    put(FADT + 40, 4, DSDT);
    put(FADT + 48, 8, 0xf1000000b2);
    put(FADT + 64, 4, 0x604);
    put(FADT + 76, 4, 0x608);
    put(FADT + 112, 8, 1u << 10 | 1ull << 32);
    put(FADT + 120, 8, 0xcf9);
    put(FADT + 208, 1, 1);
    put(FADT + 212, 8, fuzz_number());
}

/* Three tables of entries: with a length in their bytes 2 and 3, all 16 here, or without. */
static void make_windows(void)
{
    static const struct { u32 at, first; const char *signature; } windows[] = {
        { MCFG, 44, "MCFG" }, { DMAR, 48, "DMAR" }, { IVRS, 48, "IVRS" },
    };

    for (u32 i = 0; i < ARRAY_SIZE(windows); i++) {
        for (u32 off = windows[i].first; off < 0xb0; off += 16) {
            put(windows[i].at + off, 8, 0x100000 | (fuzz_below(2) ? 0 : fuzz_below(0x42)));
            put(windows[i].at + off + 8, 8, fuzz_number());
        }
        put_table(windows[i].at, windows[i].signature, 0xb0 - (u32)fuzz_below(40));
    }
}

/* One line each, by ports or in memory; of DBG2, behind an entry of something else. */
static void make_lines(void)
{
    static const u32 gas[] = { SPCR + 40, DBG2 + 66 + 22 };

    put(SPCR + 36, 1, fuzz_below(4) ? 0 : fuzz_below(0x20));
    put(SPCR + 52, 1, fuzz_below(4));
    put(SPCR + 53, 1, fuzz_below(20));
    put(SPCR + 58, 1, fuzz_below(10));
    put(SPCR + 8, 1, fuzz_below(5));
    put(SPCR + 76, 8, fuzz_number());
    put_table(SPCR, "SPCR", 88 - (u32)(fuzz_below(2) ? 0 : fuzz_below(50)));
    put(DBG2 + 36, 4, 44);
    put(DBG2 + 40, 4, fuzz_below(4));
    put(DBG2 + 44 + 1, 2, 22);
    put(DBG2 + 66 + 1, 2, 34 - (fuzz_below(2) ? 0 : fuzz_below(14)));
    put(DBG2 + 66 + 3, 1, 1);
    put(DBG2 + 66 + 12, 2, 0x8000);
    put(DBG2 + 66 + 18, 2, fuzz_below(4) ? 22 : fuzz_below(40));
    put_table(DBG2, "DBG2", 100 - (u32)(fuzz_below(2) ? 0 : fuzz_below(60)));
    for (u32 i = 0; i < ARRAY_SIZE(gas); i++) {
        put(gas[i], 1, fuzz_below(4));
        put(gas[i] + 1, 1, 8u << fuzz_below(4));
        put(gas[i] + 3, 1, fuzz_below(6));
        put(gas[i] + 4, 8, fuzz_number());
    }
}

static void find_lines(void)
{
    for (u32 i = 0; i < SPCR_SOURCES; i++) {
        struct manifest_serial s;
        char why[64];
        bool found;

        nr_reads = 0;
        memset(why, 0xaa, sizeof(why));
        found = spcr_find(i, RSDP, read_memory, &s, why, sizeof(why));
        FUZZ_CHECK(memchr(why, 0, sizeof(why)));
        FUZZ_CHECK(nr_reads < 256 * (SIZE / 2 + 64));
        FUZZ_CHECK(!found || (s.base && s.baud && s.clock && (s.kind == MANIFEST_LINE_PORTS || s.kind == MANIFEST_LINE_MEMORY)));
        FUZZ_CHECK(!found || s.bits == 8 || s.bits == 32);
        FUZZ_CHECK(!found || (s.stride >= s.bits / 8 && (s.stride == 1 || s.stride == 2 || s.stride == 4)));
    }
}

/* _S5 somewhere, often where one chunk of the reader ends. */
static void make_dsdt(void)
{
    static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00 };
    u32 at = DSDT + 36 + (u32)(fuzz_below(2) ? 470 + fuzz_below(64) : fuzz_below(0x1000));

    memcpy(memory + (at - BASE), s5, sizeof(s5));
    put(at + 6, 1, fuzz_below(4) ? 6 : fuzz_next());
    put(at + 8 + (u32)fuzz_below(4), 1, fuzz_below(12));
    put_table(DSDT, "DSDT", at + (u32)(fuzz_below(4) ? 40 : fuzz_below(20)) - DSDT);
}

static void make_tables(void)
{
    memset(memory, 0, SIZE);
    memcpy(memory, "RSD PTR ", 8);
    put(RSDP + 15, 1, fuzz_below(4) ? 2 : 0);
    put(RSDP + 16, 8, RSDT | 36ull << 32);
    put(RSDP + 24, 8, XSDT);
    put(RSDT + 36, 8, FADT | (u64)MADT << 32);
    put(XSDT + 36, 8, MADT);
    put(XSDT + 44, 8, HPET);
    put(XSDT + 52, 8, FADT);
    put(XSDT + 60, 8, MCFG);
    put(XSDT + 68, 8, DMAR);
    put(XSDT + 76, 8, IVRS);
    put(XSDT + 84, 8, SPCR);
    put(XSDT + 92, 8, DBG2);
    put_table(RSDT, "RSDT", 44);
    put_table(XSDT, "XSDT", 100);
    make_lines();
    put_table(HPET, "HPET", 56);
    put(HPET + 44, 8, fuzz_number());
    make_madt();
    make_windows();
    make_fadt();
    make_dsdt();
}

static void change_tables(void)
{
    for (u64 n = fuzz_below(6); n > 0; n--) {
        u32 at = tables[fuzz_below(ARRAY_SIZE(tables))];

        switch (fuzz_below(4)) {
        case 0: fuzz_poke(memory, SIZE); break;
        case 1: put(at + 4, 4, fuzz_below(2) ? fuzz_below(SIZE) : fuzz_number()); break;
        case 2: put(RSDP + 16 + 8 * (u32)fuzz_below(2), 8, BASE + fuzz_below(SIZE + 16)); break;
        default: fuzz_poke(memory + (at - BASE) + 36, 0xc0); break;
        }
    }
    for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
        u32 len;

        memcpy(&len, memory + (tables[i] - BASE) + 4, 4);
        if (fuzz_below(16))
            sum(tables[i], len, 9);
    }
    if (fuzz_below(16))
        sum(RSDP, 20, 8);
    if (fuzz_below(16))
        sum(RSDP, 36, 32);
}

static void one(void)
{
    struct acpi_info info;

    make_tables();
    change_tables();
    nr_reads = 0;
    memset(&info, 0xaa, sizeof(info));
    acpi_parse(RSDP + fuzz_below(64) / 63, read_memory, &info);
    /* 256 tables of at most SIZE bytes, twice: by chunks for the sum, by entries of two bytes. */
    FUZZ_CHECK(nr_reads < 2 * 256 * (SIZE / 2 + 64));
    FUZZ_CHECK(info.machine.nr_ioapics <= HANDOFF_IOAPICS);
    FUZZ_CHECK(info.nr_kept <= ACPI_MAX_KEPT);
    for (u32 i = 0; i < info.nr_kept; i++)
        FUZZ_CHECK(info.kept[i].first <= info.kept[i].last && info.kept[i].what);
    FUZZ_CHECK(info.machine.s5_typ_a <= 7 && info.machine.s5_typ_b <= 7);
    for (u32 i = 0; i < HANDOFF_ISA_IRQS; i++)
        FUZZ_CHECK(info.found || (info.machine.isa[i].gsi == i && !info.machine.isa[i].level && !info.machine.isa[i].active_low));
    find_lines();
    fuzz_accepted += info.found && info.machine.nr_ioapics && info.machine.has_s5;
}

int main(int argc, char **argv)
{
    memory = malloc(SIZE);
    return fuzz_main(argc, argv, one, 40000, 3000000);
}
