/* SPDX-License-Identifier: MIT */
/*
 * Starts the loader, \EFI\BOOT\NEXT.EFI, and tells on COM1 what a TPM has of it: the event log's entries for the loader's PCRs and those
 * PCRs, when the loader leaves the firmware or has come back. With a file \tpm-fails on the volume, the TPM takes nothing.
 */
#include <efi.h>
#include <efilib.h>

#include "arch/x86/cpu/insn.h"
#include "boot/measure.h"
#include "boot/tcg2.h"

#define COM1       0x3f8
#define FORMAT_2_0 2u /* of the event log: EFI_TCG2_EVENT_LOG_FORMAT_TCG_2 */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static struct tcg2 *tpm;

/* The firmware's console may be gone, and would break long lines. */
static void write(const char *s)
{
    for (; *s; s++) {
        while (!(inb(COM1 + 5) & 0x20))
            cpu_relax();
        outb(COM1, (u8)*s);
    }
}

static void write_hash(const u8 *hash)
{
    static const char digits[] = "0123456789abcdef";

    write("sha256:");
    for (u32 i = 0; i < SHA256_SIZE; i++)
        write((char[]){ digits[hash[i] >> 4], digits[hash[i] & 15], 0 });
}

static void write_number(u32 pcr)
{
    write((char[]){ (char)('0' + pcr / 10), (char)('0' + pcr % 10), ' ', 0 });
}

static u32 digest_size(u16 algorithm)
{
    switch (algorithm) { /* TCG Algorithm Registry */
    case 4:
        return 20;
    case 0xb:
    case 0x12:
        return 32;
    case 0xc:
        return 48;
    default:
        return 64;
    }
}

static u32 get(const u8 *at, u32 size)
{
    u32 value = 0;

    CopyMem(&value, (void *)at, size);
    return value;
}

/* PC Client Platform Firmware Profile, "TCG_PCR_EVENT2": PCR, type, digests, size and text. Returns where the next one begins. */
static const u8 *write_event(const u8 *e)
{
    u32 pcr = get(e, 4), type = get(e + 4, 4), digests = get(e + 8, 4);
    const u8 *hash = NULL;

    e += 12;
    for (u32 i = 0; i < digests; i++) {
        u16 algorithm = (u16)get(e, 2);

        if (algorithm == 0xb)
            hash = e + 2;
        e += 2 + digest_size(algorithm);
    }
    if ((pcr == MEASURE_FILES || pcr == MEASURE_START) && type == EV_IPL && hash) {
        write("tpmshim: ");
        write_number(pcr);
        write_hash(hash);
        write(" ");
        write((const char *)e + 4);
        write("\r\n");
    }
    return e + 4 + get(e, 4);
}

static void write_log(void)
{
    u64 first = 0, last = 0;
    u8 truncated = 0;
    const u8 *e;

    if (EFI_ERROR(tpm->get_event_log(tpm, FORMAT_2_0, &first, &last, &truncated)) || !first || truncated) {
        write("tpmshim: no event log\r\n");
        return;
    }
    e = (const u8 *)first;
    e += 32 + get(e + 28, 4); /* the first is older: PCR, type, a SHA-1, size and text */
    while (e <= (const u8 *)last)
        e = write_event(e);
}

/* TPM2_PCR_Read(), one PCR of the SHA-256 bank; all numbers are big endian. */
static void write_pcr(u32 pcr)
{
    u8 command[] = { 0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 0xb, 3, 0, 0, 0 }, answer[62];

    command[17 + pcr / 8] = (u8)(1 << pcr % 8);
    if (EFI_ERROR(tpm->submit_command(tpm, sizeof(command), command, sizeof(answer), answer)) || get(answer + 6, 4)) {
        write("tpmshim: a PCR cannot be read\r\n");
        return;
    }
    write("tpmshim: PCR ");
    write_number(pcr);
    write_hash(answer + 30);
    write("\r\n");
}

static void EFIAPI tell(EFI_EVENT event, void *context)
{
    (void)event;
    (void)context;
    write_log();
    write_pcr(MEASURE_FILES);
    write_pcr(MEASURE_START);
}

static EFI_STATUS EFIAPI fail(struct tcg2 *t, u64 flags, u64 data, u64 size, const struct tcg2_event *event)
{
    (void)t;
    (void)flags;
    (void)data;
    (void)size;
    (void)event;
    return EFI_DEVICE_ERROR;
}

static void fail_if_wanted(EFI_BOOT_SERVICES *bs, EFI_HANDLE volume)
{
    EFI_FILE_IO_INTERFACE *fs;
    EFI_FILE_HANDLE root, f;

    if (!EFI_ERROR(bs->HandleProtocol(volume, &FileSystemProtocol, (void **)&fs)) && !EFI_ERROR(fs->OpenVolume(fs, &root)) &&
        !EFI_ERROR(root->Open(root, &f, L"tpm-fails", EFI_FILE_MODE_READ, 0)))
        tpm->hash_log_extend_event = fail;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    EFI_BOOT_SERVICES *bs = st->BootServices;
    EFI_GUID guid = TCG2_GUID;
    EFI_LOADED_IMAGE *self;
    EFI_STATUS status;
    EFI_EVENT leaving;
    EFI_HANDLE next;

    InitializeLib(image, st);
    status = bs->LocateProtocol(&guid, NULL, (void **)&tpm);
    if (!EFI_ERROR(status))
        status = bs->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_CALLBACK, tell, NULL, &leaving);
    if (!EFI_ERROR(status))
        status = bs->HandleProtocol(image, &LoadedImageProtocol, (void **)&self);
    if (EFI_ERROR(status)) {
        write("tpmshim: no TPM\r\n");
        return status;
    }
    status = bs->LoadImage(FALSE, image, FileDevicePath(self->DeviceHandle, L"\\EFI\\BOOT\\NEXT.EFI"), NULL, 0, &next);
    if (!EFI_ERROR(status)) {
        fail_if_wanted(bs, self->DeviceHandle); /* not earlier: what cannot be measured is not loaded either */
        status = bs->StartImage(next, NULL, NULL);
    }
    bs->CloseEvent(leaving);
    tell(NULL, NULL);
    return status;
}
