/* SPDX-License-Identifier: MIT */
/*
 * Guest images: which format, where the parts go, what the first vCPU starts with. Pure: what comes out is a load plan for the
 * hypervisor; guest memory does not exist yet.
 */
#pragma once

#include "hv/abi/plan.h"
#include "hv/abi/status.h"
#include "hv/lib/types.h"

struct image_file { const u8 *data; u64 size; const char *name; }; /* data NULL: none */

struct image_request {
    const char *partition;               /* name */
    struct image_file image, initrd;
    const struct image_file *modules;
    u32 nr_modules, nr_vcpus;
    const char *cmdline;
    u64 memory;                          /* bytes of guest RAM, zero: from 0 to 3 GiB, the rest from 4 GiB */
};

/* Plans of several partitions, one after the other. @copies NULL: it is only counted how much of both they will need. */
struct image_out {
    struct plan_copy *copies;
    u8 *arena;                           /* what is made here and not in a file; where it lies, it stays */
    u32 nr_copies, max_copies;
    u64 arena_used, arena_size;
    gpa_t end;                           /* of the last copy, when it came from the arena; else PLAN_NOWHERE */
};

/*
 * Recognises ELF64 with Pith's note (Pith PV), ELF with a PVH note or a multiboot header, bzImage with the 64-bit entry, and
 * multiboot kernels in other files. On failure *why says what is
 * wrong and what to do ("image 'x' is an ELF for 32-bit ... - build it ..."), static text, and @plan is worth nothing.
 */
enum pith_status image_load(const struct image_request *rq, struct image_out *out, struct load_plan *plan,
                            const char **why) MUST_CHECK;
