/* SPDX-License-Identifier: MIT */
/* Calls of partitions that manage others: finding them, their state, starting and stopping them. */
#include "hv/hypercall.h"

#include "hv/lib/string.h"
#include "hv/rights.h"

/* Nobody learns of names that it has no right to. */
enum pith_status hc_part_find(struct vcpu *v, struct x86_gprs *g)
{
    u64 name[2] = { g->rbx, g->rcx }, known = BIT(v->part->index);

    for (u32 right = 0; right < RIGHTS; right++)
        known |= v->part->may[right];
    for (u32 i = 0; i < nr_partitions; i++)
        if ((known & BIT(i)) && memcmp(partition_get(i)->name, name, sizeof(name)) == 0) {
            g->rbx = i + 1;
            return PITH_OK;
        }
    return rights_denied(v, 0, RIGHT_MANAGE);
}

enum pith_status hc_part_next(struct vcpu *v, struct x86_gprs *g)
{
    u64 behind = g->rbx < MANIFEST_PARTITIONS ? v->part->may[RIGHT_MANAGE] >> g->rbx << g->rbx : 0;

    g->rbx = behind ? (u64)__builtin_ctzll(behind) + 1 : 0;
    return PITH_OK;
}

enum pith_status hc_part_state(struct vcpu *v, struct x86_gprs *g)
{
    struct partition *p;
    enum pith_status st = reach(v, g->rbx, RIGHT_MANAGE, &p);

    if (st != PITH_OK)
        return st;
    g->rdx = __atomic_load_n(&p->changes, __ATOMIC_ACQUIRE); /* first: what follows is as new, or newer */
    g->rbx = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    g->rsi = __atomic_load_n(&p->end, __ATOMIC_RELAXED);
    g->rcx = g->rsi == END_EXIT ? p->exit_status : 0;
    return PITH_OK;
}

#define REQUEST(name, what)                                         \
    enum pith_status hc_part_##name(struct vcpu *v, struct x86_gprs *g) \
    {                                                               \
        struct partition *p;                                        \
        enum pith_status st = reach(v, g->rbx, RIGHT_MANAGE, &p);   \
                                                                    \
        return st == PITH_OK ? partition_request(p, what) : st;     \
    }
REQUEST(start, REQUEST_START)
REQUEST(stop, REQUEST_STOP)
REQUEST(pause, REQUEST_PAUSE)
REQUEST(resume, REQUEST_RESUME)
REQUEST(restart, REQUEST_RESTART)
REQUEST(create, REQUEST_CREATE)
REQUEST(destroy, REQUEST_DESTROY)

enum pith_status hc_part_watch(struct vcpu *v, struct x86_gprs *g)
{
    u64 event = g->rbx;

    if (event >= PITH_EVENTS && event != PITH_NO_EVENT)
        return PITH_E_ARG;
    __atomic_store_n(&v->part->watch, event == PITH_NO_EVENT ? 0 : (u32)event + 1, __ATOMIC_RELAXED);
    return PITH_OK;
}

enum pith_status hc_part_report(struct vcpu *v, struct x86_gprs *g)
{
    struct partition *p;
    enum pith_status st = reach(v, g->rbx, RIGHT_MANAGE, &p);
    u64 n;

    if (st != PITH_OK)
        return st;
    n = MIN(g->rdx, __atomic_load_n(&p->report_len, __ATOMIC_ACQUIRE));
    st = arch_vm_write(&v->part->vm, g->rcx, p->report, n);
    g->rbx = n;
    return st;
}
