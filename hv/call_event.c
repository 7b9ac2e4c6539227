/* SPDX-License-Identifier: MIT */
/*
 * Events. A sender sets the bit in the shared page, then looks at the mask and at who waits; who waits says so, then looks at the
 * bits; who unmasks looks at them afterwards. All in one order (SEQ_CST), so that one of the two always sees the other.
 */
#include "hv/event.h"
#include "hv/hypercall.h"

#include "hv/partition.h"
#include "hv/rights.h"
#include "hv/sched.h"
#include "hv/time.h"

/* Of struct partition.events: 0 is unbound, else vCPU << 8 | vector, and this. */
#define BOUND 0x8000u

/* @lend: in a call, whose maker gives its slice to one that lives here. */
static inline void wake_up(struct vcpu *v, struct cpu *cpu, bool lend)
{
    if (lend && v->home == cpu && v->state == VCPU_BLOCKED)
        sched_handoff(cpu, v);
    else
        vcpu_wake(v);
}

static inline void interrupt_vcpu(struct vcpu *v, u8 vector, struct cpu *cpu, bool lend)
{
    if (v->home != cpu) {
        vcpu_post_irq(v, vector, false);
        return;
    }
    vlapic_post(&v->lapic, vector, false);
    v->arch.irq_dirty = true;
    wake_up(v, cpu, lend);
}

static __attribute__((noinline)) void wake_waiters(const struct partition *p, u64 bit, u32 waiters, struct cpu *cpu, bool lend)
{
    for (; waiters; waiters &= waiters - 1) {
        struct vcpu *v = p->vcpus[__builtin_ctz(waiters)];

        if (__atomic_load_n(&v->event_set, __ATOMIC_RELAXED) & bit)
            wake_up(v, cpu, lend);
    }
}

static inline __attribute__((always_inline)) void send_event(struct partition *p, u32 event, u32 binding, struct cpu *cpu, bool lend)
{
    u64 bit = BIT(event);
    u32 waiters;

    __atomic_fetch_or(&p->page->pending, bit, __ATOMIC_SEQ_CST);
    if ((u8)binding && !(__atomic_load_n(&p->page->mask, __ATOMIC_SEQ_CST) & bit))
        interrupt_vcpu(p->vcpus[binding >> 8 & 0xf], (u8)binding, cpu, lend);
    waiters = __atomic_load_n(&p->event_waiters, __ATOMIC_SEQ_CST);
    if (waiters)
        wake_waiters(p, bit, waiters, cpu, lend);
}

static u32 binding_of(const struct partition *p, u64 event)
{
    return __atomic_load_n(&p->events[event], __ATOMIC_RELAXED);
}

void event_tell(struct partition *p, u32 event)
{
    u32 binding = binding_of(p, event);

    if (partition_runs(p) && binding)
        send_event(p, event, binding, this_cpu(), false);
}

enum pith_status hc_event_bind(struct vcpu *v, struct x86_gprs *g)
{
    u64 event = g->rbx, vcpu = g->rcx, vector = g->rdx;

    if (event >= PITH_EVENTS || vcpu >= v->part->nr_vcpus || vector > 0xff || (vector && vector < 16))
        return PITH_E_ARG;
    __atomic_store_n(&v->part->events[event], (u16)(BOUND | vcpu << 8 | vector), __ATOMIC_RELAXED);
    return PITH_OK;
}

enum pith_status hc_event_send(struct vcpu *v, struct x86_gprs *g)
{
    struct partition *p = NULL;
    enum pith_status st = reach(v, g->rbx, RIGHT_SIGNAL, &p);
    u64 event = g->rcx;
    u32 binding;

    if (st != PITH_OK)
        return st;
    if (event >= PITH_EVENTS)
        return PITH_E_ARG;
    if (!p || !partition_runs(p))
        return PITH_E_GONE;
    binding = binding_of(p, event);
    if (!binding)
        return PITH_E_STATE;
    send_event(p, (u32)event, binding, v->home, true);
    return PITH_OK;
}

static u64 take_events(struct partition *p, u64 set)
{
    u64 *pending = &p->page->pending;

    if (!(__atomic_load_n(pending, __ATOMIC_SEQ_CST) & set))
        return 0;
    return __atomic_fetch_and(pending, ~set, __ATOMIC_SEQ_CST) & set;
}

static bool event_came(struct vcpu *v, bool late)
{
    u64 taken = take_events(v->part, v->event_set);

    if (__builtin_expect(!taken, 0) && !late && !vcpu_interrupted(v))
        return false;
    __atomic_fetch_and(&v->part->event_waiters, ~(1u << v->index), __ATOMIC_RELAXED);
    v->arch.gpr.rbx = taken;
    return true;
}

enum pith_status hc_event_wait(struct vcpu *v, struct x86_gprs *g)
{
    u64 set = g->rbx, deadline = g->rcx;

    g->rbx = take_events(v->part, set);
    if (g->rbx)
        return PITH_OK;
    __atomic_store_n(&v->event_set, set, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->part->event_waiters, 1u << v->index, __ATOMIC_SEQ_CST); /* event_came() looks at the bits after this */
    vcpu_block(v, deadline, event_came);
    return PITH_OK;
}

void event_timer_due(struct timer *t)
{
    struct vcpu *v = (struct vcpu *)((u8 *)t - offsetof(struct vcpu, event_timer));

    v->event_deadline = TIMER_NEVER;
    send_event(v->part, v->timer_event, binding_of(v->part, v->timer_event), v->home, false);
}

enum pith_status hc_timer(struct vcpu *v, struct x86_gprs *g)
{
    u64 deadline = g->rbx, event = g->rcx;

    if (event >= PITH_EVENTS)
        return PITH_E_ARG;
    if (deadline && !binding_of(v->part, event))
        return PITH_E_STATE;
    v->timer_event = (u32)event;
    v->event_deadline = time_deadline(v->part, deadline);
    timer_set(&v->home->timers, &v->event_timer, v->event_deadline);
    return PITH_OK;
}
