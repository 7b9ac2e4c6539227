/* SPDX-License-Identifier: MIT */
/* ACPI, "Multiple APIC Description Table". */
#include "boot/madt.h"

#include "hv/lib/string.h"

#define MADT_SIGNATURE 0x43495041u /* "APIC" */
#define SDT_HEADER     36u
#define MADT_HEADER    44u
#define LOCAL_APIC     0u
#define X2APIC         9u
#define ENABLED        1u
#define NO_CORE        (~0u)

static u64 read(u64 at, size_t size)
{
    u64 val = 0;

    memcpy(&val, (const void *)at, size);
    return val;
}

/* The XSDT, or the RSDT of ACPI 1.0, lists the others. 0: no MADT. */
static u64 madt_find(u64 rsdp)
{
    bool old = read(rsdp + 15, 1) < 2;
    u64 list = old ? read(rsdp + 16, 4) : read(rsdp + 24, 8);
    u32 width = old ? 4 : 8;

    for (u64 at = SDT_HEADER; at + width <= read(list + 4, 4); at += width) {
        u64 table = read(list + at, width);

        if (table && read(table, 4) == MADT_SIGNATURE)
            return table;
    }
    return 0;
}

/* The APIC ID of an entry, or NO_CORE. */
static u32 entry_core(u64 entry)
{
    u64 type = read(entry, 1), size = read(entry + 1, 1);

    if (type == LOCAL_APIC && size >= 8 && (read(entry + 4, 4) & ENABLED))
        return (u32)read(entry + 3, 1);
    if (type == X2APIC && size >= 16 && (read(entry + 8, 4) & ENABLED))
        return (u32)read(entry + 4, 4);
    return NO_CORE;
}

/* Before the entry at @end: a core may be there under its local APIC and its x2APIC, and must not be started twice. */
static bool listed(u64 madt, u64 end, u32 core)
{
    for (u64 at = madt + MADT_HEADER; at < end; at += read(at + 1, 1))
        if (entry_core(at) == core)
            return true;
    return false;
}

u32 madt_cpus(u64 rsdp, u32 self, struct handoff_cpu *out, u32 max, u32 n)
{
    u64 madt = rsdp ? madt_find(rsdp) : 0, end;

    if (!madt)
        return n;
    end = madt + read(madt + 4, 4);
    for (u64 at = madt + MADT_HEADER; at + 2 <= end; at += read(at + 1, 1)) {
        u64 size = read(at + 1, 1);
        u32 core;

        if (size < 2 || at + size > end)
            break;
        core = entry_core(at);
        if (core == NO_CORE || core == self || listed(madt, at, core))
            continue;
        if (n < max)
            out[n] = (struct handoff_cpu){ .apic_id = core };
        n++;
    }
    return n;
}
