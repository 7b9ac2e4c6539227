/* SPDX-License-Identifier: MIT */
/* Which serial line the firmware's tables name. Pure. */
#pragma once

#include "boot/acpi.h"
#include "hv/abi/manifest.h"

#define SPCR_SOURCES 2u

/* SPCR or DBG2, for @source 0 and 1. */
const char *spcr_name(u32 source);
/* False: there is none, or it names no 16550 that Pith can drive; then why, or an empty text, in @why. */
bool spcr_find(u32 source, hpa_t rsdp, acpi_read_fn *read, struct manifest_serial *out, char *why, size_t size);
