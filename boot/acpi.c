/* SPDX-License-Identifier: MIT */
/* Walks RSDP, XSDT or RSDT (ACPI, "ACPI Software Programming Model"); every length and checksum comes from outside. */
#include "boot/acpi.h"

#include "boot/say.h"
#include "hv/lib/string.h"

#define ACPI_MAX_TABLE  MIB(4)
#define ACPI_MAX_TABLES 256u
#define ACPI_CHUNK      512u

struct acpi_rsdp {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;
    u32 length; /* from here on: revision 2 */
    u64 xsdt;
    u8 checksum2, reserved[3];
} __attribute__((packed));

struct acpi_header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], oem_table[8];
    u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

struct acpi_gas { /* Generic Address Structure */
    u8 space, bits, offset, access;
    u64 address;
} __attribute__((packed));

struct acpi_hpet {
    struct acpi_header header;
    u32 id;
    struct acpi_gas base;
} __attribute__((packed));

enum fadt_block { PM1A_EVT, PM1B_EVT, PM1A_CNT, PM1B_CNT, PM2_CNT, PM_TIMER, GPE0, GPE1, FADT_BLOCKS };

struct acpi_fadt {
    struct acpi_header header;
    u32 facs, dsdt;
    u8 model, profile;
    u16 sci;
    u32 smi_cmd;
    u8 acpi_enable, acpi_disable, s4bios, pstate;
    u32 blocks[FADT_BLOCKS];
    u8 pm1_evt_len, unused[23];
    u32 flags;
    struct acpi_gas reset;
    u8 reset_value, unused2[3];
    u64 x_facs, x_dsdt;
    struct acpi_gas x_blocks[FADT_BLOCKS];
} __attribute__((packed));
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, x_blocks[PM_TIMER]) == 208, "ACPI, FADT Format");

#define FADT_RESET_SUPPORTED BIT(10)

struct madt_entry { /* the parts of "Interrupt Controller Structure Types" that are used here */
    u8 type, length;
    union {
        struct { u8 id, reserved; u32 base, gsi_base; } __attribute__((packed)) ioapic;
        struct { u8 bus, irq; u32 gsi; u16 flags; } __attribute__((packed)) override;
    };
} __attribute__((packed));

enum madt_type { MADT_IOAPIC = 1, MADT_OVERRIDE = 2 };
#define MADT_FIRST     44u
#define POLARITY(f)    ((f) & 3)
#define TRIGGER(f)     ((f) >> 2 & 3)
#define INTI_LOW_LEVEL 3

static acpi_read_fn *read_phys;
static bool quiet;

/* The sum of all bytes; -1: unreadable. */
static int acpi_sum(hpa_t at, u64 len)
{
    u8 chunk[ACPI_CHUNK];
    u8 sum = 0;

    while (len) {
        u64 n = MIN(len, sizeof(chunk));

        if (!read_phys(at, chunk, n))
            return -1;
        for (u64 i = 0; i < n; i++)
            sum = (u8)(sum + chunk[i]);
        at += n;
        len -= n;
    }
    return sum;
}

static bool acpi_header(hpa_t at, struct acpi_header *head)
{
    if (!at || !read_phys(at, head, sizeof(*head)))
        return false;
    for (u32 i = 0; i < sizeof(head->signature); i++)
        if (head->signature[i] < ' ' || head->signature[i] > '~') {
            if (!quiet)
                say("ACPI: no table at 0x%lx, ignored", at);
            return false;
        }
    if (head->length < sizeof(*head) || head->length > ACPI_MAX_TABLE || acpi_sum(at, head->length) != 0) {
        if (!quiet)
            say("ACPI: table %.4s at 0x%lx is damaged (length %u or checksum), ignored", head->signature, at,
                head->length);
        return false;
    }
    return true;
}

/* The table's first @size bytes; what an older, shorter revision does not have reads as 0. */
static bool acpi_body(hpa_t at, u32 length, void *table, size_t size)
{
    memset(table, 0, size);
    return read_phys(at, table, MIN(length, size));
}

void acpi_keep(struct acpi_info *info, u64 base, u64 size, bool ports, const char *what)
{
    u64 last = base + size - 1 < base ? ~0ull : base + size - 1;

    if (!base || !size)
        return;
    for (u32 i = 0; i < info->nr_kept; i++)
        if (info->kept[i].first <= base && info->kept[i].last >= last && info->kept[i].ports == ports)
            return;
    if (info->nr_kept < ACPI_MAX_KEPT) {
        info->kept[info->nr_kept++] = (struct acpi_kept){ base, last, ports, what };
        return;
    }
    for (u32 i = 0; i < 2; i++) /* no room: then all is kept, ports and memory */
        info->kept[i] = (struct acpi_kept){ 0, ~0ull, i == 0, "more than Pith can note" };
}

static void on_hpet(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    struct acpi_hpet hpet;

    if (acpi_body(at, head->length, &hpet, sizeof(hpet)) && hpet.base.space == HANDOFF_MEMORY)
        out->hpet = hpet.base.address;
    acpi_keep(out, out->hpet, KIB(1), false, "the clock (HPET)");
}

/* PCI Firmware Specification, "MCFG Table Description": configuration space, 1 MiB a bus. */
static void on_mcfg(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    struct { u64 base; u16 segment; u8 first, last; u32 reserved; } __attribute__((packed)) m;

    for (u32 off = 44; off + sizeof(m) <= head->length && read_phys(at + off, &m, sizeof(m)); off += sizeof(m))
        if (m.last >= m.first)
            acpi_keep(out, m.base + m.first * MIB(1), (m.last - m.first + 1u) * MIB(1), false, "PCI configuration");
}

/* Both begin with a header of 48 bytes; of their entries, these name an IOMMU's registers. */
struct iommu_entry {
    union {
        struct { u16 type, length; u8 flags, size; u16 segment; } dmar;
        struct { u8 type, flags; u16 length, id, offset; } ivrs;
    };
    u64 base;
};

static u32 on_dmar_entry(const struct iommu_entry *e, struct acpi_info *out)
{
    if (e->dmar.type == 0) /* VT-d, "DMA Remapping Hardware Unit Definition Structure": 2^size pages */
        acpi_keep(out, e->base, KIB(4) << (e->dmar.size & 15), false, "an IOMMU");
    return e->dmar.length;
}

static u32 on_ivrs_entry(const struct iommu_entry *e, struct acpi_info *out)
{
    if (e->ivrs.type == 0x10 || e->ivrs.type == 0x11 || e->ivrs.type == 0x40) /* IVHD; its counters end at 512 KiB */
        acpi_keep(out, e->base, KIB(512), false, "an IOMMU");
    return e->ivrs.length;
}

static void on_iommus(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    bool dmar = head->signature[0] == 'D';
    struct iommu_entry e;
    u32 length = 4;

    for (u32 off = 48; length >= 4 && off < head->length; off += length) {
        if (!acpi_body(at + off, head->length - off, &e, sizeof(e)))
            return;
        length = dmar ? on_dmar_entry(&e, out) : on_ivrs_entry(&e, out);
    }
}

/* TCG ACPI Specification, "TPM2": where the TPM is driven; five localities, a page each, from the control area's page on. */
static void on_tpm(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    struct { struct acpi_header head; u32 platform; u64 control; } __attribute__((packed)) t;

    if (acpi_body(at, head->length, &t, sizeof(t)))
        acpi_keep(out, ALIGN_DOWN(t.control, PAGE_SIZE), 5 * PAGE_SIZE, false, "the TPM");
}

static void on_madt_entry(const struct madt_entry *e, struct acpi_info *out)
{
    if (e->type == MADT_IOAPIC && e->length >= 12 && out->machine.nr_ioapics < HANDOFF_IOAPICS)
        out->machine.ioapics[out->machine.nr_ioapics++] = (struct handoff_ioapic){ e->ioapic.base, e->ioapic.gsi_base, 0 };
    if (e->type == MADT_IOAPIC && e->length >= 12)
        acpi_keep(out, e->ioapic.base, KIB(4), false, "an I/O APIC");
    if (e->type == MADT_OVERRIDE && e->length >= 10 && e->override.irq < HANDOFF_ISA_IRQS)
        out->machine.isa[e->override.irq] = (struct handoff_isa_irq){
            .gsi = e->override.gsi,
            .level = TRIGGER(e->override.flags) == INTI_LOW_LEVEL,
            .active_low = POLARITY(e->override.flags) == INTI_LOW_LEVEL,
        };
}

static void on_madt(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    for (u32 off = MADT_FIRST; off + 2 <= head->length;) {
        struct madt_entry e;

        if (!acpi_body(at + off, head->length - off, &e, sizeof(e)))
            return;
        if (e.length < 2 || e.length > head->length - off) {
            say("ACPI: MADT has an entry of %u bytes at offset %u, the rest is ignored", e.length, off);
            return;
        }
        on_madt_entry(&e, out);
        off += e.length;
    }
}

/* AML of one small integer (ACPI, "AML Byte Stream Byte Values"): ZeroOp, OneOp, or BytePrefix and the byte. */
static const u8 *aml_integer(const u8 *p, const u8 *end, u8 *val)
{
    if (p < end && *p <= 1) {
        *val = *p;
        return p + 1;
    }
    if (p + 1 < end && *p == 0x0a) {
        *val = p[1];
        return p + 2;
    }
    return NULL;
}

/* Name (_S5, Package () { a, b, ... }) from behind the name: PackageOp, PkgLength of 1-4 bytes, NumElements, elements. */
static bool aml_s5(const u8 *p, const u8 *end, struct acpi_info *out)
{
    u8 a, b;

    if (p + 3 > end || *p++ != 0x12)
        return false;
    p += 1 + (*p >> 6);
    if (p >= end || *p++ < 2)
        return false;
    p = aml_integer(p, end, &a);
    p = p ? aml_integer(p, end, &b) : NULL;
    if (!p || a > 7 || b > 7)
        return false;
    out->machine.s5_typ_a = a;
    out->machine.s5_typ_b = b;
    out->machine.has_s5 = 1;
    return true;
}

/* Looks for the name among the bytes, without interpreting AML; chunks overlap so that none cuts the package. */
static void on_dsdt(hpa_t at, struct acpi_info *out)
{
    enum { PACKAGE_MAX = 16 };
    struct acpi_header head;
    u8 chunk[ACPI_CHUNK];

    if (!acpi_header(at, &head))
        return;
    for (u32 off = sizeof(head); off < head.length; off += ACPI_CHUNK - PACKAGE_MAX) {
        u32 n = MIN(head.length - off, ACPI_CHUNK);

        if (!read_phys(at + off, chunk, n))
            return;
        for (u32 i = 0; i + 4 <= n; i++)
            if (memcmp(chunk + i, "_S5_", 4) == 0 && aml_s5(chunk + i + 4, chunk + n, out))
                return;
    }
}

/* The 64-bit field wins where it is there (ACPI, "FADT Format"); only ports are of use here. */
static u16 fadt_port(u32 old, const struct acpi_gas *gas)
{
    u64 port = old;

    if (gas->address)
        port = gas->space == HANDOFF_IO ? gas->address : 0;
    return port <= 0xffff ? (u16)port : 0;
}

/* Chipsets keep SMI enables, watchdogs and sleep types beside what the table names, in blocks of up to 128 ports. */
static void keep_fadt(const struct acpi_fadt *f, struct acpi_info *out)
{
    static const char what[] = "power management";

    for (u32 i = 0; i < FADT_BLOCKS; i++) {
        u16 port = fadt_port(f->blocks[i], &f->x_blocks[i]);

        if (port)
            acpi_keep(out, port & ~0x7full, 0x80, true, what);
        else
            acpi_keep(out, f->x_blocks[i].address, 16, false, what);
    }
    acpi_keep(out, f->smi_cmd, 2, true, what);
    acpi_keep(out, f->reset.space == HANDOFF_PCI_CONFIG ? 0 : f->reset.address, 4, f->reset.space == HANDOFF_IO, "reset");
}

static void on_fadt(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    struct acpi_fadt f;

    if (!acpi_body(at, head->length, &f, sizeof(f)))
        return;
    out->pm_timer = fadt_port(f.blocks[PM_TIMER], &f.x_blocks[PM_TIMER]);
    out->machine.pm1a_cnt = fadt_port(f.blocks[PM1A_CNT], &f.x_blocks[PM1A_CNT]);
    out->machine.pm1b_cnt = fadt_port(f.blocks[PM1B_CNT], &f.x_blocks[PM1B_CNT]);
    out->machine.pm1a_evt = fadt_port(f.blocks[PM1A_EVT], &f.x_blocks[PM1A_EVT]);
    out->machine.pm1b_evt = fadt_port(f.blocks[PM1B_EVT], &f.x_blocks[PM1B_EVT]);
    out->machine.pm1_evt_len = f.pm1_evt_len;
    out->machine.smi_cmd = f.smi_cmd <= 0xffff ? (u16)f.smi_cmd : 0;
    out->machine.acpi_enable = f.acpi_enable;
    if (f.flags & FADT_RESET_SUPPORTED) {
        out->machine.reset = f.reset.address;
        out->machine.reset_space = f.reset.space;
        out->machine.reset_value = f.reset_value;
    }
    keep_fadt(&f, out);
    on_dsdt(f.x_dsdt ? f.x_dsdt : f.dsdt, out);
}

/* It was read before (spcr.c), when nothing could be said. */
static void on_whole(hpa_t at, const struct acpi_header *head, struct acpi_info *out)
{
    (void)at;
    (void)head;
    (void)out;
}

typedef void acpi_table_fn(hpa_t at, void *ctx);

static void acpi_table(hpa_t at, void *out)
{
    static const struct {
        char signature[4];
        void (*parse)(hpa_t at, const struct acpi_header *head, struct acpi_info *out);
    } tables[] = {
        { "APIC", on_madt },
        { "HPET", on_hpet },
        { "FACP", on_fadt },
        { "MCFG", on_mcfg },
        { "DMAR", on_iommus },
        { "IVRS", on_iommus },
        { "TPM2", on_tpm },
        { "SPCR", on_whole },
        { "DBG2", on_whole },
    };
    char signature[4];
    struct acpi_header head;

    if (!at || !read_phys(at, signature, sizeof(signature)))
        return;
    for (u32 i = 0; i < ARRAY_SIZE(tables); i++)
        if (memcmp(signature, tables[i].signature, 4) == 0 && acpi_header(at, &head))
            tables[i].parse(at, &head, out);
}

static bool acpi_root(hpa_t root, u32 width, acpi_table_fn *fn, void *ctx)
{
    struct acpi_header head;
    u32 n;

    if (!acpi_header(root, &head))
        return false;
    n = (head.length - (u32)sizeof(head)) / width;
    for (u32 i = 0; i < MIN(n, ACPI_MAX_TABLES); i++) {
        u64 entry = 0;

        if (read_phys(root + sizeof(head) + (u64)i * width, &entry, width))
            fn(entry, ctx);
    }
    return true;
}

/* False: there are none. */
static bool acpi_each(hpa_t rsdp, acpi_table_fn *fn, void *ctx)
{
    struct acpi_rsdp r;

    if (!rsdp || !read_phys(rsdp, &r, sizeof(r)))
        return false;
    if (memcmp(r.signature, "RSD PTR ", 8) != 0 || acpi_sum(rsdp, 20) != 0) {
        if (!quiet)
            say("ACPI: the root pointer at 0x%lx is damaged, all tables are ignored", rsdp);
        return false;
    }
    if (r.revision >= 2 && r.xsdt && acpi_sum(rsdp, sizeof(r)) == 0 && acpi_root(r.xsdt, 8, fn, ctx))
        return true;
    return acpi_root(r.rsdt, 4, fn, ctx);
}

void acpi_parse(hpa_t rsdp, acpi_read_fn *read, struct acpi_info *out)
{
    memset(out, 0, sizeof(*out));
    for (u32 irq = 0; irq < HANDOFF_ISA_IRQS; irq++)
        out->machine.isa[irq].gsi = irq;
    read_phys = read;
    out->found = acpi_each(rsdp, acpi_table, out);
}

struct acpi_search {
    const char *signature;
    hpa_t at;
    u32 length;
};

static void acpi_match(hpa_t at, void *ctx)
{
    struct acpi_search *s = ctx;
    char signature[4];
    struct acpi_header head;

    if (s->at || !at || !read_phys(at, signature, sizeof(signature)) || memcmp(signature, s->signature, 4) != 0 || !acpi_header(at, &head))
        return;
    s->at = at;
    s->length = head.length;
}

hpa_t acpi_find(hpa_t rsdp, acpi_read_fn *read, const char *signature, u32 *length)
{
    struct acpi_search s = { .signature = signature };

    read_phys = read;
    quiet = true;
    acpi_each(rsdp, acpi_match, &s);
    quiet = false;
    *length = s.length;
    return s.at;
}
