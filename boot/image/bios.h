/* SPDX-License-Identifier: MIT */
/* The little BIOS that kernels with nothing but a real-mode entry find: where it lies, and what it is told. */
#pragma once

#define BIOS_SEGMENT 0xf000
#define BIOS_DATA    0xe000 /* in that segment: struct bios_data, */
#define BIOS_CODE    0xe080 /* then bios.S, entered at its first byte */
#define BIOS_END     0xfff0 /* the reset vector is somebody else's */

/* Offsets of bios_data's fields. */
#define BIOS_KERNEL_CS 0
#define BIOS_KERNEL_DS 2
#define BIOS_KERNEL_SP 4
#define BIOS_NR_MEM    6
#define BIOS_ABOVE_1M  8
#define BIOS_OFF_PORT  12
#define BIOS_OFF_VALUE 14
#define BIOS_MEM       16
#define BIOS_MEM_SIZE  20

#ifndef __ASSEMBLER__

#include "hv/lib/types.h"

#define BIOS_MEM_MAX 5u

struct bios_data {
    u16 kernel_cs, kernel_ds, kernel_sp; /* of its entry, at offset 0; ds in every other segment register */
    u16 nr_mem;
    u32 above_1m;                        /* KiB of RAM there, without a gap */
    u16 off_port, off_value;             /* written there, the value turns the machine off */
    u8 mem[BIOS_MEM_MAX][BIOS_MEM_SIZE]; /* as INT 15h, AX=E820h gives them */
};
_Static_assert(offsetof(struct bios_data, nr_mem) == BIOS_NR_MEM && offsetof(struct bios_data, above_1m) == BIOS_ABOVE_1M &&
                   offsetof(struct bios_data, mem) == BIOS_MEM && offsetof(struct bios_data, kernel_ds) == BIOS_KERNEL_DS &&
                   offsetof(struct bios_data, kernel_sp) == BIOS_KERNEL_SP && offsetof(struct bios_data, off_port) == BIOS_OFF_PORT &&
                   offsetof(struct bios_data, off_value) == BIOS_OFF_VALUE,
               "bios.S");
_Static_assert(sizeof(struct bios_data) <= BIOS_CODE - BIOS_DATA, "bios.S begins there");

extern const u8 bios_start[], bios_end[] __attribute__((visibility("hidden")));

#endif
