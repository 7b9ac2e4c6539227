/* SPDX-License-Identifier: MIT */
/* Measurements into the TPM, by the firmware's driver: it hashes for every bank that is on, and writes the event log. */
#include "boot/loader.h"

#include "boot/measure.h"
#include "boot/tcg2.h"
#include "hv/lib/string.h"

static struct tcg2 *tpm;
static u32 banks;
static bool failed;

void tpm_find(void)
{
    struct tcg2_capability capability = { .size = sizeof(capability) };
    EFI_GUID guid = TCG2_GUID;

    if (EFI_ERROR(fw.bs->LocateProtocol(&guid, NULL, (void **)&tpm)) || EFI_ERROR(tpm->get_capability(tpm, &capability)) ||
        !capability.present)
        tpm = NULL;
    banks = capability.banks;
}

void tpm_say(void)
{
    if (!tpm)
        say_info("no TPM 2.0: nothing is measured");
    else if (!(banks & TCG2_SHA256))
        say("warning: the TPM's SHA-256 bank is off, so its PCRs are not what pith-check --pcrs says - turn it on in the firmware's setup");
    else
        say_info("TPM 2.0: the files are measured into PCR %u, pith.conf and the start into PCR %u", MEASURE_FILES, MEASURE_START);
}

void measure_event(u32 pcr, const void *data, size_t size, const char *name)
{
    struct {
        struct tcg2_event head;
        char text[MEASURE_TEXT];
    } __attribute__((packed)) event = { .head = { .header_version = 1, .pcr = pcr, .type = EV_IPL } };
    size_t length = strlen(name) + 1;
    EFI_STATUS status;

    if (!tpm || fw.leaving)
        return;
    memcpy(event.text, name, length);
    event.head.header_size = sizeof(event.head) - offsetof(struct tcg2_event, header_size);
    event.head.size = (u32)(sizeof(event.head) + length);
    status = tpm->hash_log_extend_event(tpm, 0, (u64)data, size, &event.head);
    if (EFI_ERROR(status) && !failed)
        say("warning: the TPM did not take '%s' (EFI error %lu), so PCR %u is not what pith-check --pcrs says - "
            "clear the TPM in the firmware's setup, or turn it off there",
            name, status & ~EFI_ERROR_MASK, pcr);
    failed |= EFI_ERROR(status);
}
