/* SPDX-License-Identifier: MIT */
/* Which local APICs an interrupt message means. SDM 3, Determining IPI Destination. */
#include "hv/vdev/vlapic.h"

#include "arch/x86/cpu/regs.h"

#define DFR_CLUSTER 0x0fffffffu

static bool match_xapic_logical(const struct vlapic *l, u32 dest)
{
    u32 ldr = l->ldr >> 24;

    if (dest > 0xff)
        return false;
    if (l->dfr == DFR_CLUSTER)
        return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
    return ldr & dest;
}

bool vlapic_match(const struct vlapic *l, u32 dest, bool logical, bool x2apic_sender)
{
    u32 ldr = vlapic_x2apic_ldr(l);

    if (!(l->base & APIC_BASE_ENABLE))
        return false;
    if (dest == (x2apic_sender ? ~0u : 0xffu))
        return true;
    if (!logical)
        return dest == (vlapic_x2apic(l) ? l->id : l->id & 0xff);
    if (!vlapic_x2apic(l))
        return match_xapic_logical(l, dest);
    return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
}
