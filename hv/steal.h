/* SPDX-License-Identifier: MIT */
/* Stolen time, told as KVM tells it (Linux, virt/kvm/x86/msr, MSR_KVM_STEAL_TIME). Every function runs on the vCPU's home core. */
#pragma once

#include "hv/vcpu.h"

/* Bits 1-5 are reserved: the guest's structure is aligned. False: #GP. */
bool steal_set(struct vcpu *v, u64 msr) MUST_CHECK;
/* It is ready. */
static inline void steal_begins(struct vcpu *v)
{
    if (v->steal.msr && !v->steal.since)
        v->steal.since = arch_tsc();
}
/* The same, and it had its core until now. */
void steal_preempted(struct vcpu *v);
void steal_count(struct vcpu *v, u64 now);
/* It has its core since @now. */
static inline void steal_ends(struct vcpu *v, u64 now)
{
    if (v->steal.since)
        steal_count(v, now);
}
