/* SPDX-License-Identifier: MIT */
/* The firmware's tables, read only: what is needed of MADT, HPET, FADT and of the DSDT's \_S5 is copied out at boot. */
#pragma once

#include "hv/lib/types.h"

#define ACPI_MAX_IOAPICS 8u
#define ACPI_ISA_IRQS    16u
#define ACPI_MAX_KEPT    64u

enum acpi_space { ACPI_MEMORY = 0, ACPI_IO = 1, ACPI_PCI_CONFIG = 2 };

struct acpi_register { /* address 0: absent */
    u8 space;          /* enum acpi_space */
    u64 address;
};

struct acpi_ioapic {
    hpa_t base;
    u32 gsi_base;
};

struct acpi_isa_irq {
    u32 gsi;
    bool level, active_low;
};

/* What the tables say no guest may touch: registers that others depend on. */
struct acpi_kept {
    u64 first, last;
    bool ports; /* else memory */
    const char *what;
};

struct acpi_info {
    bool found; /* an RSDP that holds; below, what no table told is 0 */
    u32 nr_ioapics;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    struct acpi_isa_irq isa[ACPI_ISA_IRQS];
    hpa_t hpet;
    u16 pm_timer;                    /* port */
    u16 pm1a_cnt, pm1b_cnt;          /* ports */
    u16 smi_cmd;                     /* port that hands the PM block over, by writing acpi_enable */
    u8 acpi_enable;
    bool has_s5;
    u8 s5_typ_a, s5_typ_b;
    struct acpi_register reset;
    u8 reset_value;
    u32 nr_kept;
    struct acpi_kept kept[ACPI_MAX_KEPT];
};

/* Copies physical memory; false when the range cannot be read. */
typedef bool acpi_read_fn(hpa_t hpa, void *buf, size_t len);

/* Damaged tables are reported in the log and ignored. @rsdp 0: there are none. */
void acpi_parse(hpa_t rsdp, acpi_read_fn *read, struct acpi_info *out);
/* One more of what is kept; @base or @size 0: nothing. */
void acpi_keep(struct acpi_info *info, u64 base, u64 size, bool ports, const char *what);
