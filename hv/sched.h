/* SPDX-License-Identifier: MIT */
/* Who runs next on a core: round robin, 10 ms slices while somebody waits. Every function runs on the core it is about. */
#pragma once

#include "hv/vcpu.h"

#define SLICE_MS 10u

void sched_init(struct cpu *cpu);
void sched_ready(struct cpu *cpu, struct vcpu *v);   /* to the end of the queue */
/*
 * The one that makes a call right now, and waits in it, lends its slice to @v, which is blocked and lives here: @v runs next. The
 * lender's done() is not asked before somebody wakes it. Nobody else is kept waiting any longer than by one slice.
 */
static inline void sched_lend(struct cpu *cpu, struct vcpu *v)
{
    if (cpu->handoff) {
        sched_ready(cpu, v);
        return;
    }
    cpu->handoff = v;
    v->state = VCPU_READY;
}
/* The same of one that does not wait, but runs on when @v has. */
static inline void sched_handoff(struct cpu *cpu, struct vcpu *v)
{
    sched_lend(cpu, v);
    if (cpu->current->arch.wait == WAIT_NONE)
        cpu->current->arch.wait = WAIT_TURN;
}
/* The current vCPU gives way, and is READY. */
void sched_give_way(struct cpu *cpu, struct vcpu *v);
/* The current vCPU is BLOCKED, or READY when there was something for it meanwhile. */
void sched_block(struct cpu *cpu, struct vcpu *v);
static inline bool sched_any(const struct cpu *cpu)  /* has sched_next() an answer? */
{
    return cpu->ready_first || cpu->handoff;
}
/* One of the two, then sched_next(): the short way from one to the other. */
struct vcpu *sched_switch(struct cpu *cpu, struct vcpu *v, bool block);
struct vcpu *sched_next(struct cpu *cpu);            /* takes the first off the queue and starts its slice; NULL: none */
