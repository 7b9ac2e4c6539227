/* SPDX-License-Identifier: MIT */
/* Second-stage tables through the direct map. */
#include "arch/x86/s2_mem.h"

#include "arch/x86/host.h"

u64 *s2_table_at(hpa_t table)
{
    return phys_to_virt(table);
}
