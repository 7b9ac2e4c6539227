/* SPDX-License-Identifier: MIT */
/* Where entry.S arrives. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

struct partition;

NORETURN void hv_main(const struct handoff *h);
/* When the first partition is about to run: where the time since the loader went. */
void main_first_start(const struct partition *p);
