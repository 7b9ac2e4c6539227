/* SPDX-License-Identifier: MIT */
/* A UEFI application for emulators whose firmware has no ACPI: installs tables for a PIIX4 machine, then starts \EFI\BOOT\NEXT.EFI. */
#include <efi.h>
#include <efilib.h>

#include "arch/x86/cpu/insn.h"
#include "hv/lib/types.h"

#define LAPIC_BASE   0xfee00000u
#define IOAPIC_BASE  0xfec00000u
#define HPET_BASE    0xfed00000u
#define PIIX4_PMBASE 0x80000b40u /* PCI 0:1.3, register 0x40 */
#define PMBASE_MASK  0xffc0u
#define MAX_CORES    16u
#define FADT_RESET_REG_SUP BIT(10)
#define PACKED __attribute__((packed))

struct header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem_id[6], oem_table_id[8];
    u32 oem_revision, creator_id, creator_revision;
} PACKED;
struct gas { u8 space, bits, offset, access; u64 address; } PACKED; /* ACPI, Generic Address Structure; space 1: port */
struct rsdp {
    char signature[8];
    u8 checksum;
    char oem_id[6];
    u8 revision;
    u32 rsdt, length;
    u64 xsdt;
    u8 extended_checksum, reserved[3];
} PACKED;
struct xsdt { struct header h; u64 tables[3]; } PACKED;
struct facs { char signature[4]; u32 length, hardware, waking, lock, flags; u64 waking64; u8 version, reserved[31]; } PACKED;
struct fadt {
    struct header h;
    u32 facs, dsdt;
    u8 model, profile;
    u16 sci_irq;
    u32 smi_command;
    u8 acpi_enable, acpi_disable, s4bios, pstate;
    u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    u8 pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len, gpe0_len, gpe1_len, gpe1_base, cst;
    u16 c2_latency, c3_latency, flush_size, flush_stride;
    u8 duty_offset, duty_width, day_alarm, month_alarm, century;
    u16 boot_flags;
    u8 reserved;
    u32 flags;
    struct gas reset;
    u8 reset_value;
    u16 arm_flags;
    u8 minor;
    u64 x_facs, x_dsdt;
    struct gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
} PACKED;
_Static_assert(sizeof(struct fadt) == 244, "ACPI 3.0, FADT");
struct madt_lapic { u8 type, length, uid, id; u32 flags; } PACKED;
struct madt {
    struct header h;
    u32 lapic, flags;
    struct { u8 type, length, id, reserved; u32 address, gsi_base; } PACKED ioapic;
    struct { u8 type, length, bus, irq; u32 gsi; u16 flags; } PACKED timer;
    struct madt_lapic cores[MAX_CORES];
} PACKED;
struct hpet { struct header h; u32 id; struct gas base; u8 number; u16 min_tick; u8 protection; } PACKED;

/* A DSDT that can power the machine off: Name (_S5, Package () {0, 0, 0, 0}). PIIX4: SLP_TYP 0 is soft off. */
static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00 };

static struct tables {
    struct rsdp rsdp;
    struct facs facs __attribute__((aligned(64)));
    struct xsdt xsdt;
    struct fadt fadt;
    struct madt madt;
    struct hpet hpet;
    struct { struct header h; u8 aml[sizeof(s5)]; } PACKED dsdt;
} *tables;

/* PI Specification, EFI_MP_SERVICES_PROTOCOL: gnu-efi has no header for it. */
struct mp_info { u64 processor_id; u32 status, location[3], extended[6]; };
struct mp_services {
    EFI_STATUS(EFIAPI *count)(struct mp_services *mp, UINTN *all, UINTN *enabled);
    EFI_STATUS(EFIAPI *info)(struct mp_services *mp, UINTN number, struct mp_info *info);
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static u8 sum(const void *data, u32 size)
{
    const u8 *bytes = data;
    u8 total = 0;

    while (size--)
        total = (u8)(total + *bytes++);
    return total;
}

static void finish(struct header *h, const char *signature, u32 length, u8 revision)
{
    CopyMem(h->signature, signature, 4);
    CopyMem(h->oem_id, "PITHTSACPISHIM", 14);
    h->length = length;
    h->revision = revision;
    h->checksum = (u8)-sum(h, length);
}

static struct gas port(u32 address, u8 bits)
{
    return (struct gas){ .space = 1, .bits = bits, .address = address };
}

/* Where the power management registers of the PIIX4 are, after giving them a place when the firmware did not. */
static u32 power_registers(void)
{
    u32 base;

    outl(0xcf8, PIIX4_PMBASE);
    base = inl(0xcfc) & PMBASE_MASK;
    if (base)
        return base;
    outl(0xcfc, 0xb001);
    outl(0xcf8, PIIX4_PMBASE + 0x40);
    outl(0xcfc, inl(0xcfc) | 1);
    return 0xb000;
}

static void make_fadt(u32 pm)
{
    struct fadt *f = &tables->fadt;

    f->facs = (u32)(u64)&tables->facs;
    f->dsdt = (u32)(u64)&tables->dsdt;
    f->x_facs = f->facs;
    f->x_dsdt = f->dsdt;
    f->sci_irq = 9;
    f->pm1a_event = pm;
    f->pm1a_control = pm + 4;
    f->pm_timer = pm + 8;
    f->pm1_event_len = 4;
    f->pm1_control_len = 2;
    f->pm_timer_len = 4;
    f->c2_latency = 0xfff;
    f->c3_latency = 0xfff;
    f->century = 0x32;
    f->boot_flags = 3; /* legacy devices, keyboard controller */
    f->flags = 1 | FADT_RESET_REG_SUP;
    f->reset = port(0xcf9, 8);
    f->reset_value = 6;
    f->x_pm1a_event = port(pm, 32);
    f->x_pm1a_control = port(pm + 4, 16);
    f->x_pm_timer = port(pm + 8, 32);
    finish(&f->h, "FACP", sizeof(*f), 3);
}

static void make_madt(EFI_BOOT_SERVICES *bs)
{
    EFI_GUID guid = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
    struct madt *m = &tables->madt;
    struct mp_services *mp = NULL;
    UINTN all = 1, enabled;

    if (!EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&mp)))
        mp->count(mp, &all, &enabled);
    if (all > MAX_CORES)
        all = MAX_CORES;
    for (UINTN i = 0; i < all; i++) {
        struct mp_info info = { .processor_id = i };

        if (mp)
            mp->info(mp, i, &info);
        m->cores[i] = (struct madt_lapic){ 0, sizeof(m->cores[i]), (u8)i, (u8)info.processor_id, 1 };
    }
    m->lapic = LAPIC_BASE;
    m->flags = 1; /* two 8259 are there too */
    m->ioapic.type = 1;
    m->ioapic.length = sizeof(m->ioapic);
    m->ioapic.id = (u8)all;
    m->ioapic.address = IOAPIC_BASE;
    m->timer.type = 2; /* interrupt source override: IRQ 0 is input 2 */
    m->timer.length = sizeof(m->timer);
    m->timer.gsi = 2;
    finish(&m->h, "APIC", (u32)((u8 *)&m->cores[all] - (u8 *)m), 3);
}

static void make_rest(void)
{
    struct tables *t = tables;

    CopyMem(t->facs.signature, "FACS", 4);
    t->facs.length = sizeof(t->facs);
    t->facs.version = 1;
    CopyMem(t->dsdt.aml, s5, sizeof(s5));
    finish(&t->dsdt.h, "DSDT", sizeof(t->dsdt), 2);
    t->hpet.id = 0x8086a201;
    t->hpet.base = (struct gas){ .bits = 64, .address = HPET_BASE };
    t->hpet.min_tick = 128;
    finish(&t->hpet.h, "HPET", sizeof(t->hpet), 1);
    t->xsdt.tables[0] = (u64)&t->fadt;
    t->xsdt.tables[1] = (u64)&t->madt;
    t->xsdt.tables[2] = (u64)&t->hpet;
    finish(&t->xsdt.h, "XSDT", sizeof(t->xsdt), 1);
    CopyMem(t->rsdp.signature, "RSD PTR PITHTS", 8);
    t->rsdp.revision = 2;
    t->rsdp.length = sizeof(t->rsdp);
    t->rsdp.xsdt = (u64)&t->xsdt;
    t->rsdp.checksum = (u8)-sum(&t->rsdp, 20);
    t->rsdp.extended_checksum = (u8)-sum(&t->rsdp, sizeof(t->rsdp));
}

static EFI_STATUS start_next(EFI_HANDLE image, EFI_BOOT_SERVICES *bs)
{
    EFI_LOADED_IMAGE *self;
    EFI_HANDLE next;
    EFI_STATUS status = bs->HandleProtocol(image, &LoadedImageProtocol, (void **)&self);

    if (EFI_ERROR(status))
        return status;
    status = bs->LoadImage(FALSE, image, FileDevicePath(self->DeviceHandle, L"\\EFI\\BOOT\\NEXT.EFI"), NULL, 0, &next);
    if (EFI_ERROR(status))
        return status;
    return bs->StartImage(next, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    EFI_GUID acpi20 = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
    EFI_BOOT_SERVICES *bs = st->BootServices;
    EFI_PHYSICAL_ADDRESS at = 0xffffffff;
    EFI_STATUS status;

    InitializeLib(image, st);
    status = bs->AllocatePages(AllocateMaxAddress, EfiACPIReclaimMemory, EFI_SIZE_TO_PAGES(sizeof(*tables)), &at);
    if (EFI_ERROR(status))
        return status;
    tables = (struct tables *)at;
    ZeroMem(tables, sizeof(*tables));
    make_fadt(power_registers());
    make_madt(bs);
    make_rest();
    status = bs->InstallConfigurationTable(&acpi20, &tables->rsdp);
    Print(L"acpishim: ACPI tables %s\r\n", EFI_ERROR(status) ? L"not installed" : L"installed");
    return EFI_ERROR(status) ? status : start_next(image, bs);
}
