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

#define CONSOLE_WHOLE 256u /* so much appears or is lost as a whole, where there is too much of everything */
#define CONSOLE_STEP 32u /* bytes at a time: some 8,000 instructions when each of them ends a line */

/*
 * Nothing is printed unless all of it can be read. A step at a time: in between, the guest is at its call again, as at a string
 * instruction, with the rest in RBX and RCX; RCX's high half then says how much it was at first.
 */
enum pith_status hc_console_write(struct vcpu *v, struct x86_gprs *g)
{
    u32 left = (u32)g->rcx, begun = (u32)(g->rcx >> 32), all = begun ? begun : left;
    u32 n = MIN(left, CONSOLE_STEP);
    char step[CONSOLE_STEP];
    enum pith_status st;

    if (all > PITH_CONSOLE_MAX || left > all || (begun && !left) || g->rbx + left < g->rbx || !readable(v, g->rbx, left))
        return PITH_E_ARG;
    st = arch_vm_read(&v->part->vm, g->rbx, step, n);
    if (st != PITH_OK)
        return st;
    if ((all - left) % CONSOLE_WHOLE == 0)
        console_begin(&v->part->console, MIN(left, CONSOLE_WHOLE));
    console_write(&v->part->console, step, n);
    if (n == left) {
        g->rbx = all;
        return PITH_OK;
    }
    g->rbx += n;
    g->rcx = (left - n) | (u64)all << 32;
    return CALL_GOES_ON;
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
