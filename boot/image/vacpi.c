/* SPDX-License-Identifier: MIT */
/* The guest's ACPI tables, written into one page. ACPI 6.5, ACPI Software Programming Model. */
#include "boot/image/vacpi.h"

#include "hv/abi/platform.h"
#include "hv/lib/string.h"

#define PACKED __attribute__((packed))

struct rsdp {
    char signature[8];
    u8 checksum;
    char oem_id[6];
    u8 revision;
    u32 rsdt, length;
    u64 xsdt;
    u8 extended_checksum, reserved[3];
} PACKED;

struct header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem_id[6], oem_table_id[8];
    u32 oem_revision;
    char creator_id[4];
    u32 creator_revision;
} PACKED;

struct address { u8 space, bits, offset, access; u64 address; } PACKED; /* Generic Address Structure */
struct xsdt { struct header h; u64 fadt, madt; } PACKED;

struct fadt {
    struct header h;
    u32 facs, dsdt;
    u8 reserved1, profile;
    u16 sci;
    u32 smi_command;              /* none: the hardware is in ACPI mode for good */
    u8 enable, disable, s4bios, pstate;
    u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, timer, gpe0, gpe1;
    u8 pm1_event_len, pm1_control_len, pm2_control_len, timer_len, gpe0_len, gpe1_len, gpe1_base, cst;
    u16 c2_latency, c3_latency;
    u8 reserved2[8];
    u8 century;                   /* CMOS index */
    u16 boot_arch;
    u8 reserved3;
    u32 flags;
    struct address reset_reg;
    u8 reset_value;
    u16 arm_boot_arch;
    u8 minor_revision;
    u64 x_facs, x_dsdt;
    struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_timer, x_gpe0, x_gpe1;
    struct address sleep_control, sleep_status; /* of hardware-reduced platforms */
    char hypervisor[8];
} PACKED;

struct madt { struct header h; u32 lapic, flags; } PACKED;
struct madt_lapic { u8 type, length, uid, id; u32 flags; } PACKED;
struct facs { char signature[4]; u32 length, hardware, waking, lock, flags; u64 x_waking; u8 version, reserved[31]; } PACKED;
struct madt_ioapic { u8 type, length, id, reserved; u32 address, gsi_base; } PACKED;
struct madt_override { u8 type, length, bus, irq; u32 gsi; u16 flags; } PACKED;

_Static_assert(sizeof(struct rsdp) == 36, "ACPI, Root System Description Pointer");
_Static_assert(sizeof(struct header) == 36, "ACPI, System Description Table Header");
_Static_assert(sizeof(struct fadt) == 276, "ACPI, Fixed ACPI Description Table");
_Static_assert(sizeof(struct facs) == 64, "ACPI, Firmware ACPI Control Structure");
_Static_assert(offsetof(struct fadt, sci) == 46, "FADT");
_Static_assert(offsetof(struct fadt, timer) == 76, "FADT");
_Static_assert(offsetof(struct fadt, century) == 108, "FADT");
_Static_assert(offsetof(struct fadt, flags) == 112, "FADT");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "FADT");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "FADT");
_Static_assert(offsetof(struct fadt, x_timer) == 208, "FADT");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "FADT");
_Static_assert(offsetof(struct fadt, hypervisor) == 268, "FADT");

#define FADT_WBINVD        BIT(0)
#define FADT_PROC_C1       BIT(2)
#define FADT_NO_SLP_BUTTON BIT(5)
#define FADT_NO_FIX_RTC    BIT(6)
#define FADT_TIMER_32      BIT(8)
#define FADT_RESET_REG     BIT(10)
#define SPACE_IO           1
#define FADT_BOOT_LEGACY     BIT(0) /* a serial port */
#define FADT_BOOT_VGA_ABSENT BIT(2) /* and no 8042; a CMOS clock is present: bit 5 clear */
#define FADT_C2_NONE       101
#define FADT_C3_NONE       1001
#define CMOS_CENTURY       0x32
#define LAPIC_ENABLED      1u
#define PCAT_COMPAT   1u       /* there are 8259s */
#define MADT_OVERRIDE 2u
#define MAX_LAPIC_ID       254u     /* what a MADT entry of type 0 can name */

#define LOW(x)  ((x) & 0xff)
#define HIGH(x) ((x) >> 8 & 0xff)

/*
 * Scope (\_SB) {
 *     Device (COM1) {
 *         Name (_HID, EisaId ("PNP0501"))
 *         Name (_UID, 1)
 *         Name (_CRS, ResourceTemplate () {
 *             IO (Decode16, 0x3f8, 0x3f8, 1, 8)
 *             IRQNoFlags () {4}
 *         })
 *     }
 *     Device (RTC) {
 *         Name (_HID, EisaId ("PNP0B00"))
 *         Name (_CRS, ResourceTemplate () { IO (Decode16, 0x70, 0x70, 1, 2) IRQNoFlags () {} })
 *     }
 * }
 * Name (\_S5, Package () { VACPI_S5, Zero, Zero, Zero })
 * IRQNoFlags: edge, active high, exclusive. The clock has no interrupt, and must say so: Linux takes silence for IRQ 8.
 */
/* clang-format off */
static const u8 aml[] = {
    0x10, 0x4b, 0x05, '\\', '_', 'S', 'B', '_',
    0x5b, 0x82, 0x2b, 'C', 'O', 'M', '1',
    0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01,
    0x08, '_', 'U', 'I', 'D', 0x01,
    0x08, '_', 'C', 'R', 'S', 0x11, 0x10, 0x0a, 0x0d,
    0x47, 0x01, LOW(VUART_BASE), HIGH(VUART_BASE), LOW(VUART_BASE), HIGH(VUART_BASE), 0x01, 0x08,
    0x22, LOW(1u << VUART_IRQ), HIGH(1u << VUART_IRQ),
    0x79, 0x00,
    0x5b, 0x82, 0x25, 'R', 'T', 'C', '_',
    0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0b, 0x00,
    0x08, '_', 'C', 'R', 'S', 0x11, 0x10, 0x0a, 0x0d,
    0x47, 0x01, 0x70, 0x00, 0x70, 0x00, 0x01, 0x02,
    0x22, 0x00, 0x00,
    0x79, 0x00,
    0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, VACPI_S5, 0x00, 0x00, 0x00,
};
/* clang-format on */

static u8 checksum(const void *table, size_t len)
{
    const u8 *bytes = table;
    u8 sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = (u8)(sum + bytes[i]);
    return (u8)-sum;
}

static void header_init(struct header *h, const char *signature, u8 revision)
{
    memcpy(h->signature, signature, sizeof(h->signature));
    h->revision = revision;
    memcpy(h->oem_id, "PITH  ", sizeof(h->oem_id));
    memcpy(h->oem_table_id, "PITHVM  ", sizeof(h->oem_table_id));
    h->oem_revision = 1;
    memcpy(h->creator_id, "PITH", sizeof(h->creator_id));
    h->creator_revision = 1;
}

static size_t header_finish(struct header *h, size_t len)
{
    h->length = (u32)len;
    h->checksum = checksum(h, len);
    return len;
}

static void build_rsdp(void *buf, gpa_t xsdt)
{
    struct rsdp *r = buf;

    memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
    memcpy(r->oem_id, "PITH  ", sizeof(r->oem_id));
    r->revision = 2;
    r->length = sizeof(*r);
    r->xsdt = xsdt;
    r->checksum = checksum(r, offsetof(struct rsdp, length));
    r->extended_checksum = checksum(r, sizeof(*r));
}

static void build_xsdt(void *buf, gpa_t fadt, gpa_t madt)
{
    struct xsdt *x = buf;

    header_init(&x->h, "XSDT", 1);
    x->fadt = fadt;
    x->madt = madt;
    header_finish(&x->h, sizeof(*x));
}

static void build_dsdt(void *buf)
{
    struct header *h = buf;

    header_init(h, "DSDT", 2);
    memcpy(h + 1, aml, sizeof(aml));
    header_finish(h, sizeof(*h) + sizeof(aml));
}

static void build_facs(void *buf)
{
    struct facs *f = buf;

    memcpy(f->signature, "FACS", sizeof(f->signature));
    f->length = sizeof(*f);
    f->version = 2;
}

/* access: 1 byte, 2 word, 3 dword */
static struct address port(u16 number, u8 bits, u8 access)
{
    return (struct address){ .space = SPACE_IO, .bits = bits, .access = access, .address = number };
}

static void build_fadt(void *buf, gpa_t dsdt, gpa_t facs)
{
    struct fadt *f = buf;

    header_init(&f->h, "FACP", 6);
    f->minor_revision = 5;
    f->facs = facs >> 32 ? 0 : (u32)facs;
    f->x_facs = f->facs ? 0 : facs; /* one of the two */
    f->dsdt = dsdt >> 32 ? 0 : (u32)dsdt;
    f->x_dsdt = dsdt;
    f->sci = VACPI_SCI;
    f->pm1a_event = VACPI_PM1;
    f->pm1a_control = VACPI_PM1_CONTROL;
    f->timer = VACPI_TIMER;
    f->pm1_event_len = f->timer_len = 4;
    f->pm1_control_len = 2;
    f->x_pm1a_event = port(VACPI_PM1, 32, 2);
    f->x_pm1a_control = port(VACPI_PM1_CONTROL, 16, 2);
    f->x_timer = port(VACPI_TIMER, 32, 3);
    f->c2_latency = FADT_C2_NONE;
    f->c3_latency = FADT_C3_NONE;
    f->century = CMOS_CENTURY;
    f->boot_arch = FADT_BOOT_LEGACY | FADT_BOOT_VGA_ABSENT;
    f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLP_BUTTON | FADT_NO_FIX_RTC | FADT_TIMER_32 | FADT_RESET_REG;
    f->reset_reg = port(VACPI_RESET_PORT, 8, 1);
    f->reset_value = VACPI_RESET;
    memcpy(f->hypervisor, "Pith\0\0\0", sizeof(f->hypervisor));
    header_finish(&f->h, sizeof(*f));
}

static size_t build_madt(void *buf, u32 nr_vcpus)
{
    struct madt *m = buf;
    struct madt_lapic *cpu = (void *)(m + 1);
    struct madt_ioapic *io = (void *)(cpu + nr_vcpus);
    struct madt_override *pit = (void *)(io + 1);

    header_init(&m->h, "APIC", 6);
    m->lapic = (u32)VLAPIC_BASE;
    m->flags = PCAT_COMPAT;
    for (u32 i = 0; i < nr_vcpus; i++)
        cpu[i] = (struct madt_lapic){ 0, sizeof(*cpu), (u8)i, (u8)i, LAPIC_ENABLED };
    *io = (struct madt_ioapic){ .type = 1, .length = sizeof(*io), .address = (u32)VIOAPIC_BASE };
    *pit = (struct madt_override){ .type = MADT_OVERRIDE, .length = sizeof(*pit), .gsi = VPIT_GSI }; /* of ISA's IRQ 0 */
    return header_finish(&m->h, (size_t)((u8 *)(pit + 1) - (u8 *)buf));
}

size_t vacpi_build(u8 *buf, gpa_t gpa, u32 nr_vcpus)
{
    const size_t align = 16;
    size_t facs = 64; /* aligned to its size */
    size_t xsdt = facs + sizeof(struct facs);
    size_t dsdt = xsdt + ALIGN_UP(sizeof(struct xsdt), align);
    size_t fadt = dsdt + ALIGN_UP(sizeof(struct header) + sizeof(aml), align);
    size_t madt = fadt + ALIGN_UP(sizeof(struct fadt), align);

    if (nr_vcpus > MAX_LAPIC_ID + 1)
        return 0;

    memset(buf, 0, VACPI_SIZE);
    build_rsdp(buf, gpa + xsdt);
    build_facs(buf + facs);
    build_xsdt(buf + xsdt, gpa + fadt, gpa + madt);
    build_dsdt(buf + dsdt);
    build_fadt(buf + fadt, gpa + dsdt, gpa + facs);
    return madt + build_madt(buf + madt, nr_vcpus);
}
