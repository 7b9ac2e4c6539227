/* SPDX-License-Identifier: MIT */
/* Round robin over the vCPUs whose home is this core. */
#include "hv/sched.h"

/* Timers fire on their own core. */
static void slice_alarm(struct timer *t)
{
    struct cpu *cpu = this_cpu();

    if (cpu->slice_end == TIMER_NEVER)
        return;
    if (cpu->slice_end > arch_tsc()) {
        timer_set(&cpu->timers, t, cpu->slice_end);
        return;
    }
    cpu->slice_end = TIMER_NEVER;
    cpu->resched = true;
}

void sched_init(struct cpu *cpu)
{
    timer_init(&cpu->slice, slice_alarm);
    cpu->slice_end = TIMER_NEVER;
    cpu->slice_ticks = SLICE_MS * arch_tsc_khz();
}

/* An alarm that is set already comes no later. */
static void start_slice(struct cpu *cpu, u64 now)
{
    cpu->slice_end = now + cpu->slice_ticks;
    if (cpu->slice.deadline > cpu->slice_end)
        timer_set(&cpu->timers, &cpu->slice, cpu->slice_end);
}

static __attribute__((noinline)) void start_slice_now(struct cpu *cpu)
{
    start_slice(cpu, arch_tsc());
}

static bool slice_runs(const struct cpu *cpu)
{
    return cpu->slice_end != TIMER_NEVER;
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
        start_slice_now(cpu);
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
        start_slice_now(cpu);
}

void sched_block(struct cpu *cpu, struct vcpu *v)
{
    v->state = VCPU_BLOCKED;
    /* What was posted while v still ran found it RUNNING: look once more. */
    if (__atomic_load_n(&v->inbox.pending, __ATOMIC_SEQ_CST))
        sched_ready(cpu, v);
}

/* The slice is over for those too who lent it. */
static __attribute__((noinline)) void end_loans(struct cpu *cpu)
{
    if (cpu->handoff)
        push(cpu, cpu->handoff);
    cpu->handoff = NULL;
    for (; cpu->lenders; cpu->lenders--)
        push(cpu, pop(cpu));
}

/* Whose slice it is that goes on; NULL: nobody's. */
static struct vcpu *go_on(struct cpu *cpu)
{
    struct vcpu *v = cpu->handoff;

    if (!v && !cpu->lenders)
        return NULL;
    if (!slice_runs(cpu) && cpu->ready_first) {
        end_loans(cpu);
        return NULL;
    }
    cpu->handoff = NULL;
    if (!v) {
        cpu->lenders--;
        v = pop(cpu);
    }
    return v;
}

struct vcpu *sched_next(struct cpu *cpu)
{
    struct vcpu *v = go_on(cpu);

    cpu->resched = false;
    if (v) {
        v->state = VCPU_RUNNING;
        return v;
    }
    cpu->slice_end = TIMER_NEVER;
    v = pop(cpu);
    if (!v) {
        timer_set(&cpu->timers, &cpu->slice, TIMER_NEVER);
        return NULL;
    }
    v->state = VCPU_RUNNING;
    if (cpu->ready_first)
        start_slice(cpu, cpu->now);
    return v;
}

struct vcpu *sched_switch(struct cpu *cpu, struct vcpu *v, bool block)
{
    if (block)
        sched_block(cpu, v);
    else
        sched_give_way(cpu, v);
    return sched_next(cpu);
}
