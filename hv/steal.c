/* SPDX-License-Identifier: MIT */
/* What others had of a vCPU's core while it was ready to run. */
#include "hv/steal.h"

#include "hv/partition.h"
#include "hv/time.h"
#include "hv/vdev/vclock.h"

#define STEAL_ON       BIT(0)
#define STEAL_RESERVED 0x3eull

static bool put(struct vcpu *v, size_t offset, const void *from, size_t size)
{
    return arch_vm_write(&v->part->vm, (v->steal.msr & ~STEAL_ON) + offset, from, size) == PITH_OK;
}

/* Another vCPU may read it meanwhile: in this order, with an odd version until all is there. */
static bool tell(struct vcpu *v)
{
    u64 ns = time_ticks_ns(v->steal.ticks);
    u32 begun = ++v->steal.version, done = ++v->steal.version;

    return put(v, offsetof(struct pvclock_steal, version), &begun, sizeof(begun)) &&
           put(v, offsetof(struct pvclock_steal, steal), &ns, sizeof(ns)) &&
           put(v, offsetof(struct pvclock_steal, version), &done, sizeof(done));
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

void steal_count(struct vcpu *v, u64 now)
{
    if (now > v->steal.since)
        v->steal.ticks += now - v->steal.since;
    v->steal.since = 0;
    if (v->steal.msr && !tell(v))
        v->steal.msr = 0; /* it gave that page away */
}
