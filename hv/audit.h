/* SPDX-License-Identifier: MIT */
/* Has every frame exactly one owner? */
#pragma once

#include "hv/lib/frames.h"

void audit_init(struct frame_pool *host, u64 bytes); /* @bytes of RAM went into the hypervisor's pool */
/* Core 0. NULL, or what does not add up: given and free make the total, of the machine's RAM and of every pool. */
const char *audit_check(void);
struct frame_pool *audit_host_pool(void);
