/* SPDX-License-Identifier: MIT */
/* Physical memory, while the firmware is there. */
#pragma once

#include "hv/lib/types.h"

bool physical_mapped(u64 at);                         /* by the firmware's page tables */
bool physical_read(hpa_t hpa, void *buf, size_t len); /* false: not all of it is mapped */
bool physical_is_memory(u64 first, u64 last);         /* is any of it RAM, or not known not to be? */
