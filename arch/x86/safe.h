/* SPDX-License-Identifier: MIT */
/* Model-specific registers that may not exist: #GP becomes false. */
#pragma once

#include "hv/lib/types.h"

bool rdmsr_safe(u32 msr, u64 *val) MUST_CHECK;
