/* SPDX-License-Identifier: MIT */
/* What entry.S needs before the hypervisor runs at its own addresses. */
#pragma once

#include "hv/lib/types.h"

hpa_t early_root(void); /* called at its physical address, on the boot core's stack at its physical address */
extern u64 boot_slot[][512];
