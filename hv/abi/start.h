/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtualized guest finds when it starts: RDI holds the guest-physical address of struct pith_start.
 * Entry: 64-bit, CPL 0, IF=0, interrupts and NMIs none pending, identity map of RAM (2 MiB pages, writable), a flat GDT
 * (CS 0x08, data 0x10), no IDT, RSP valid (at least 4 KiB, 16-byte aligned as before a call pushes), SSE enabled.
 */
#pragma once

#include <stdint.h>

#define PITH_START_MAGIC 0x5452415453485450ull /* "PTHSTART" */

enum pith_mem_type { PITH_MEM_RAM = 1, PITH_MEM_RESERVED = 2, PITH_MEM_ACPI = 3 }; /* as e820 */

struct pith_mem { uint64_t base, size; uint32_t type, pad; };
struct pith_module { uint64_t base, size; char name[64]; };

struct pith_start {
    uint64_t magic;
    uint32_t version, size;          /* 1; sizeof(struct pith_start) */
    uint32_t cpuid_base;             /* first of Pith's CPUID leaves */
    uint32_t nr_vcpus;
    uint64_t cmdline;                /* guest-physical address of a zero-terminated string, never 0 */
    uint64_t tsc_khz;
    uint32_t nr_mem, nr_modules;
    uint64_t mem, modules;           /* guest-physical addresses of arrays */
    char name[16];                   /* this partition's */
};
_Static_assert(sizeof(struct pith_start) == 80, "ABI layout");
