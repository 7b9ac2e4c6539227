/* SPDX-License-Identifier: MIT */
/* In the place of arch/x86/tsc.h: a test sets the clock. */
#pragma once

#include "hv/lib/types.h"

u64 arch_tsc(void);
