/* SPDX-License-Identifier: MIT */
/* The firmware's tables, read only: what is needed of MADT, HPET, FADT and of the DSDT's \_S5 is copied out. Pure. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

#define ACPI_MAX_KEPT 64u

/* What the tables say no guest may touch: registers that others depend on. */
struct acpi_kept {
    u64 first, last;
    bool ports; /* else memory */
    const char *what;
};

struct acpi_info {
    bool found; /* an RSDP that holds */
    hpa_t hpet;
    u16 pm_timer;
    struct handoff_machine machine;
    u32 nr_kept;
    struct acpi_kept kept[ACPI_MAX_KEPT];
};

/* Copies physical memory; false when the range cannot be read. */
typedef bool acpi_read_fn(hpa_t hpa, void *buf, size_t len);

/* Damaged tables are reported and ignored. @rsdp 0: there are none. */
void acpi_parse(hpa_t rsdp, acpi_read_fn *read, struct acpi_info *out);
/* The first whole table of that signature, and its length; 0: there is none. Says nothing. */
hpa_t acpi_find(hpa_t rsdp, acpi_read_fn *read, const char *signature, u32 *length);
/* One more of what is kept; @base or @size 0: nothing. */
void acpi_keep(struct acpi_info *info, u64 base, u64 size, bool ports, const char *what);
