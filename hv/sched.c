/* SPDX-License-Identifier: MIT */
/* Round robin over the vCPUs whose home is this core. */
#include "hv/sched.h"

#include "hv/vcpu.h"

static void slice_over(struct timer *t)
{
    (void)t; /* timers fire on their own core */
    this_cpu()->resched = true;
}

void sched_init(struct cpu *cpu)
{
    timer_init(&cpu->slice, slice_over);
}

static void start_slice(struct cpu *cpu)
{
    timer_set(&cpu->timers, &cpu->slice, arch_tsc() + SLICE_MS * arch_tsc_khz());
}

static bool slice_runs(const struct cpu *cpu)
{
    return cpu->slice.deadline != TIMER_NEVER;
}

static void push(struct cpu *cpu, struct vcpu *v)
{
    v->next_ready = NULL;
    if (cpu->ready_last)
        cpu->ready_last->next_ready = v;
    else
        cpu->ready_first = v;
    cpu->ready_last = v;
}

static struct vcpu *pop(struct cpu *cpu)
{
    struct vcpu *v = cpu->ready_first;

    if (!v)
        return NULL;
    cpu->ready_first = v->next_ready;
    if (!cpu->ready_first)
        cpu->ready_last = NULL;
    return v;
}

void sched_ready(struct cpu *cpu, struct vcpu *v)
{
    push(cpu, v);
    v->state = VCPU_READY;
    /* The runner had the core to itself until now: its slice begins when somebody waits. */
    if (cpu->current && !slice_runs(cpu))
        start_slice(cpu);
}

void sched_handoff(struct cpu *cpu, struct vcpu *v)
{
    if (cpu->handoff) {
        sched_ready(cpu, v);
        return;
    }
    cpu->handoff = v;
    v->state = VCPU_READY;
    cpu->resched = cpu->current->arch.look = true;
}

void sched_give_way(struct cpu *cpu, struct vcpu *v)
{
    if (!cpu->handoff) {
        sched_ready(cpu, v);
        return;
    }
    v->next_ready = cpu->ready_first;
    cpu->ready_first = v;
    if (!cpu->ready_last)
        cpu->ready_last = v;
    v->state = VCPU_READY;
    cpu->lenders++;
    if (!slice_runs(cpu))
        start_slice(cpu);
}

/* The slice is over for those too who lent it. */
static void end_loans(struct cpu *cpu)
{
    if (cpu->handoff)
        push(cpu, cpu->handoff);
    cpu->handoff = NULL;
    for (; cpu->lenders; cpu->lenders--)
        push(cpu, pop(cpu));
}

struct vcpu *sched_next(struct cpu *cpu)
{
    struct vcpu *v = cpu->handoff;
    bool goes_on = slice_runs(cpu) && (v || cpu->lenders);

    cpu->resched = false;
    if (!goes_on)
        end_loans(cpu);
    else if (!v)
        cpu->lenders--;
    cpu->handoff = NULL;
    if (!goes_on || !v)
        v = pop(cpu);
    if (v)
        v->state = VCPU_RUNNING;
    if (!goes_on && v && cpu->ready_first)
        start_slice(cpu);
    else if (!goes_on)
        timer_set(&cpu->timers, &cpu->slice, TIMER_NEVER);
    return v;
}
