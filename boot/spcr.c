/* SPDX-License-Identifier: MIT */
/* Microsoft's "Serial Port Console Redirection Table (SPCR)" and "Microsoft Debug Port Table 2 (DBG2)". */
#include "boot/spcr.h"

#include "boot/manifest.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define INTERRUPT_8259 BIT(0)
#define INTERRUPT_APIC BIT(1)
#define ISA_IRQS       16u
#define DBG2_SERIAL    0x8000u
#define ACCESS_DWORD   3u
#define REVISION       8u /* in a header; from which on there are ... */
#define REVISION_CLOCK 3u
#define REVISION_PRECISE 4u

enum interface { FULL_16550 = 0, SUBSET_16550 = 1, GAS_16550 = 0x12, LPSS_16550 = 0x14 };

struct gas { /* ACPI, "Generic Address Structure" */
    u8 space, bits, offset, access;
    u64 address;
} __attribute__((packed));

struct spcr {
    u8 header[36];
    u8 interface, reserved[3];
    struct gas base;
    u8 interrupts, irq;
    u32 gsi;
    u8 baud, parity, stop, flow, terminal, language;
    u16 pci_device, pci_vendor;
    u8 pci_bus, pci_slot, pci_function;
    u32 pci_flags;
    u8 pci_segment;
    u32 clock, precise_baud; /* of later revisions */
} __attribute__((packed));
_Static_assert(offsetof(struct spcr, gsi) == 54 && offsetof(struct spcr, clock) == 76, "SPCR, its table of fields");

struct dbg2 {
    u8 header[36];
    u32 first, count;
} __attribute__((packed));

struct dbg2_device {
    u8 revision;
    u16 length;
    u8 registers;
    u16 name_length, name_offset, oem_length, oem_offset, type, subtype, reserved, base_offset, size_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct dbg2_device) == 22, "DBG2, Debug Device Information structure");

static const char *const names[SPCR_SOURCES] = { "SPCR", "DBG2" };

const char *spcr_name(u32 source)
{
    return names[source];
}

/* Registers in memory may lie apart, and want to be read as they are wide. */
static bool place(u32 interface, const struct gas *gas, struct manifest_serial *out, char *why, size_t size)
{
    if (interface != FULL_16550 && interface != SUBSET_16550 && interface != GAS_16550 && interface != LPSS_16550) {
        fmt_str(why, size, "it names another UART than a 16550 (interface type 0x%x)", interface);
        return false;
    }
    if (!gas->address || gas->space > HANDOFF_IO) {
        fmt_str(why, size, "it names no port and no memory (address 0x%lx in space %u)", gas->address, gas->space);
        return false;
    }
    out->kind = gas->space == HANDOFF_IO ? MANIFEST_LINE_PORTS : MANIFEST_LINE_MEMORY;
    out->base = gas->address;
    out->bits = out->kind == MANIFEST_LINE_MEMORY && gas->access == ACCESS_DWORD ? 32 : 8;
    out->stride = out->bits / 8;
    if (out->kind == MANIFEST_LINE_MEMORY && (gas->bits == 16 || gas->bits == 32) && gas->bits / 8 > out->stride)
        out->stride = gas->bits / 8;
    return true;
}

static bool find_spcr(hpa_t at, u32 length, acpi_read_fn *read, struct manifest_serial *out, char *why, size_t size)
{
    static const u32 rates[] = { [3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200 };
    struct spcr t;

    memset(&t, 0, sizeof(t));
    if (length < offsetof(struct spcr, pci_device) || !read(at, &t, MIN(length, sizeof(t)))) {
        fmt_str(why, size, "it has %u bytes, too few", length);
        return false;
    }
    if (!place(t.interface, &t.base, out, why, size))
        return false;
    if ((t.interrupts & INTERRUPT_8259) && t.irq < ISA_IRQS)
        out->irq = t.irq;
    else if (t.interrupts & INTERRUPT_APIC)
        out->irq = t.gsi;
    if (t.header[REVISION] < REVISION_CLOCK)
        t.clock = 0;
    if (t.clock)
        out->clock = t.clock;
    else if (out->kind == MANIFEST_LINE_MEMORY)
        return true; /* a clock that is not known: the divisor stays */
    if (t.baud < ARRAY_SIZE(rates) && rates[t.baud])
        out->baud = rates[t.baud];
    if (t.header[REVISION] >= REVISION_PRECISE && t.precise_baud > MANIFEST_BAUD_KEEP)
        out->baud = t.precise_baud;
    return true;
}

/* The first serial one of its devices. */
static bool find_dbg2(hpa_t at, u32 length, acpi_read_fn *read, struct manifest_serial *out, char *why, size_t size)
{
    struct dbg2_device d;
    struct dbg2 t;
    struct gas gas;
    u32 off;

    if (length < sizeof(t) || !read(at, &t, sizeof(t))) {
        fmt_str(why, size, "it has %u bytes, too few", length);
        return false;
    }
    off = t.first;
    for (u32 i = 0; i < t.count && off <= length && length - off >= sizeof(d) && read(at + off, &d, sizeof(d)); i++, off += d.length) {
        bool sound = d.length >= sizeof(d) && d.length <= length - off;

        if (sound && d.type != DBG2_SERIAL)
            continue;
        if (!sound || !d.registers || d.base_offset + sizeof(gas) > d.length || !read(at + off + d.base_offset, &gas, sizeof(gas))) {
            fmt_str(why, size, "its entry at offset %u is damaged", off);
            return false;
        }
        return place(d.subtype, &gas, out, why, size);
    }
    return false;
}

bool spcr_find(u32 source, hpa_t rsdp, acpi_read_fn *read, struct manifest_serial *out, char *why, size_t size)
{
    u32 length;
    hpa_t at = acpi_find(rsdp, read, names[source], &length);

    *why = '\0';
    *out = (struct manifest_serial){ .baud = MANIFEST_BAUD_KEEP, .clock = MANIFEST_PC_CLOCK, .irq = MANIFEST_NONE, .stride = 1, .bits = 8 };
    if (!at)
        return false;
    return source ? find_dbg2(at, length, read, out, why, size) : find_spcr(at, length, read, out, why, size);
}
