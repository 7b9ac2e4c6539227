/* SPDX-License-Identifier: MIT */
/* What the loader says, and how it gives up: every line goes to the screen and to the serial line. */
#include "boot/loader.h"

#include "arch/x86/cpu/insn.h"
#include "boot/measure.h"
#include "boot/serial.h"
#include "boot/spcr.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define LINE_MAX     320
#define SCREENS_MAX  8
#define FAIL_SECONDS 60
#define LEVEL_INFO   2
#define USUAL_HZ     3000000000ull /* of a TSC: a wait without clocks is some 60 s */
#define PNP0501_EISA 0x050141d0u /* a 16550, as ACPI device path nodes name it */

struct firmware fw;

static SIMPLE_TEXT_OUTPUT_INTERFACE *screens[SCREENS_MAX];
static u32 nr_screens;
static u32 level = LEVEL_INFO;
static enum boot_stage stage;
static const char *const stages[] = { BOOT_STAGES(BOOT_STAGE_TEXT) };

/*
 * The firmware's own terminal on our line: through it every line would appear there twice, between
 * escape sequences.
 */
static bool is_ours(EFI_DEVICE_PATH *path)
{
    const struct manifest_serial *line = serial_at();

    for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path)) {
        const ACPI_HID_DEVICE_PATH *acpi = (const void *)path;
        const PCI_DEVICE_PATH *pci = (const void *)path;

        if (line->kind == MANIFEST_LINE_PORTS && DevicePathType(path) == ACPI_DEVICE_PATH && DevicePathSubType(path) == ACPI_DP &&
            acpi->HID == PNP0501_EISA && acpi->UID < MANIFEST_COMS && manifest_com(acpi->UID).base == line->base)
            return true;
        if (line->kind == MANIFEST_LINE_PCI && DevicePathType(path) == HARDWARE_DEVICE_PATH && DevicePathSubType(path) == HW_PCI_DP &&
            pci->Device * 8u + pci->Function == (line->function & 0xff))
            return true;
    }
    return false;
}

static void add_screen(EFI_HANDLE handle)
{
    SIMPLE_TEXT_OUTPUT_INTERFACE *out;
    EFI_DEVICE_PATH *path;

    if (nr_screens == SCREENS_MAX)
        return;
    /*
     * A console without a device path is the firmware's splitter, which stands for all the others.
     */
    if (EFI_ERROR(fw.bs->HandleProtocol(handle, &DevicePathProtocol, (void **)&path)) || !path)
        return;
    if (is_ours(path))
        return;
    if (!EFI_ERROR(fw.bs->HandleProtocol(handle, &TextOutProtocol, (void **)&out)))
        screens[nr_screens++] = out;
}

static void find_screens(void)
{
    EFI_HANDLE *handles = NULL;
    UINTN n = 0;

    nr_screens = 0;
    if (!EFI_ERROR(fw.bs->LocateHandleBuffer(ByProtocol, &TextOutProtocol, NULL, &n, &handles))) {
        for (UINTN i = 0; i < n; i++)
            add_screen(handles[i]);
        fw.bs->FreePool(handles);
    }
    if (!nr_screens && serial_at()->kind == MANIFEST_LINE_NONE && fw.st->ConOut)
        screens[nr_screens++] = fw.st->ConOut;
}

/* What was wrong with the line that a table names: said once one can speak. */
static char table_wrong[SPCR_SOURCES][SERIAL_TEXT];

/* The firmware's tables know which of several is the console; without them it is the first one, where PCs have it. */
static void find_line(void)
{
    struct manifest_serial line;

    for (u32 i = 0; i < SPCR_SOURCES; i++) {
        const char *wrong;

        if (!spcr_find(i, acpi_find_rsdp(), physical_read, &line, table_wrong[i], sizeof(table_wrong[i])))
            continue;
        wrong = serial_open(&line, spcr_name(i));
        if (!wrong)
            return;
        fmt_str(table_wrong[i], sizeof(table_wrong[i]), "it names %s 0x%lx: %s",
                line.kind == MANIFEST_LINE_PORTS ? "port" : "memory", line.base, wrong);
    }
    line = manifest_com(0);
    if (serial_open(&line, NULL))
        return; /* none: what is said then tells */
}

void say_init(void)
{
    find_line();
    serial_write("\r\n"); /* the firmware may have left the cursor anywhere */
    find_screens();
}

const char *say_at(const struct manifest_serial *want)
{
    static char text[SERIAL_TEXT];
    const char *wrong = want->kind == MANIFEST_LINE_AUTO ? NULL : serial_open(want, NULL);

    if (wrong)
        return wrong;
    find_screens();
    for (u32 i = 0; i < SPCR_SOURCES && want->kind == MANIFEST_LINE_AUTO; i++)
        if (*table_wrong[i])
            say("ACPI: table %s is of no use for the serial line: %s", spcr_name(i), table_wrong[i]);
    say_info("serial line: %s", serial_text(text));
    return NULL;
}

void say_leave(void)
{
    nr_screens = 0;
}

void say_set_level(u32 new_level)
{
    level = new_level;
}

static void say_line(const char *fmt, va_list ap)
{
    char line[LINE_MAX] = "[pith] ";
    CHAR16 wide[LINE_MAX + 1];
    size_t n = 7;

    n += fmt_vstr(line + n, sizeof(line) - n - 2, fmt, ap);
    line[n++] = '\r';
    line[n++] = '\n';
    line[n] = '\0';
    serial_write(line);
    for (size_t i = 0; i <= n; i++)
        wide[i] = (CHAR16)(u8)line[i];
    for (u32 i = 0; i < nr_screens; i++)
        screens[i]->OutputString(screens[i], wide);
}

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say_line(fmt, ap);
    va_end(ap);
}

void say_info(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (level >= LEVEL_INFO)
        say_line(fmt, ap);
    va_end(ap);
}

void boot_stage(enum boot_stage next)
{
    stage = next;
    say_info("%2u/%u %s", stage, BOOT_STAGES_ALL, stages[stage]);
}

/* Until a key is pressed from now on, or the time is over. */
static void wait_for_user(void)
{
    EFI_EVENT events[2];
    UINTN n = 1, which;

    if (EFI_ERROR(fw.bs->CreateEvent(EVT_TIMER, TPL_APPLICATION, NULL, NULL, &events[0])) ||
        EFI_ERROR(fw.bs->SetTimer(events[0], TimerRelative, FAIL_SECONDS * 10000000ull))) {
        fw.bs->Stall(FAIL_SECONDS * 1000000);
        return;
    }
    if (fw.st->ConIn) {
        fw.st->ConIn->Reset(fw.st->ConIn, FALSE);
        events[n++] = fw.st->ConIn->WaitForKey;
    }
    fw.bs->WaitForEvent(n, events, &which);
    if (n == 2 && which == 1)
        fw.st->ConIn->Reset(fw.st->ConIn,
                            FALSE); /* that key was for us, not for the firmware's menu */
    fw.bs->CloseEvent(events[0]);
}

void boot_fail(const char *fmt, ...)
{
    char why[LINE_MAX - 32];
    va_list ap;

    va_start(ap, fmt);
    fmt_vstr(why, sizeof(why), fmt, ap);
    va_end(ap);
    say("cannot start: %s", why);
    say("this was stage %u of %u, %s", stage, BOOT_STAGES_ALL, stages[stage]);
    measure_refusal(stage, why);
    if (fw.leaving) { /* no timers, no keyboard, no way back */
        for (u64 end = rdtsc() + FAIL_SECONDS * USUAL_HZ; rdtsc() < end;)
            cpu_relax();
        fw.st->RuntimeServices->ResetSystem(EfiResetCold, EFI_ABORTED, 0, NULL);
    } else {
        say("press a key to return to the firmware; it happens by itself after %u seconds",
            FAIL_SECONDS);
        wait_for_user();
        blocks_release();
        fw.bs->Exit(fw.image, EFI_ABORTED, 0, NULL);
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
