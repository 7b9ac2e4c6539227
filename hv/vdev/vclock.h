/* SPDX-License-Identifier: MIT */
/* KVM-compatible: the paravirtual clock's layouts and multiplier, stolen time's layout. Linux, virt/kvm/x86/msr. */
#pragma once

#include "hv/lib/types.h"

struct pvclock_time {
    u32 version, pad0;
    u64 tsc_timestamp, system_time;
    u32 tsc_to_system_mul;
    u8 tsc_shift, flags, pad[2];
};
struct pvclock_wall { u32 version, sec, nsec; };
struct pvclock_steal { u64 steal; u32 version /* odd: being written */, flags; u8 preempted, pad[47]; };
_Static_assert(sizeof(struct pvclock_steal) == 64, "KVM ABI");
_Static_assert(sizeof(struct pvclock_time) == 32, "KVM ABI");
_Static_assert(sizeof(struct pvclock_wall) == 12, "KVM ABI");
#define PVCLOCK_TSC_STABLE 1u
#define PVCLOCK_PREEMPTED  1u

/* ns = ((ticks << shift, or >> -shift) * mul) >> 32 */
void vclock_scale(u64 tsc_khz, u32 *mul, s8 *shift);
