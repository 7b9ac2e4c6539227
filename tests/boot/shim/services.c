/* SPDX-License-Identifier: MIT */
/* Services that are missing, refuse, lie, or crash. */
#include "tests/boot/shim/shim.h"

/* PI Specification, EFI_MP_SERVICES_PROTOCOL: gnu-efi has no header for it. */
struct mp_info {
    u64 processor_id;
    u32 status, location[3], extended[6];
};
struct mp_services {
    EFI_STATUS(EFIAPI *count)(struct mp_services *mp, UINTN *all, UINTN *enabled);
    EFI_STATUS(EFIAPI *info)(struct mp_services *mp, UINTN number, struct mp_info *info);
};
#define MP_HEALTHY 6u /* enabled, too */

static EFI_GUID mp_guid = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
static EFI_GUID attributes_guid = { 0xdcfa911d, 0x26eb, 0x469f, { 0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20 } };
static struct mp_services lies, *mp;
static u64 ghost, disabled, claimed;
static bool mp_hidden;

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *key, void **interface)
{
    if (!same_guid(guid, &mp_guid))
        return real.LocateProtocol(guid, key, interface);
    *interface = &lies;
    return mp_hidden ? EFI_NOT_FOUND : EFI_SUCCESS;
}

static EFI_STATUS EFIAPI mp_count(struct mp_services *self, UINTN *all, UINTN *enabled)
{
    EFI_STATUS status = mp->count(mp, all, enabled);

    (void)self;
    *all += (UINTN)(claimed ? claimed : ghost != 0);
    return status;
}

static EFI_STATUS EFIAPI mp_info(struct mp_services *self, UINTN number, struct mp_info *info)
{
    EFI_STATUS status = mp->info(mp, number, info);

    (void)self;
    if (ghost && EFI_ERROR(status)) {
        *info = (struct mp_info){ .processor_id = ghost, .status = MP_HEALTHY };
        return EFI_SUCCESS;
    }
    if (disabled && number == disabled)
        info->status = 0;
    return status;
}

static EFI_STATUS EFIAPI mp_refuses(struct mp_services *self, UINTN *all, UINTN *enabled)
{
    (void)self;
    *all = *enabled = 0;
    return EFI_DEVICE_ERROR;
}

static void mp_lie(void)
{
    bs->LocateProtocol = locate;
    if (!mp && !EFI_ERROR(real.LocateProtocol(&mp_guid, NULL, (void **)&mp)))
        lies = (struct mp_services){ mp_count, mp_info };
}

static void w_mp_none(const u64 *a) { (void)a; mp_lie(); mp_hidden = true; }
static void w_mp_refuses(const u64 *a) { (void)a; mp_lie(); lies.count = mp_refuses; }
static void w_mp_ghost(const u64 *a) { mp_lie(); ghost = a[0]; }
static void w_mp_disabled(const u64 *a) { mp_lie(); disabled = a[0]; }
static void w_mp_claims(const u64 *a) { mp_lie(); claimed = a[0]; }

static EFI_STATUS EFIAPI no_low_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages, EFI_PHYSICAL_ADDRESS *at)
{
    return how == AllocateMaxAddress ? EFI_OUT_OF_RESOURCES : real.AllocatePages(how, type, pages, at);
}

static void w_no_low_pages(const u64 *a) { (void)a; bs->AllocatePages = no_low_pages; }

static EFI_STATUS EFIAPI no_time(EFI_TIME *time, EFI_TIME_CAPABILITIES *caps)
{
    (void)time;
    (void)caps;
    return EFI_DEVICE_ERROR;
}

static EFI_STATUS EFIAPI no_variable(CHAR16 *name, EFI_GUID *guid, UINT32 *attributes, UINTN *size, void *data)
{
    (void)name;
    (void)guid;
    (void)attributes;
    (void)size;
    (void)data;
    return EFI_DEVICE_ERROR;
}

static void w_no_time(const u64 *a) { (void)a; st->RuntimeServices->GetTime = no_time; }
static void w_no_variables(const u64 *a) { (void)a; st->RuntimeServices->GetVariable = no_variable; }

/* What runs in place of ResetSystem(), in the memory that is kept for that. */
static void reset_with(const u8 *code, UINTN bytes)
{
    void *page = take(bytes, EfiRuntimeServicesCode);

    if (!page)
        return;
    CopyMem(page, code, bytes);
    st->RuntimeServices->ResetSystem = page;
}

static void w_reset_returns(const u64 *a)
{
    static const u8 ret[] = { 0xc3 };

    (void)a;
    reset_with(ret, sizeof(ret));
}

/* mov $0x123456789000, %rax; mov (%rax), %eax */
static void w_reset_faults(const u64 *a)
{
    static const u8 code[] = { 0x48, 0xb8, 0x00, 0x90, 0x78, 0x56, 0x34, 0x12, 0, 0, 0x8b, 0x00 };

    (void)a;
    reset_with(code, sizeof(code));
}

static void w_reset_at(const u64 *a) { st->RuntimeServices->ResetSystem = (void *)a[0]; }

static void *table_of(const EFI_GUID *guid, bool hide)
{
    for (UINTN i = 0; i < st->NumberOfTableEntries; i++) {
        EFI_CONFIGURATION_TABLE *t = &st->ConfigurationTable[i];

        if (same_guid(&t->VendorGuid, guid)) {
            if (hide)
                ZeroMem(&t->VendorGuid, sizeof(t->VendorGuid));
            return t->VendorTable;
        }
    }
    return NULL;
}

static void w_no_tables(const u64 *a) { (void)a; st->NumberOfTableEntries = 0; }
static void w_no_attributes(const u64 *a) { (void)a; (void)table_of(&attributes_guid, true); }

/* Version, count, bytes of each: as if the table were damaged. */
static void w_attributes(const u64 *a)
{
    u32 *table = table_of(&attributes_guid, false);

    if (!table)
        return;
    table[1] = (u32)a[0];
    table[2] = (u32)a[1];
}

const struct shim_word service_words[] = {
    { "mp-none", w_mp_none },
    { "mp-refuses", w_mp_refuses },
    { "mp-ghost", w_mp_ghost },
    { "mp-disabled", w_mp_disabled },
    { "mp-claims", w_mp_claims },
    { "no-low-pages", w_no_low_pages },
    { "no-time", w_no_time },
    { "no-variables", w_no_variables },
    { "reset-returns", w_reset_returns },
    { "reset-faults", w_reset_faults },
    { "reset-at", w_reset_at },
    { "no-tables", w_no_tables },
    { "no-attributes", w_no_attributes },
    { "attributes", w_attributes },
    { NULL, NULL },
};
