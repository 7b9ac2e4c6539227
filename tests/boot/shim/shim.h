/* SPDX-License-Identifier: MIT */
/* A UEFI application that makes the firmware strange in the ways that \shim.txt names, then starts \EFI\BOOT\NEXT.EFI. */
#pragma once

#include <efi.h>
#include <efilib.h>

#include "hv/lib/types.h"

#define WORD_ARGS 3u

struct shim_word {
    const char *name;
    void (*fn)(const u64 *args); /* WORD_ARGS of them; those that are not given are 0 */
};
/* Each ends with a NULL name. */
extern const struct shim_word map_words[], screen_words[], acpi_words[], service_words[], cpu_words[];

extern EFI_BOOT_SERVICES *bs;
extern EFI_SYSTEM_TABLE *st;
extern EFI_BOOT_SERVICES real; /* as the firmware made them */

bool same_guid(const EFI_GUID *a, const EFI_GUID *b);
/* Zeroed, page-aligned, below 4 GiB. */
void *take(UINTN bytes, EFI_MEMORY_TYPE type);
void map_hook(void);
void acpi_finish(void); /* once all words were read */
void cpu_finish(void);  /* the last thing that the firmware does, after its boot services have ended */
