/* SPDX-License-Identifier: MIT */
/* What the firmware's tables and the chipset tell about this machine. */
#pragma once

#include "arch/x86/host.h"

extern const struct handoff_machine *platform_machine;

/* Boot core, on the final page tables: local APIC mode, old interrupt controllers silenced. */
enum pith_status platform_init(const struct handoff *h) MUST_CHECK;
