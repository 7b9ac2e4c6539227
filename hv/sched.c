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

void sched_ready(struct cpu *cpu, struct vcpu *v)
{
    v->next_ready = NULL;
    if (cpu->ready_last)
        cpu->ready_last->next_ready = v;
    else
        cpu->ready_first = v;
    cpu->ready_last = v;
    v->state = VCPU_READY;
    /* The runner had the core to itself until now: its slice begins when somebody waits. */
    if (cpu->current && cpu->slice.deadline == TIMER_NEVER)
        start_slice(cpu);
}

struct vcpu *sched_next(struct cpu *cpu)
{
    struct vcpu *v = cpu->ready_first;

    cpu->resched = false;
    if (!v) {
        timer_set(&cpu->timers, &cpu->slice, TIMER_NEVER);
        return NULL;
    }
    cpu->ready_first = v->next_ready;
    if (!cpu->ready_first)
        cpu->ready_last = NULL;
    v->state = VCPU_RUNNING;
    if (cpu->ready_first)
        start_slice(cpu);
    else
        timer_set(&cpu->timers, &cpu->slice, TIMER_NEVER);
    return v;
}
