/* SPDX-License-Identifier: MIT */
/* Where the hypervisor's own image begins and ends: symbols of linker.ld, and the physical address it was copied to. */
#pragma once

#include "hv/lib/types.h"

/* Hidden: early.c must reach these without a table of addresses, which holds virtual ones. */
#pragma GCC visibility push(hidden)
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const u8 image_build_id[]; /* an ELF note: 16 bytes of header, 20 of identity */
extern char image_data_start[], image_data_end[], image_end[];

extern hpa_t image_hpa; /* of image_text_start; set before the first virtual address is used */
#pragma GCC visibility pop
