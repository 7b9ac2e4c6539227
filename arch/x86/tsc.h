/* SPDX-License-Identifier: MIT */
/* This core's clock, inline since every switch reads it; unit tests have a header of their own in the place of this one. */
#pragma once

#include "arch/x86/cpu/insn.h"

static inline u64 arch_tsc(void)
{
    return rdtsc();
}
