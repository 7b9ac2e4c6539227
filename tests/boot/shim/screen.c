/* SPDX-License-Identifier: MIT */
/* The screen in another mode, or told of otherwise than it is, or none; and no console. */
#include "tests/boot/shim/shim.h"

#include "arch/x86/cpu/insn.h"

#define DISPI_INDEX 0x1ceu /* QEMU, "VBE DISPI interface": of its standard VGA */
#define DISPI_DATA  0x1cfu
enum dispi { DISPI_XRES = 1, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH };
#define DISPI_ON 0x41u /* with its linear frame buffer */

static EFI_GRAPHICS_OUTPUT_PROTOCOL gop;
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
static bool none;

/* The firmware's own console goes on with what it has: only those that ask now are lied to. */
static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **interface)
{
    if (!same_guid(guid, &GraphicsOutputProtocol))
        return real.HandleProtocol(handle, guid, interface);
    *interface = &gop;
    return none ? EFI_UNSUPPORTED : EFI_SUCCESS;
}

static EFI_STATUS EFIAPI locate_handles(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, void *key, UINTN *nr, EFI_HANDLE **handles)
{
    if (how == ByProtocol && same_guid(guid, &GraphicsOutputProtocol) && none)
        return EFI_NOT_FOUND;
    return real.LocateHandleBuffer(how, guid, key, nr, handles);
}

static void lie(void)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *there;

    if (gop.Mode || EFI_ERROR(real.LocateProtocol(&GraphicsOutputProtocol, NULL, (void **)&there)))
        return;
    gop = *there;
    mode = *there->Mode;
    info = *there->Mode->Info;
    gop.Mode = &mode;
    mode.Info = &info;
    bs->HandleProtocol = handle_protocol;
    bs->LocateHandleBuffer = locate_handles;
}

static void dispi(u16 index, u16 value)
{
    outw(DISPI_INDEX, index);
    outw(DISPI_DATA, value);
}

static void set_masks(u32 red, u32 green, u32 blue, u32 reserved)
{
    info.PixelFormat = PixelBitMask;
    info.PixelInformation = (EFI_PIXEL_BITMASK){ red, green, blue, reserved };
}

/* The mode as it is, with so many bits a pixel, and so many pixels a line in memory if that is not 0. */
static void w_bits(const u64 *a)
{
    lie();
    dispi(DISPI_ENABLE, 0);
    dispi(DISPI_XRES, (u16)info.HorizontalResolution);
    dispi(DISPI_YRES, (u16)info.VerticalResolution);
    dispi(DISPI_BPP, (u16)a[0]);
    dispi(DISPI_ENABLE, DISPI_ON);
    if (a[1]) {
        dispi(DISPI_VIRT_WIDTH, (u16)a[1]);
        info.PixelsPerScanLine = (UINT32)a[1];
    }
    if (a[0] == 16)
        set_masks(0xf800, 0x7e0, 0x1f, 0);
    if (a[0] == 15)
        set_masks(0x7c00, 0x3e0, 0x1f, 0x8000);
    if (a[0] == 24)
        set_masks(0xff0000, 0xff00, 0xff, 0);
    if (a[0] == 8)
        set_masks(0xe0, 0x1c, 0x03, 0);
    mode.FrameBufferSize = (u64)info.PixelsPerScanLine * info.VerticalResolution * ((a[0] + 7) / 8);
}

static void w_masks(const u64 *a)
{
    lie();
    set_masks((u32)a[0], (u32)a[1], (u32)a[2], 0);
}

static void w_format(const u64 *a) { lie(); info.PixelFormat = (EFI_GRAPHICS_PIXEL_FORMAT)a[0]; }
static void w_none(const u64 *a) { (void)a; lie(); none = true; }
static void w_size(const u64 *a) { lie(); mode.FrameBufferSize = a[0]; }
static void w_base(const u64 *a) { lie(); mode.FrameBufferBase = a[0]; }
static void w_pitch(const u64 *a) { lie(); info.PixelsPerScanLine = (UINT32)a[0]; }
static void w_no_mode(const u64 *a) { (void)a; lie(); gop.Mode = NULL; }
static void w_no_info(const u64 *a) { (void)a; lie(); mode.Info = NULL; }

static void w_resolution(const u64 *a)
{
    lie();
    info.HorizontalResolution = info.PixelsPerScanLine = (UINT32)a[0];
    info.VerticalResolution = (UINT32)a[1];
}

static EFI_STATUS EFIAPI no_text(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, void *key, UINTN *nr, EFI_HANDLE **handles)
{
    return same_guid(guid, &TextOutProtocol) ? EFI_NOT_FOUND : real.LocateHandleBuffer(how, guid, key, nr, handles);
}

static void w_no_console(const u64 *a)
{
    (void)a;
    st->ConOut = st->StdErr = NULL;
    st->ConIn = NULL;
    st->ConsoleOutHandle = st->ConsoleInHandle = st->StandardErrorHandle = NULL;
    bs->LocateHandleBuffer = no_text;
}

const struct shim_word screen_words[] = {
    { "screen-bits", w_bits },       { "screen-masks", w_masks },     { "screen-format", w_format }, { "screen-none", w_none },
    { "screen-size", w_size },       { "screen-base", w_base },       { "screen-pitch", w_pitch },   { "screen-no-mode", w_no_mode },
    { "screen-no-info", w_no_info }, { "screen-at", w_resolution },   { "no-console", w_no_console }, { NULL, NULL },
};
