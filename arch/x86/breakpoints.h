/* SPDX-License-Identifier: MIT */
/* A guest's breakpoints: never on the hypervisor. What it would see a difference by exits: it reads what it wrote. */
#pragma once

#include "arch/x86/vm.h"

/* The DR7 for the processor: @dr7 without what is not to be armed. */
u64 breakpoints_armed(const u64 dr[4], u64 dr7);
/* At every entry of a guest that has any enabled, since others may have used the registers: loads DR0-3, returns that DR7. */
u64 breakpoints_load(const struct arch_vcpu *v);
