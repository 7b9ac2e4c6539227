/* SPDX-License-Identifier: MIT */
/* Which real devices a partition may have on this machine. */
#pragma once

#include "boot/acpi.h"
#include "boot/manifest.h"

struct devices_of {
    const struct handoff_range *ranges;
    u32 nr_ranges;
    struct handoff_fb fb;
    struct handoff_serial serial;
    const struct acpi_info *acpi;
};

/*
 * Reports what may not be given: RAM, the screen, Pith's serial line, what @machine's tables keep, and PCI devices that could write to
 * memory of others. The functions that may are written into @m.
 */
void devices_examine(struct manifest *m, const struct devices_of *machine, manifest_mistake_fn *mistake, void *ctx);
