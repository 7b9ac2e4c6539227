/* SPDX-License-Identifier: MIT */
/*
 * ACPI, Secure Boot, the clock, the screen and the memory attributes: looked up while the firmware can still be
 * asked.
 */
#include "boot/loader.h"

#include "boot/calendar.h"
#include "boot/pixels.h"
#include "hv/lib/string.h"

/* UEFI Specification, "EFI_MEMORY_ATTRIBUTES_TABLE"; the descriptors follow it. */
struct memory_attributes {
    u32 version, count, stride, flags;
};
#define ATTRIBUTES_MAX    16384u
#define ATTRIBUTES_STRIDE 4096u
#define MEMORY_XP BIT(14) /* EFI_MEMORY_XP, EFI_MEMORY_RO */
#define MEMORY_RO BIT(17)
static EFI_GUID memory_attributes_guid = {
    0xdcfa911d, 0x26eb, 0x469f, { 0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20 }
};
static EFI_GUID acpi20_guid = ACPI_20_TABLE_GUID;
static EFI_GUID acpi10_guid = ACPI_TABLE_GUID;

static bool same_guid(const EFI_GUID *a, const EFI_GUID *b)
{
    u64 x[2], y[2];

    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return x[0] == y[0] && x[1] == y[1];
}

static void *find_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < fw.st->NumberOfTableEntries; i++) {
        if (same_guid(&fw.st->ConfigurationTable[i].VendorGuid, guid))
            return fw.st->ConfigurationTable[i].VendorTable;
    }
    return NULL;
}

u64 acpi_find_rsdp(void)
{
    void *rsdp = find_table(&acpi20_guid);

    return (u64)(rsdp ? rsdp : find_table(&acpi10_guid));
}

/* A byte among the UEFI Specification's "Globally Defined Variables". */
static bool variable_is_one(CHAR16 *name)
{
    UINTN size = 1;
    u8 value = 0;

    return !EFI_ERROR(fw.st->RuntimeServices->GetVariable(name, &EfiGlobalVariable, NULL, &size, &value)) && value == 1;
}

const char *secure_boot_state(void)
{
    return variable_is_one(L"SecureBoot") ? "on" : variable_is_one(L"SetupMode") ? "off, without keys" : "off";
}

u64 clock_seconds(void)
{
    struct calendar c;
    EFI_TIME t;

    if (EFI_ERROR(fw.st->RuntimeServices->GetTime(&t, NULL)))
        return 0;
    c = (struct calendar){ t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second, t.TimeZone };
    if (t.TimeZone == EFI_UNSPECIFIED_TIMEZONE)
        c.behind_utc = 0;
    return calendar_seconds(&c);
}

static struct pixel_masks masks_of(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
    const EFI_PIXEL_BITMASK *m = &info->PixelInformation;

    switch (info->PixelFormat) {
    case PixelBlueGreenRedReserved8BitPerColor:
        return (struct pixel_masks){ 0xff0000, 0xff00, 0xff, 0xff000000 };
    case PixelRedGreenBlueReserved8BitPerColor:
        return (struct pixel_masks){ 0xff, 0xff00, 0xff0000, 0xff000000 };
    case PixelBitMask:
        return (struct pixel_masks){ m->RedMask, m->GreenMask, m->BlueMask, m->ReservedMask };
    default:
        return (struct pixel_masks){ 0 };
    }
}

/* In the mode that the firmware chose: the one the user has seen work. NULL, or why there is none to draw in. */
static const char *screen_of(EFI_HANDLE handle, struct handoff_fb *fb)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    struct pixel_masks masks;
    const char *wrong;

    if (EFI_ERROR(fw.bs->HandleProtocol(handle, &GraphicsOutputProtocol, (void **)&gop)) || !gop->Mode || !gop->Mode->Info)
        return "the firmware offers none (GOP)";
    info = gop->Mode->Info;
    if (!gop->Mode->FrameBufferBase || info->PixelFormat == PixelBltOnly)
        return "it has no memory to draw in";
    masks = masks_of(info);
    fb->base = gop->Mode->FrameBufferBase;
    fb->width = info->HorizontalResolution;
    fb->height = info->VerticalResolution;
    fb->pitch = info->PixelsPerScanLine;
    wrong = pixels_layout(fb, &masks, gop->Mode->FrameBufferSize);
    if (!wrong && (fb->base >= physical_end() || (u64)fb->pitch * fb->height > physical_end() - fb->base)) {
        fb->bytes = 0;
        wrong = "it lies beyond what this processor addresses";
    }
    return wrong;
}

/* The console's own, or, where that one spans several graphics cards and has no memory, the first that has. */
struct handoff_fb screen_find(void)
{
    struct handoff_fb fb = { 0 };
    const char *wrong = screen_of(fw.st->ConsoleOutHandle, &fb);
    EFI_HANDLE *handles;
    UINTN n = 0;

    if (wrong && !EFI_ERROR(fw.bs->LocateHandleBuffer(ByProtocol, &GraphicsOutputProtocol, NULL, &n, &handles))) {
        for (UINTN i = 0; i < n && wrong; i++)
            wrong = screen_of(handles[i], &fb);
        fw.bs->FreePool(handles);
    }
    if (wrong)
        say("no screen for the hypervisor: %s - what it says from here on goes to the serial line alone", wrong);
    return fb;
}

static u32 attributes_of(const struct memory_attributes *table)
{
    if (!table)
        return 0;
    if (table->stride < sizeof(EFI_MEMORY_DESCRIPTOR) || table->stride > ATTRIBUTES_STRIDE || table->count > ATTRIBUTES_MAX) {
        say_info("UEFI's memory attributes table is damaged (%u entries of %u bytes), ignored", table->count, table->stride);
        return 0;
    }
    return table->count;
}

u32 attributes_max(void)
{
    return attributes_of(find_table(&memory_attributes_guid));
}

u32 attributes_runtime(struct handoff_runtime *out, u32 max)
{
    const struct memory_attributes *table = find_table(&memory_attributes_guid);
    const u8 *at = (const u8 *)(table + 1);
    u32 n = MIN(attributes_of(table), max), found = 0;

    for (u32 i = 0; i < n; i++, at += table->stride) {
        const EFI_MEMORY_DESCRIPTOR *d = (const void *)at;
        u32 access = (d->Attribute & MEMORY_RO ? 0 : HANDOFF_WRITE) | (d->Attribute & MEMORY_XP ? 0 : HANDOFF_EXECUTE);

        if (d->Attribute & EFI_MEMORY_RUNTIME)
            out[found++] = (struct handoff_runtime){ d->PhysicalStart, d->NumberOfPages << PAGE_SHIFT, access, 0 };
    }
    return found;
}
