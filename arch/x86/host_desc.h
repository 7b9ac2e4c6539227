/* SPDX-License-Identifier: MIT */
/* What a VMCS's host-state area must hold for the core that asks. */
#pragma once

#include "hv/lib/types.h"

struct host_desc {
    u64 gdt_base, idt_base, tss_base;
    u16 cs, ds, tr; /* ds: also ES and SS; FS and GS selectors are 0 */
};

void arch_host_desc(struct host_desc *out);
