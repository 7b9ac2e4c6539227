/* SPDX-License-Identifier: MIT */
/* The firmware's ACPI tables, copied, then made older, newer, or damaged. */
#include "tests/boot/shim/shim.h"

#define TABLES    32u
#define TABLE_MAX 4096u /* of those that are changed here; others stay where they are */
#define PACKED __attribute__((packed))

struct header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char rest[26];
} PACKED;
struct rsdp {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt, length;
    u64 xsdt;
    u8 checksum2, reserved[3];
} PACKED;

/* ACPI, "FADT Format": offsets */
enum fadt { FADT_DSDT = 40, FADT_SMI_CMD = 48, FADT_BLOCKS = 56, FADT_BLOCKS_END = 88, FADT_FLAGS = 112, FADT_V1 = 116, FADT_X_DSDT = 140,
            FADT_X_BLOCKS = 148, FADT_V3 = 244, FADT_V6 = 276 };
#define FADT_HW_REDUCED BIT(20)

static EFI_GUID acpi20 = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
static EFI_GUID acpi10 = { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } };

static struct {
    struct rsdp rsdp;
    struct { struct header h; u32 tables[TABLES * 2]; } PACKED rsdt;
    struct { struct header h; u64 tables[TABLES * 2]; } PACKED xsdt;
    u8 copies[TABLES][TABLE_MAX];
} *made;
static u64 tables[TABLES];
static u32 nr;
static bool none, only_10, no_xsdt, nulls, old;
static struct { bool rsdp, rsdp2, xsdt, rsdt; u64 table, wild; } damage;

static u8 sum(const void *data, u32 size)
{
    const u8 *bytes = data;
    u8 total = 0;

    while (size--)
        total = (u8)(total + *bytes++);
    return total;
}

static void finish(struct header *h)
{
    h->checksum = 0;
    h->checksum = (u8)-sum(h, h->length);
}

static void **entry_of(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < st->NumberOfTableEntries; i++)
        if (same_guid(&st->ConfigurationTable[i].VendorGuid, guid))
            return &st->ConfigurationTable[i].VendorTable;
    return NULL;
}

static void hide(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < st->NumberOfTableEntries; i++)
        if (same_guid(&st->ConfigurationTable[i].VendorGuid, guid))
            ZeroMem(&st->ConfigurationTable[i].VendorGuid, sizeof(*guid));
}

/* Once: what is changed afterwards is ours. */
static void copy(void)
{
    void **entry = entry_of(&acpi20);
    const struct rsdp *rsdp = entry ? *entry : NULL;
    const struct header *xsdt = rsdp ? (const void *)rsdp->xsdt : NULL;

    if (made || !xsdt)
        return;
    made = take(sizeof(*made), EfiACPIReclaimMemory);
    if (!made)
        return;
    made->rsdp = *rsdp;
    made->xsdt.h = made->rsdt.h = *xsdt;
    CopyMem(made->rsdt.h.signature, "RSDT", 4);
    for (u32 i = 0; sizeof(*xsdt) + (i + 1) * 8 <= xsdt->length && nr < TABLES; i++) {
        const struct header *h;

        CopyMem(&h, (const u8 *)(xsdt + 1) + (u64)i * 8, 8);
        if (h->length > TABLE_MAX / 2)
            continue;
        CopyMem(made->copies[nr], (void *)h, h->length);
        tables[nr] = (u64)made->copies[nr];
        nr++;
    }
}

static u64 name_of(const char *name)
{
    u32 val;

    CopyMem(&val, (void *)name, 4);
    return val;
}

static struct header *find(u64 name)
{
    for (u32 i = 0; i < nr; i++)
        if (*(u32 *)tables[i] == name)
            return (void *)tables[i];
    return NULL;
}

static u8 *madt_add(u8 type, u8 length)
{
    struct header *madt = (copy(), find(name_of("APIC")));
    u8 *entry = (u8 *)madt + madt->length;

    entry[0] = type;
    entry[1] = length;
    madt->length += length;
    return entry;
}

static void put(u8 *at, u32 val)
{
    CopyMem(at, &val, 4);
}

/* A local APIC's ID and flags */
static void w_lapic(const u64 *a)
{
    u8 *entry = madt_add(0, 8);

    entry[3] = (u8)a[0];
    put(entry + 4, (u32)a[1]);
}

static void w_x2apic(const u64 *a)
{
    u8 *entry = madt_add(9, 16);

    put(entry + 4, (u32)a[0]);
    put(entry + 8, (u32)a[1]);
}

/* An entry of a type and a length that need not be right; what follows it reads as something else */
static void w_madt_entry(const u64 *a)
{
    (void)madt_add((u8)a[0], 8);
    ((u8 *)find(name_of("APIC")))[find(name_of("APIC"))->length - 7] = (u8)a[1];
}

/* Its entries of a type become ones that nobody knows. */
static void w_madt_without(const u64 *a)
{
    struct header *madt = (copy(), find(name_of("APIC")));

    for (u32 at = 44; at + 2 <= madt->length; at += ((u8 *)madt)[at + 1])
        if (((u8 *)madt)[at] == a[0])
            ((u8 *)madt)[at] = 0x7f;
}

static void w_drop(const u64 *a)
{
    copy();
    for (u32 i = 0; i < nr; i++)
        if (*(u32 *)tables[i] == a[0])
            tables[i] = tables[--nr];
}

static void w_twice(const u64 *a)
{
    struct header *h = (copy(), find(a[0]));

    if (h && nr < TABLES)
        tables[nr++] = (u64)h;
}

/* A table's length */
static void w_length(const u64 *a)
{
    struct header *h = (copy(), find(a[0]));

    if (h)
        h->length = (u32)a[1];
}

static void w_fadt_1(const u64 *a)
{
    struct header *f = (copy(), find(name_of("FACP")));

    (void)a;
    f->revision = 1;
    f->length = FADT_V1;
    ZeroMem((u8 *)f + FADT_V1, FADT_V6 - FADT_V1);
}

/* Only the 64-bit fields: the others are 0, as those of new machines may be. */
static void w_fadt_6(const u64 *a)
{
    struct header *f = (copy(), find(name_of("FACP")));
    u8 *at = (u8 *)f;

    (void)a;
    for (u32 i = 0; i < (FADT_BLOCKS_END - FADT_BLOCKS) / 4; i++) {
        u8 *gas = at + FADT_X_BLOCKS + i * 12;
        u32 port;

        CopyMem(&port, at + FADT_BLOCKS + i * 4, 4);
        if (port && !gas[4] && !gas[5]) {
            gas[0] = 1;
            put(gas + 4, port);
        }
        put(at + FADT_BLOCKS + i * 4, 0);
    }
    if (!*(u64 *)(at + FADT_X_DSDT))
        CopyMem(at + FADT_X_DSDT, at + FADT_DSDT, 4);
    put(at + FADT_DSDT, 0);
    f->revision = 6;
    f->length = FADT_V6;
}

static void w_fadt_reduced(const u64 *a)
{
    struct header *f = (copy(), find(name_of("FACP")));

    (void)a;
    w_fadt_6(a);
    ZeroMem((u8 *)f + FADT_X_BLOCKS, FADT_V3 - FADT_X_BLOCKS);
    put((u8 *)f + FADT_SMI_CMD, 0);
    *(u32 *)((u8 *)f + FADT_FLAGS) |= FADT_HW_REDUCED;
}

/* 32 bits of a table at an offset */
static void w_put(const u64 *a)
{
    struct header *h = (copy(), find(a[0]));

    if (h)
        put((u8 *)h + a[1], (u32)a[2]);
}

static void w_none(const u64 *a) { (void)a; copy(); none = true; }
static void w_only_10(const u64 *a) { (void)a; copy(); only_10 = true; }
static void w_old(const u64 *a) { w_fadt_1(a); only_10 = old = true; }
static void w_no_xsdt(const u64 *a) { (void)a; copy(); no_xsdt = true; }
static void w_nulls(const u64 *a) { (void)a; copy(); nulls = true; }
static void w_bad_rsdp(const u64 *a) { (void)a; copy(); damage.rsdp = true; }
static void w_bad_rsdp2(const u64 *a) { (void)a; copy(); damage.rsdp2 = true; }
static void w_bad_xsdt(const u64 *a) { (void)a; copy(); damage.xsdt = true; }
static void w_bad_rsdt(const u64 *a) { (void)a; copy(); damage.rsdt = true; }
static void w_bad(const u64 *a) { copy(); damage.table = a[0]; }
static void w_wild(const u64 *a) { copy(); damage.wild = a[0]; }

static void list(void)
{
    static const u64 nowhere[] = { 0, 0x1000000000000, 0xffffffffffffff00, 7 };
    u32 n = 0;

    for (u32 i = 0; i < nr; i++) {
        if (nulls) {
            made->rsdt.tables[n] = (u32)nowhere[i % ARRAY_SIZE(nowhere)];
            made->xsdt.tables[n++] = nowhere[i % ARRAY_SIZE(nowhere)];
        }
        made->rsdt.tables[n] = (u32)tables[i];
        made->xsdt.tables[n++] = tables[i];
    }
    made->rsdt.h.length = sizeof(struct header) + 4 * n;
    made->xsdt.h.length = sizeof(struct header) + 8 * n;
    finish(&made->rsdt.h);
    finish(&made->xsdt.h);
    made->rsdt.h.checksum = (u8)(made->rsdt.h.checksum + damage.rsdt);
    made->xsdt.h.checksum = (u8)(made->xsdt.h.checksum + damage.xsdt);
}

static void root(void)
{
    struct rsdp *r = &made->rsdp;

    r->rsdt = (u32)(u64)&made->rsdt;
    r->xsdt = no_xsdt || old ? 0 : (u64)&made->xsdt;
    r->revision = old ? 0 : 2;
    r->length = old ? 0 : sizeof(*r);
    r->checksum = r->checksum2 = 0;
    r->checksum = (u8)-sum(r, 20);
    r->checksum2 = old ? 0xff : (u8)-sum(r, sizeof(*r));
    r->checksum = (u8)(r->checksum + damage.rsdp);
    r->checksum2 = (u8)(r->checksum2 + damage.rsdp2);
}

void acpi_finish(void)
{
    void **of_20 = entry_of(&acpi20), **of_10 = entry_of(&acpi10);

    if (!made)
        return;
    for (u32 i = 0; i < nr; i++) {
        struct header *h = (void *)tables[i];

        if (h->length <= TABLE_MAX)
            finish(h);
        if (*(u32 *)tables[i] == damage.table)
            h->checksum++;
    }
    list();
    root();
    if (of_20)
        *of_20 = damage.wild ? (void *)damage.wild : &made->rsdp;
    if (of_10)
        *of_10 = damage.wild ? (void *)damage.wild : &made->rsdp;
    if (none || only_10)
        hide(&acpi20);
    if (none)
        hide(&acpi10);
}

const struct shim_word acpi_words[] = {
    { "acpi-none", w_none },         { "acpi-1.0", w_old },           { "acpi-1.0-guid", w_only_10 }, { "acpi-no-xsdt", w_no_xsdt },
    { "acpi-nulls", w_nulls },       { "acpi-bad-rsdp", w_bad_rsdp }, { "acpi-bad-rsdp2", w_bad_rsdp2 }, { "acpi-bad-xsdt", w_bad_xsdt },
    { "acpi-bad-rsdt", w_bad_rsdt }, { "acpi-bad", w_bad },           { "acpi-wild", w_wild },        { "acpi-drop", w_drop },
    { "acpi-twice", w_twice },       { "acpi-length", w_length },     { "acpi-put", w_put },          { "fadt-1", w_fadt_1 },
    { "fadt-6", w_fadt_6 },          { "fadt-reduced", w_fadt_reduced }, { "lapic", w_lapic },        { "x2apic", w_x2apic },
    { "madt-entry", w_madt_entry },  { "madt-without", w_madt_without }, { NULL, NULL },
};
