/* SPDX-License-Identifier: MIT */
/* The setup header of a bzImage. Linux, The Linux/x86 Boot Protocol and The "zero page". */
#pragma once

#include "boot/image/parts.h"
#include "hv/lib/string.h"

#define BZ_VERSION_64    0x20cu /* first protocol with XLF_KERNEL_64 */
#define XLF_KERNEL_64    1u
#define LOADED_HIGH      0x01u
#define CAN_USE_HEAP     0x80u
#define LOADER_UNDEFINED 0xffu
#define SETUP_SECTS_OLD  4u     /* what 0 means */
#define SECTOR           512u

/* Offsets in the zero page; from 0x1f1 on, also in the file. */
enum {
    BP_CL_MAGIC = 0x20,
    BP_ACPI_RSDP = 0x70, BP_EXT_RAMDISK_IMAGE = 0xc0, BP_EXT_RAMDISK_SIZE = 0xc4, BP_EXT_CMD_LINE = 0xc8,
    BP_E820_ENTRIES = 0x1e8, BP_SETUP_SECTS = 0x1f1, BP_SYSSIZE = 0x1f4, BP_BOOT_FLAG = 0x1fe,
    BP_HEADER_LEN = 0x201, BP_MAGIC = 0x202, BP_VERSION = 0x206, BP_TYPE_OF_LOADER = 0x210, BP_LOADFLAGS = 0x211,
    BP_SETUP_MOVE_SIZE = 0x212, BP_RAMDISK_IMAGE = 0x218, BP_RAMDISK_SIZE = 0x21c, BP_HEAP_END_PTR = 0x224,
    BP_CMD_LINE = 0x228, BP_INITRD_ADDR_MAX = 0x22c, BP_XLOADFLAGS = 0x236, BP_CMDLINE_SIZE = 0x238, BP_PREF_ADDRESS = 0x258,
    BP_INIT_SIZE = 0x260, BP_HEADER_END = 0x264, /* of what is read here */
    BP_E820 = 0x2d0, BP_E820_SIZE = 20,
};

static inline u64 bz_get(const u8 *p, unsigned offset, unsigned size)
{
    u64 v = 0;

    memcpy(&v, p + offset, size);
    return v;
}

static inline void bz_put(u8 *p, unsigned offset, unsigned size, u64 v)
{
    memcpy(p + offset, &v, size);
}

/* Bytes of the real-mode part. */
static inline u64 bz_setup_size(const u8 *data)
{
    return (u64)(1 + (data[BP_SETUP_SECTS] ? data[BP_SETUP_SECTS] : SETUP_SECTS_OLD)) * SECTOR;
}

/* What both entries refuse; NULL: nothing. */
const char *bz_wrong(const struct image_request *rq, u64 cmdline_max) MUST_CHECK;
/* As high as the kernel allows; writes where into the header at @header[0x1f1]. */
enum pith_status bz_initrd(struct image_job *job, u8 *header, u64 limit) MUST_CHECK;
enum pith_status image_load_real(struct image_job *job) MUST_CHECK;
