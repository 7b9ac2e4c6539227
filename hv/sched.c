/* SPDX-License-Identifier: MIT */
/*
 * Whose time it is, is decided among shares (hv/policy.c), one a vCPU. Who runs in a share is its owner or one that it was lent to: the
 * ready ones among them are a stack in the owner. One that is ready in another's share is so in its own, too, and runs in what comes first.
 */
#include "hv/sched.h"

#include "hv/abi/manifest.h"
#include "hv/ipc.h"
#include "hv/lib/log.h"
#include "hv/partition.h"
#include "hv/steal.h"

static struct vcpu *owner_of(struct share *s)
{
    return (struct vcpu *)(void *)((u8 *)s - offsetof(struct vcpu, share));
}

/* Timers fire on their own core. */
static void slice_alarm(struct timer *t)
{
    struct cpu *cpu = this_cpu();

    if (cpu->rq.until == TIMER_NEVER)
        return;
    if (cpu->rq.until > arch_tsc()) {
        timer_set(&cpu->timers, t, cpu->rq.until);
        return;
    }
    cpu->resched = true;
}

/* An alarm that is set already comes no later. */
static void arm_slice(struct cpu *cpu)
{
    if (cpu->slice.deadline > cpu->rq.until)
        timer_set(&cpu->timers, &cpu->slice, cpu->rq.until);
}

void sched_init(struct cpu *cpu)
{
    timer_init(&cpu->slice, slice_alarm);
}

u64 sched_ticks(u64 us)
{
    return us * arch_tsc_khz() / 1000;
}

void sched_join(struct vcpu *v, const struct manifest_partition *c)
{
    if (!v->home->nr_vcpus)
        policy_init(&v->home->rq, sched_ticks(SLICE_MS * 1000));
    share_init(&v->share, c->weight, c->flags & MANIFEST_CAPPED, sched_ticks(c->period), sched_ticks(c->budget));
}

static void give_way_soon(struct cpu *cpu)
{
    if (cpu->current)
        cpu->resched = cpu->current->arch.look = true;
}

/* Somebody has a use for its share. @now: that of a decision under way, which sees then that this is more urgent. */
static void want(struct cpu *cpu, struct vcpu *v, u64 now)
{
    if (v->share.runnable)
        return;
    if (policy_ready(&cpu->rq, &v->share, now))
        give_way_soon(cpu);
    else
        arm_slice(cpu);
}

/* Has still somebody? */
static void unwant(struct cpu *cpu, struct vcpu *v)
{
    if (v->share.runnable && !v->runners && v->state != VCPU_READY)
        policy_block(&cpu->rq, &v->share);
}

/* @v, which is ready, is the next in the share of @owner. */
static void borrow(struct cpu *cpu, struct vcpu *v, struct vcpu *owner, u64 now)
{
    v->runs_in = v->lender = owner;
    v->next_runner = owner->runners;
    owner->runners = v;
    want(cpu, v, now);
}

static void give_back(struct vcpu *v)
{
    struct vcpu **link = &v->runs_in->runners;

    while (*link != v)
        link = &(*link)->next_runner;
    *link = v->next_runner;
    v->runs_in = NULL;
}

void sched_lend_busy(struct cpu *cpu, struct vcpu *v)
{
    struct vcpu *owner = owner_of(cpu->rq.cur), *other = v->runs_in;

    if (other == owner)
        return;
    if (other) {
        give_back(v);
        unwant(cpu, other);
    }
    borrow(cpu, v, owner, arch_tsc());
}

void sched_ready(struct cpu *cpu, struct vcpu *v)
{
    v->state = VCPU_READY;
    steal_begins(v);
    if (!v->share.runnable) {
        want(cpu, v, arch_tsc());
        return;
    }
    v->first = true;
    if (cpu->rq.cur == &v->share)
        give_way_soon(cpu);
}

void sched_hurry(struct cpu *cpu, struct vcpu *v)
{
    if (policy_hurry(&cpu->rq, &v->share, sched_ticks(SLICE_MS * 100), arch_tsc()))
        give_way_soon(cpu);
}

/* What is promised to @owner again and again is lent until it has its answer. */
static bool keeps_loan(const struct vcpu *v, const struct vcpu *owner)
{
    return owner->share.budget && owner->state == VCPU_BLOCKED && ipc_serves(v, owner);
}

/* They had the turn together: none of them has another before the others have had theirs. */
static __attribute__((noinline)) void end_loans(struct cpu *cpu, struct vcpu *owner)
{
    struct vcpu *v, *next;

    for (v = owner->runners; v; v = next) {
        next = v->next_runner;
        if (keeps_loan(v, owner))
            continue;
        give_back(v);
        policy_follow(&cpu->rq, &v->share, &owner->share);
    }
    v = cpu->handoff;
    if (v && keeps_loan(v, owner))
        return;
    cpu->handoff = NULL;
    if (!v)
        return;
    steal_begins(v); /* now it waits */
    if (v == owner)
        return;
    policy_follow(&cpu->rq, &v->share, &owner->share);
    want(cpu, v, cpu->now);
}

/* Who runs next in the share of @owner, if that goes on. */
static struct vcpu *runner_of(const struct cpu *cpu, struct vcpu *owner)
{
    if (cpu->handoff)
        return cpu->handoff;
    if (owner->runners && !owner->first)
        return owner->runners;
    return owner->state == VCPU_READY ? owner : NULL;
}

/* It had its own share, and works for another still. */
static bool works_on(const struct vcpu *v)
{
    return v->lender && v->state == VCPU_READY && !v->runs_in && keeps_loan(v, v->lender);
}

static __attribute__((noinline)) void end_share(struct cpu *cpu, struct vcpu *owner)
{
    if (policy_charge(&cpu->rq, cpu->now) && (cpu->handoff || owner->runners))
        end_loans(cpu, owner);
    if (works_on(owner)) {
        borrow(cpu, owner, owner->lender, cpu->now);
        want(cpu, owner->lender, cpu->now);
    }
    if (!cpu->handoff)
        unwant(cpu, owner);
}

/* The current one does not run any more. As long as its share has time and a runner, that is all there is to it. */
static inline void end_run(struct cpu *cpu)
{
    struct vcpu *owner = owner_of(cpu->rq.cur);

    if (!runner_of(cpu, owner))
        policy_end(&cpu->rq, cpu->now);
    else if (cpu->now >= cpu->rq.until)
        end_share(cpu, owner);
}

void sched_give_way(struct cpu *cpu, struct vcpu *v)
{
    struct vcpu *owner = owner_of(cpu->rq.cur);
    bool yields = cpu->yields;

    cpu->yields = false;
    v->state = VCPU_READY;
    if (owner != v && yields)
        want(cpu, v, cpu->now);
    else if (owner != v)
        borrow(cpu, v, owner, cpu->now);
    else if (yields)
        policy_yield(&cpu->rq, cpu->now);
    end_run(cpu);
}

void sched_block(struct cpu *cpu, struct vcpu *v)
{
    v->state = VCPU_BLOCKED;
    /* What was posted while v still ran found it RUNNING: look once more. */
    if (__atomic_load_n(&v->inbox.pending, __ATOMIC_SEQ_CST))
        sched_ready(cpu, v);
    end_run(cpu);
}

void sched_stop(struct cpu *cpu, struct vcpu *v)
{
    v->state = VCPU_STOPPED;
    end_run(cpu);
}

/* One that was ready in two shares does not need the other one any more. */
static __attribute__((noinline)) void settle_on(struct cpu *cpu, struct vcpu *v, struct vcpu *owner)
{
    struct vcpu *other = v == owner ? v->runs_in : v;

    give_back(v);
    unwant(cpu, other);
}

static inline void begin_run(struct cpu *cpu, struct vcpu *v)
{
    cpu->resched = false;
    cpu->handoff = NULL;
    v->first = false;
    v->state = VCPU_RUNNING;
}

static inline struct vcpu *enter_share(struct cpu *cpu, struct vcpu *v, struct vcpu *owner)
{
    begin_run(cpu, v);
    if (v->runs_in)
        settle_on(cpu, v, owner);
    return v;
}

/* Whose turn it is in the share of @owner, which has the time now. */
static inline struct vcpu *enter_any(struct cpu *cpu, struct vcpu *owner)
{
    struct vcpu *v = runner_of(cpu, owner);

    return enter_share(cpu, v ? v : owner, owner);
}

/* The first time, and whenever that was twice as often: who misses all of them does not fill the log. */
static __attribute__((noinline)) void tell_missed(struct cpu *cpu)
{
    const struct vcpu *v = owner_of(cpu->rq.missed);
    u64 n = v->share.missed;

    cpu->rq.missed = NULL;
    if ((n & (n - 1)) == 0)
        log_warn("%s/%u missed its %s, %lu so far: core %u did something else - promise less of it", v->part->name, v->index,
                 v->share.period ? "deadline" : "slot", n, cpu->index);
}

struct vcpu *sched_next(struct cpu *cpu)
{
    struct share *s = cpu->rq.cur;
    struct vcpu *owner, *v;

    if (s) {
        owner = owner_of(s);
        v = runner_of(cpu, owner);
        if (v && cpu->now < cpu->rq.until)
            return enter_share(cpu, v, owner);
        if (cpu->handoff)
            steal_begins(cpu->handoff);
        if (cpu->handoff && cpu->handoff != owner)
            borrow(cpu, cpu->handoff, owner, cpu->now);
        cpu->handoff = NULL;
    }
    s = policy_pick(&cpu->rq, cpu->now);
    arm_slice(cpu);
    if (cpu->rq.missed)
        tell_missed(cpu);
    cpu->resched = false;
    if (!s)
        return NULL;
    return enter_any(cpu, owner_of(s));
}

static __attribute__((noinline)) struct vcpu *pass_any(struct cpu *cpu, struct vcpu *owner)
{
    arm_slice(cpu);
    return enter_any(cpu, owner);
}

struct vcpu *sched_pass(struct cpu *cpu, struct vcpu *v)
{
    cpu->yields = false;
    v->state = VCPU_READY;
    v = owner_of(policy_pass(&cpu->rq, cpu->now));
    if (cpu->slice.deadline > cpu->rq.until || v->runners || v->runs_in)
        return pass_any(cpu, v);
    begin_run(cpu, v);
    return v;
}

struct vcpu *sched_decide(struct cpu *cpu, struct vcpu *v, bool block)
{
    if (block)
        sched_block(cpu, v);
    else
        sched_give_way(cpu, v);
    return sched_next(cpu);
}
