/* SPDX-License-Identifier: MIT */
/* Who runs next on a core, and until when. Every function runs on the core it is about. */
#pragma once

#include "hv/vcpu.h"

#define SLICE_MS 10u /* a turn in the slack at the usual weight */

struct manifest_partition;

void sched_init(struct cpu *cpu);
u64 sched_ticks(u64 us);
/* When partitions are made: what @v may have of its home's time. */
void sched_join(struct vcpu *v, const struct manifest_partition *c);
void sched_ready(struct cpu *cpu, struct vcpu *v);
/*
 * That and sched_next(), where nobody runs, for one that sleeps or is stopped: true, if it is the only one and has no promises; else
 * nothing has happened. No time of its is stolen.
 */
static inline bool sched_wake_alone(struct cpu *cpu, struct vcpu *v)
{
    if (!policy_begin_alone(&cpu->rq, &v->share, cpu->now))
        return false;
    cpu->resched = false;
    v->state = VCPU_RUNNING;
    return true;
}
/* @v is ready and shall stop: it comes to that, even if others are promised all of the core. */
void sched_hurry(struct cpu *cpu, struct vcpu *v);
/*
 * The one that makes a call right now, and waits in it, lends its time to @v, which is blocked and lives here: @v runs next. The
 * lender's done() is not asked before somebody wakes it. It is the lender's promise or turn that this takes from, and it ends with it.
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
/* The same where @v is ready already, in its own share or in that of one whose call came before. */
void sched_lend_busy(struct cpu *cpu, struct vcpu *v);
/* The same of one that does not wait, but runs on when @v has. */
static inline void sched_handoff(struct cpu *cpu, struct vcpu *v)
{
    sched_lend(cpu, v);
    if (cpu->current->arch.wait == WAIT_NONE)
        cpu->current->arch.wait = WAIT_TURN;
}
/* The current vCPU renounces the rest of its turn, or of what it is promised for this period. */
static inline void sched_yield(struct vcpu *v)
{
    v->home->yields = true;
    v->arch.wait = WAIT_TURN;
}
/* What this core has done since @from was for nobody who runs on it: it counts for no budget and no turn. */
static inline void sched_spare(struct cpu *cpu, u64 from)
{
    if (cpu->rq.cur)
        cpu->rq.since += arch_tsc() - from;
}
/* Has somebody here a use for what he is promised? */
static inline bool sched_promised(const struct cpu *cpu)
{
    return cpu->rq.due.n;
}
/* The current vCPU gives way, and is READY. */
void sched_give_way(struct cpu *cpu, struct vcpu *v);
/* The current vCPU is BLOCKED, or READY when there was something for it meanwhile. */
void sched_block(struct cpu *cpu, struct vcpu *v);
/* The current vCPU is STOPPED. */
void sched_stop(struct cpu *cpu, struct vcpu *v);
/* May another one wait for the current one's core? */
static inline bool sched_others(const struct cpu *cpu)
{
    return cpu->rq.nr_slack > 1 || cpu->handoff || policy_contenders(&cpu->rq) > 1 || cpu->rq.cur != &cpu->current->share;
}
/* Between two vCPUs: does one wait? */
static inline bool sched_any(const struct cpu *cpu)
{
    return policy_contenders(&cpu->rq) || cpu->handoff;
}
struct vcpu *sched_next(struct cpu *cpu); /* whom the time belongs to now; NULL: nobody */
/* sched_block() or sched_give_way(), then sched_next(). */
struct vcpu *sched_decide(struct cpu *cpu, struct vcpu *v, bool block);
/* The same of one that renounces what is its own. */
struct vcpu *sched_pass(struct cpu *cpu, struct vcpu *v);
/* One of the two: the short way from one to the other. NULL: to none. */
static inline struct vcpu *sched_switch(struct cpu *cpu, struct vcpu *v, bool block)
{
    if (cpu->yields && !block && cpu->rq.cur == &v->share && !cpu->handoff && !v->runners)
        return sched_pass(cpu, v);
    return sched_decide(cpu, v, block);
}
