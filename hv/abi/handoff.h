/* SPDX-License-Identifier: MIT */
/*
 * Boot loader -> hypervisor contract: one page, physical address in RDI at hv_entry.
 * At hv_entry: 64-bit, IF=0, the firmware's identity map, no stack; hv_entry builds its own tables at once.
 * The hypervisor's ELF image was copied to hv_base (2 MiB aligned, below 4 GiB); its segments keep their distances, and
 * hv_entry is called at hv_base + (e_entry - lowest p_vaddr). This page, the arrays and the manifest lie below 4 GiB.
 */
#pragma once

#include <stdint.h>

#define HANDOFF_MAGIC   0x46464f444e414856ull
#define HANDOFF_VERSION 11u

enum handoff_kind {
    HANDOFF_FREE = 1,        /* RAM nobody uses any more */
    HANDOFF_HV_IMAGE = 2,    /* the hypervisor, this page, its arrays, the manifest */
    HANDOFF_MODULE = 3,      /* what is copied into partitions at every start: files, and tables made by the loader */
    HANDOFF_ACPI = 4,        /* ACPI tables and NVS */
    HANDOFF_RESERVED = 5,    /* not RAM, or RAM that is the firmware's */
    HANDOFF_EFI_RUNTIME = 6, /* code and data of the firmware's runtime services */
};
enum handoff_cpu_flags { HANDOFF_CPU_BSP = 1, HANDOFF_CPU_DISABLED = 2 };

struct handoff_array { uint64_t base; uint32_t count, stride; };                /* elements lie in HANDOFF_HV_IMAGE memory */
struct handoff_range { uint64_t base, size; uint32_t kind; uint32_t pad; };     /* sorted, page-aligned, disjoint */
struct handoff_cpu { uint32_t apic_id, flags; };                                /* boot core first, then in the firmware's order */
struct handoff_colour { uint8_t shift, bits; };                                 /* where it is in a pixel */
struct handoff_fb {
    uint64_t base;
    uint32_t width, height, pitch;                                              /* pixels; pitch in bytes */
    uint8_t bytes;                                                              /* a pixel: 2 or 4, little endian; 0: no screen */
    struct handoff_colour red, green, blue;
    uint8_t pad[5];
};
enum handoff_access { HANDOFF_WRITE = 1, HANDOFF_EXECUTE = 2, HANDOFF_UNCACHED = 4 };
struct handoff_runtime { uint64_t base, size; uint32_t access, pad; };
struct handoff_ioapic { uint64_t base; uint32_t gsi_base, pad; };
/* Pith's serial line: a 16550, set up and asked whether it answers; bits 0: there is none. Memory ends below HANDOFF_SERIAL_END. */
#define HANDOFF_SERIAL_END 0x40000000000ull
#define HANDOFF_NO_GSI     0xffffffffu
struct handoff_serial { uint64_t base; uint32_t gsi; uint8_t space, stride, bits, pad; }; /* bytes a register; bits an access: 8, 32 */
struct handoff_isa_irq { uint32_t gsi; uint8_t level, active_low, pad[2]; };

/* What the firmware's tables tell, or else the chipset; 0: nothing. */
#define HANDOFF_IOAPICS  8u
#define HANDOFF_ISA_IRQS 16u
enum handoff_space { HANDOFF_MEMORY = 0, HANDOFF_IO = 1, HANDOFF_PCI_CONFIG = 2 }; /* as in ACPI's Generic Address Structure */
struct handoff_machine {
    struct handoff_ioapic ioapics[HANDOFF_IOAPICS];
    struct handoff_isa_irq isa[HANDOFF_ISA_IRQS];
    uint32_t nr_ioapics;
    uint16_t pm1a_cnt, pm1b_cnt;                 /* ports */
    uint16_t smi_cmd;                            /* port that hands the PM block over, by writing acpi_enable */
    uint16_t chipset_pm1;                        /* PM1 control where this chipset has it, for when ACPI's does nothing */
    uint16_t pm1a_evt, pm1b_evt;                 /* ports: status, and behind half of pm1_evt_len what is enabled */
    uint8_t chipset_s5, acpi_enable, has_s5, s5_typ_a, s5_typ_b;
    uint8_t reset_space, reset_value;
    uint8_t thread_bits;                         /* APIC IDs that differ in so many low bits only are threads of one core */
    uint8_t pm1_evt_len, pad[7];
    uint64_t reset;                              /* address */
    uint64_t tsc_khz, lapic_khz;                 /* measured; tsc_khz 0: a clock stands still */
};

struct handoff {
    uint64_t magic;
    uint32_t version, size;
    uint64_t hv_base, hv_size;
    uint64_t efi_reset;                          /* ResetSystem() of the UEFI runtime services; 0: none */
    uint64_t start_page;                         /* below 1 MiB, where other cores start; 0: none */
    uint64_t manifest_base, manifest_size;
    uint64_t boot_seconds;                       /* firmware's clock at hand-over, seconds since 1970; 0: unknown */
    struct handoff_fb fb;                        /* bytes 0: no screen */
    uint64_t font;                               /* 95 letters from ' ', 8 rows each, the leftmost pixel in bit 7 */
    struct handoff_array ranges;                 /* struct handoff_range */
    struct handoff_array cpus;                   /* struct handoff_cpu */
    struct handoff_array plans;                  /* struct load_plan, one for each partition of the manifest */
    struct handoff_array copies;                 /* struct plan_copy, of all of them */
    struct handoff_array runtime;                /* struct handoff_runtime: where UEFI runtime services run; later ones win */
    struct handoff_machine machine;
    uint64_t entry_tsc;                          /* the loader's last look at the TSC: how long the start takes counts from here */
    struct handoff_serial serial;
};
_Static_assert(sizeof(struct handoff) <= 4096, "one page");
