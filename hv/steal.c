/* SPDX-License-Identifier: MIT */
/* What others had of a vCPU's core while it was ready to run. */
#include "hv/steal.h"

#include "hv/partition.h"
#include "hv/time.h"
#include "hv/vdev/vclock.h"

#define STEAL_ON       BIT(0)
#define STEAL_RESERVED 0x3eull

static gpa_t at(const struct vcpu *v, size_t offset)
{
    return (v->steal.msr & ~STEAL_ON) + offset;
}

/* Others ask this before they wait for what it holds. */
static bool tell_preempted(struct vcpu *v, bool preempted)
{
    u8 flag = preempted ? PVCLOCK_PREEMPTED : 0;

    return arch_vm_write(&v->part->vm, at(v, offsetof(struct pvclock_steal, preempted)), &flag, sizeof(flag)) == PITH_OK;
}

static bool tell(struct vcpu *v)
{
    u64 ns = time_ticks_ns(v->steal.ticks);

    return time_tell(v->part, at(v, offsetof(struct pvclock_steal, version)), &v->steal.version,
                     at(v, offsetof(struct pvclock_steal, steal)), &ns, sizeof(ns)) &&
           tell_preempted(v, false);
}

/* Off is zero, whatever the address. */
bool steal_set(struct vcpu *v, u64 msr)
{
    if (msr & STEAL_RESERVED)
        return false;
    v->steal.msr = msr & STEAL_ON ? msr : 0;
    v->plain = false;
    return !v->steal.msr || tell(v);
}

void steal_preempted(struct vcpu *v)
{
    if (v->steal.msr && !tell_preempted(v, true))
        v->steal.msr = 0; /* it gave that page away */
    steal_begins(v);
}

void steal_count(struct vcpu *v, u64 now)
{
    if (now > v->steal.since)
        v->steal.ticks += now - v->steal.since;
    v->steal.since = 0;
    if (v->steal.msr && !tell(v))
        v->steal.msr = 0; /* it gave that page away */
}
