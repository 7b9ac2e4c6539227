/* SPDX-License-Identifier: MIT */
/* The calls that every partition may make: console, time, giving way, sleeping, ending, who it is. */
#include "hv/hypercall.h"

#include "hv/partition.h"
#include "hv/sched.h"
#include "hv/time.h"

static bool readable(const struct vcpu *v, gpa_t gpa, u64 len)
{
    hpa_t hpa;

    for (u64 at = gpa & ~PAGE_MASK; at < gpa + len; at += PAGE_SIZE)
        if (!arch_vm_translate(&v->part->vm, at, S2_R, &hpa))
            return false;
    return true;
}

/* Nothing is printed unless all of it can be read. */
enum pith_status hc_console_write(struct vcpu *v, struct x86_gprs *g)
{
    char chunk[256];
    gpa_t gpa = g->rbx;
    u64 left = g->rcx;

    if (left > PITH_CONSOLE_MAX || gpa + left < gpa || !readable(v, gpa, left))
        return PITH_E_ARG;
    while (left) {
        size_t n = MIN(left, sizeof(chunk));
        enum pith_status st = arch_vm_read(&v->part->vm, gpa, chunk, n);

        if (st != PITH_OK)
            return st;
        console_write(&v->part->console, chunk, n);
        gpa += n;
        left -= n;
    }
    g->rbx = g->rcx;
    return PITH_OK;
}

enum pith_status hc_time(struct vcpu *v, struct x86_gprs *g)
{
    g->rbx = time_ns(v->part);
    g->rcx = arch_tsc_khz();
    return PITH_OK;
}

enum pith_status hc_yield(struct vcpu *v, struct x86_gprs *g)
{
    (void)g;
    sched_yield(v); /* before the next entry, after this instruction was completed */
    return PITH_OK;
}

static bool wait_over(struct vcpu *v, bool late)
{
    if (!late && !vcpu_interrupted(v))
        return false;
    v->arch.gpr.rbx = time_ns(v->part);
    return true;
}

enum pith_status hc_wait(struct vcpu *v, struct x86_gprs *g)
{
    vcpu_block(v, g->rbx, wait_over);
    return PITH_OK;
}

enum pith_status hc_exit(struct vcpu *v, struct x86_gprs *g)
{
    v->part->exit_status = g->rbx;
    if (partition_stop(v->part, END_EXIT) != PITH_OK)
        vcpu_post(v, VCPU_PEND_STOP); /* it is being stopped already; this call does not return all the same */
    return PITH_OK;
}

enum pith_status hc_self(struct vcpu *v, struct x86_gprs *g)
{
    g->rbx = v->part->index + 1;
    g->rcx = v->index;
    g->rdx = v->part->nr_vcpus;
    return PITH_OK;
}
