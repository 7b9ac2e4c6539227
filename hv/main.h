/* SPDX-License-Identifier: MIT */
/* Where entry.S arrives. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

NORETURN void hv_main(const struct handoff *h);
