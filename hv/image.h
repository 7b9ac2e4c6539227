/* SPDX-License-Identifier: MIT */
/* Guest images: which format, where the parts go, what the first vCPU starts with. Pure: guest memory is written by a callback. */
#pragma once

#include "arch/x86/vm.h"
#include "hv/abi/status.h"
#include "hv/lib/types.h"

struct image_file { const u8 *data; u64 size; const char *name; }; /* data NULL: none */

struct image_request {
    const char *partition;               /* name */
    struct image_file image, initrd;
    const struct image_file *modules;
    u32 nr_modules, nr_vcpus;
    const char *cmdline;
    u64 memory;                          /* bytes of guest RAM: from 0 to 3 GiB, the rest from 4 GiB */
    u64 tsc_khz;
    enum pith_status (*write)(void *ctx, gpa_t gpa, const void *buf, size_t len);   /* guest RAM is zero before */
    void *ctx;
};
struct image_start {                     /* registers of the boot vCPU; what is not named is as after reset */
    u64 rip, rsp, rdi, rsi, rbx, cr0, cr3, cr4, efer;
    bool long_mode;                      /* flat 64-bit CS; else flat 32-bit protected mode */
    gpa_t gdt;                           /* guest-physical base and */
    u16 gdt_limit, cs, ds;               /* selectors that match it: CS 8 or 0x10, data 0x10 or 0x18 */
    const char *format;                  /* "Pith PV", "PVH", "bzImage": for the log */
};
/*
 * Recognises ELF64 with Pith's note (Pith PV), ELF with a PVH note, bzImage with the 64-bit entry. On failure *why says what is
 * wrong and what to do ("image 'x' is an ELF for 32-bit ... - build it ..."), static text, and nothing was started.
 */
enum pith_status image_load(const struct image_request *rq, struct image_start *start, const char **why) MUST_CHECK;
