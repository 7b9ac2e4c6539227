/* SPDX-License-Identifier: MIT */
/* Starting and stopping a partition's own vCPUs, without real mode. */
#include "hv/hypercall.h"

#include "hv/partition.h"
#include "hv/vcpu_boot.h"

enum pith_status hc_vcpu_start(struct vcpu *v, struct x86_gprs *g)
{
    struct partition *p = v->part;
    u32 waits = BOOT_WAITS;
    struct vcpu *target;
    hpa_t hpa;

    if (g->rbx >= p->nr_vcpus || !arch_vm_translate(&p->vm, g->rcx, S2_X, &hpa))
        return PITH_E_ARG;
    target = p->vcpus[g->rbx];
    if (p->plan->start.mode != PLAN_LONG ||
        !__atomic_compare_exchange_n(&target->boot, &waits, BOOT_FILLED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return PITH_E_STATE;
    target->entry = g->rcx;
    target->stack = g->rdx;
    target->argument = g->rsi;
    /* RELEASE: pairs with take_boot(). */
    __atomic_store_n(&target->boot, BOOT_POSTED, __ATOMIC_RELEASE);
    vcpu_post(target, VCPU_PEND_BOOT);
    return PITH_OK;
}

enum pith_status hc_vcpu_stop(struct vcpu *v, struct x86_gprs *g)
{
    if (g->rbx >= v->part->nr_vcpus)
        return PITH_E_ARG;
    vcpu_post_init(v->part->vcpus[g->rbx]);
    return PITH_OK;
}
