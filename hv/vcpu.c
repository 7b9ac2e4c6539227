/* SPDX-License-Identifier: MIT */
/* Running a vCPU on its home core, and reaching it from others. */
#include "hv/vcpu.h"

#include "arch/x86/cpu/regs.h"
#include "hv/account.h"
#include "hv/event.h"
#include "hv/exit.h"
#include "hv/lib/log.h"
#include "hv/partition.h"
#include "hv/report.h"
#include "hv/sched.h"
#include "hv/steal.h"
#include "hv/time.h"
#include "hv/trace.h"
#include "hv/vcpu_boot.h"
#include "hv/vcpu_irq.h"
#include "hv/vcpu_pause.h"

static void lapic_timer_due(struct timer *t)
{
    struct vcpu *v = (struct vcpu *)((u8 *)t - offsetof(struct vcpu, lapic_timer));

    vlapic_timer_expired(&v->lapic, vcpu_guest_tsc(v));
    vcpu_arm_timer(v);
    v->arch.irq_dirty = true;
    if (v->state == VCPU_BLOCKED)
        sched_ready(v->home, v);
}

static void wait_due(struct timer *t)
{
    struct vcpu *v = (struct vcpu *)((u8 *)t - offsetof(struct vcpu, wait_timer));

    if (v->state == VCPU_BLOCKED)
        sched_ready(v->home, v);
}

void vcpu_init(struct vcpu *v, struct partition *p, u32 index, struct cpu *home)
{
    v->part = p;
    v->index = index;
    v->home = home;
    v->state = VCPU_STOPPED;
    timer_init(&v->lapic_timer, lapic_timer_due);
    timer_init(&v->wait_timer, wait_due);
    timer_init(&v->event_timer, event_timer_due);
}

u64 vcpu_guest_tsc(const struct vcpu *v)
{
    return arch_tsc() + v->tsc_offset;
}

void vcpu_set_tsc_offset(struct vcpu *v, u64 offset)
{
    v->tsc_offset = offset;
    arch_vcpu_set_reg(&v->arch, X86_TSC_OFFSET, offset);
    vcpu_arm_timer(v);
}

void vcpu_arm_timer(struct vcpu *v)
{
    u64 now = arch_tsc();
    u64 guest_now = now + v->tsc_offset;
    u64 left = v->lapic.deadline > guest_now ? v->lapic.deadline - guest_now : 0;

    if (v->lapic.period)
        left = MAX(left, SHORTEST_PERIOD_US * arch_tsc_khz() / 1000);
    if (v->lapic.deadline == TIMER_NEVER || left > TIMER_NEVER / 2)
        timer_set(&v->home->timers, &v->lapic_timer, TIMER_NEVER);
    else
        timer_set(&v->home->timers, &v->lapic_timer, now + left);
}

/*
 * Interrupts end a guest's run wherever processors are as the manuals say; where one does not (a guest entered with IF=0 on
 * some emulators), this does.
 */
void vcpu_set_backstop(struct vcpu *v)
{
    arch_vcpu_backstop(&v->arch, SLICE_MS * arch_tsc_khz());
}

/* Push on the home core's inbox unless it is there already; rings the core. */
static inline void notify(struct vcpu *v)
{
    struct cpu *home = v->home;

    if (__atomic_exchange_n(&v->inbox.queued, 1, __ATOMIC_ACQ_REL))
        return;
    v->inbox.next = __atomic_load_n(&home->inbox, __ATOMIC_RELAXED);
    /* RELEASE: pairs with take_inbox(); v->inbox.next and the pending bits are visible before v is. */
    while (!__atomic_compare_exchange_n(&home->inbox, &v->inbox.next, v, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    cpu_ring(home);
}

void vcpu_post(struct vcpu *v, u64 what)
{
    /* SEQ_CST: against a home core that sets BLOCKED, then looks at pending. Bits that are there already have rung. */
    if (!__atomic_fetch_or(&v->inbox.pending, what, __ATOMIC_SEQ_CST))
        notify(v);
    /*
     * It may be in the middle of an exit. The ring ends its run as well, but for processors that hold interrupts back from some
     * guests. After pending: who takes look back reads that next.
     */
    __atomic_store_n(&v->arch.look, true, __ATOMIC_RELEASE);
}

void vcpu_start(struct vcpu *v)
{
    vlapic_reset(&v->lapic, v->index, v->index == 0);
    /* Here, and not when it looks: vCPU 0 may be started sooner, and have asked for its start by then. */
    __atomic_store_n(&v->boot, v->index == 0 ? BOOT_RUNS : BOOT_WAITS, __ATOMIC_RELAXED);
    __atomic_store_n(&v->inbox.pending, VCPU_PEND_START, __ATOMIC_SEQ_CST);
    notify(v);
}

static __attribute__((noinline)) bool take_any(struct vcpu *v, u64 what)
{
    if (what & VCPU_PEND_STOP)
        return false;
    if (what & VCPU_PEND_START)
        vcpu_begin(v);
    if (!v->live)
        return false;
    if (what & VCPU_PEND_INIT)
        vcpu_init_signal(v);
    if (what & VCPU_PEND_SIPI)
        vcpu_sipi(v);
    if (what & VCPU_PEND_BOOT)
        vcpu_begin_at(v);
    if (what & VCPU_PEND_NMI)
        v->nmi_pending = v->arch.irq_dirty = true;
    if (VCPU_PEND_IRQS(what))
        vcpu_take_vectors(v, VCPU_PEND_IRQS(what));
    if (what & VCPU_PEND_STATE)
        vcpu_take_state(v);
    if (what & VCPU_PEND_REGS)
        report_registers(v);
    if (what & VCPU_PEND_ISA)
        isa_attend(v);
    return true;
}

/* What others posted. False: the vCPU shall leave. */
static inline bool take_pending(struct vcpu *v)
{
    /* ACQUIRE: what a bit announces is visible. */
    u64 what = __atomic_exchange_n(&v->inbox.pending, 0, __ATOMIC_ACQ_REL);

    if (((u32)what & ~(u32)VCPU_PEND_WAKE) || !v->live)
        return take_any(v, what);
    if (VCPU_PEND_IRQS(what))
        vcpu_take_vectors(v, VCPU_PEND_IRQS(what));
    return true;
}

void vcpu_set_deadline(struct vcpu *v, u64 deadline)
{
    v->wait_deadline = time_deadline(v->part, deadline);
    timer_set(&v->home->timers, &v->wait_timer, v->wait_deadline);
}

void vcpu_wake(struct vcpu *v)
{
    if (v->home != this_cpu())
        vcpu_post(v, VCPU_PEND_WAKE);
    else if (v->state == VCPU_BLOCKED)
        sched_ready(v->home, v);
}

static void check_wait_call(struct vcpu *v)
{
    if (v->done(v, arch_tsc() >= v->wait_deadline))
        vcpu_unblock(v);
}

enum vcpu_leave vcpu_fail(struct vcpu *v, const struct vm_exit *exit)
{
    report_vcpu(v, exit);
    /* Not RUNNING any more: somebody else ends it already, and this vCPU leaves all the same. */
    if (partition_stop(v->part, END_FAULT) != PITH_OK)
        log_info("%s: was being stopped", v->part->name);
    return LEAVE_STOP;
}

/* An exit that it did not cause, and that brings it nothing, is not at its expense. */
static void attend_core(struct vcpu *v, struct cpu *cpu)
{
    bool dirty = v->arch.irq_dirty;
    u32 now;

    v->arch.irq_dirty = false;
    cpu_attend(cpu);
    if (v->arch.kind <= VM_EXIT_PREEMPT && !v->arch.irq_dirty && !__atomic_load_n(&v->inbox.pending, __ATOMIC_RELAXED)) {
        now = (u32)arch_tsc();
        account_move(&v->run, &cpu->others, now - v->arch.left_at);
        v->arch.left_at = now;
    }
    v->arch.irq_dirty |= dirty;
}

/* What interrupts and other cores have brought. False: the vCPU shall leave. */
static inline bool look_around(struct vcpu *v, struct cpu *cpu)
{
    if (cpu->attention)
        attend_core(v, cpu);
    return !__atomic_load_n(&v->inbox.pending, __ATOMIC_ACQUIRE) || take_pending(v);
}

/* It was in HLT, and all there is to do is to enter it with its interrupt. */
static inline bool is_interrupted(struct vcpu *v, const struct cpu *cpu)
{
    return v->arch.wait == WAIT_HLT && !v->paused && !cpu->resched && !cpu->handoff && !cpu->trace && vcpu_ends_halt(v);
}

static __attribute__((noinline)) enum vcpu_leave attend(struct vcpu *v, struct cpu *cpu)
{
    enum vcpu_leave why;

    if (v->arch.interrupted.valid) {
        vcpu_end_halt(v);
        /* A delivery that exits every time would keep physical interrupts from ever being seen. */
        arch_irq_window();
    }
    if (!look_around(v, cpu))
        return LEAVE_STOP;
    if (is_interrupted(v, cpu))
        return LEAVE_NOT;
    if (v->arch.irq_dirty && !v->paused)
        vcpu_deliver(v);
    if (v->arch.wait == WAIT_TURN) { /* there is a handoff, then, or it yields */
        v->arch.wait = WAIT_NONE;
        cpu->resched |= cpu->yields;
    }
    if (v->arch.wait == WAIT_CALL && !v->paused)
        check_wait_call(v);
    why = v->arch.wait != WAIT_NONE || v->paused ? LEAVE_BLOCK : LEAVE_YIELD;
    if (why == LEAVE_BLOCK || cpu->resched || cpu->handoff || !v->trace == v->part->traced)
        return why;
    if (v->trace && v->arch.interrupted.valid)
        trace_inject(v);
    return LEAVE_NOT;
}

/* Is there anything to do before the next entry, but to give way? */
static bool wanted(const struct vcpu *v, const struct cpu *cpu)
{
    /* ACQUIRE: take_pending() looks again. */
    return __atomic_load_n(&v->inbox.pending, __ATOMIC_ACQUIRE) || cpu->attention || v->arch.come_out || v->arch.interrupted.valid;
}

/* Before an entry: LEAVE_NOT, or why not. */
static inline enum vcpu_leave look(struct vcpu *v, struct cpu *cpu)
{
    /* SEQ_CST: before pending is read, vcpu_post(); after cpu->current was set and before the epoch is read, partition_flush() */
    (void)__atomic_exchange_n(&v->arch.look, false, __ATOMIC_SEQ_CST);
    if (wanted(v, cpu))
        return attend(v, cpu);
    return cpu->resched ? LEAVE_YIELD : LEAVE_NOT;
}

/*
 * @before, in an exit of that kind, gives way to another one, which is returned. NULL: if there is one, more is to be done before it
 * runs than to load it. Where nothing is traced, no partition is.
 */
static inline struct vcpu *switch_from(struct vcpu *before, struct cpu *cpu, enum vcpu_leave why, u8 kind, bool traced)
{
    struct vcpu *v = sched_switch(cpu, before, why == LEAVE_BLOCK);
    u64 now = cpu->now;

    /* SEQ_CST: to partition_flush(), what was done for the one before is done, and the epoch is read afterwards. */
    (void)__atomic_exchange_n(&cpu->current, v, __ATOMIC_SEQ_CST);
    account_run_ends(before, kind, now);
    if (!v || !v->plain || (traced && v->part->traced)) {
        cpu->sched -= now;
        cpu->left = LEAVE_NEXT;
        return NULL;
    }
    account_run_begins(v, now);
    return vcpu_of(cpu->arch.loaded == &v->arch ? &v->arch : arch_vcpu_switch(&v->arch, &cpu->arch));
}

/*
 * Two that talk to each other switch here, inside of arch_vcpu_run(), as long as nothing but calls comes between. NULL: cpu->left says
 * why the current one leaves.
 */
static __attribute__((noinline)) struct arch_vcpu *take_turns(struct vcpu *v, struct cpu *cpu)
{
    enum vcpu_leave why;

    while ((why = look(v, cpu)) != LEAVE_NOT) {
        cpu->now = arch_tsc();
        if (why == LEAVE_STOP || !v->plain || cpu_needs_look(cpu) || !sched_others(cpu)) {
            cpu->left = (u8)why;
            return NULL;
        }
        v = switch_from(v, cpu, why, v->arch.kind, true);
        if (!v)
            return NULL;
    }
    return &v->arch;
}

/* What it waited for may have come: true when that is all, and it goes on. */
static inline bool settles(struct vcpu *v)
{
    if (v->arch.look || v->paused)
        return false;
    if (v->arch.wait == WAIT_HLT && vcpu_ends_halt(v))
        return true;
    if (v->arch.irq_dirty)
        vcpu_deliver(v);
    if (v->arch.wait == WAIT_CALL)
        check_wait_call(v);
    return !v->arch.come_out;
}

/* Nothing has happened at @now that the core is to look at: interrupts set cpu->attention wherever they are not held back. */
static inline bool undisturbed(const struct cpu *cpu, u64 now)
{
    return !__atomic_load_n(&cpu->inbox, __ATOMIC_RELAXED) && !timers_due(&cpu->timers, now);
}

/* @v's run ends in a call, and @to becomes the current one, in the share that has the time. */
static inline struct arch_vcpu *pass_to(struct vcpu *v, struct cpu *cpu, struct vcpu *to, u64 now)
{
    account_run_ends(v, VM_EXIT_HYPERCALL, now);
    account_run_begins(to, now);
    to->state = VCPU_RUNNING;
    cpu->handoff = NULL;
    /* SEQ_CST: to partition_flush(), what was done for the one before is done, and the epoch is read afterwards. */
    (void)__atomic_exchange_n(&cpu->current, to, __ATOMIC_SEQ_CST);
    return arch_vcpu_switch(&to->arch, &cpu->arch);
}

/* It lends its time, or what it wakes has an interrupt to take first. */
static __attribute__((noinline)) struct arch_vcpu *wake_and_pass(struct vcpu *v, struct cpu *cpu, struct vcpu *to)
{
    u32 why = v->arch.come_out;
    u64 now = arch_tsc();

    if ((why != WAIT_CALL && (why != WAIT_TURN || !v->plain)) || !undisturbed(cpu, now))
        return take_turns(v, cpu);
    if (why == WAIT_CALL) {
        v->state = VCPU_BLOCKED;
    } else {
        v->arch.wait = WAIT_NONE;
        cpu->now = now;
        sched_give_way(cpu, v);
    }
    (void)pass_to(v, cpu, to, now);
    return !cpu->resched && (!to->arch.come_out || settles(to)) ? &to->arch : take_turns(to, cpu);
}

/* It yields to whoever is next, and that one has nothing to do first. */
static __attribute__((noinline)) struct arch_vcpu *yield_turn(struct vcpu *v, struct cpu *cpu)
{
    u64 now = arch_tsc();

    if (v->arch.come_out != WAIT_TURN || !v->plain || !undisturbed(cpu, now) || !sched_others(cpu))
        return take_turns(v, cpu);
    v->arch.wait = WAIT_NONE;
    cpu->now = now;
    v = switch_from(v, cpu, LEAVE_YIELD, VM_EXIT_HYPERCALL, false);
    return v && v->arch.come_out ? take_turns(v, cpu) : (struct arch_vcpu *)v;
}

/*
 * From one that makes a call to the one that it hands its time to, where there is nothing else to do: all that is between an exit
 * and an entry otherwise. Where a decision is due, cpu->resched is set. What is posted to one of the two from now on
 * rings, and finds its look as it left it; an event that is on its way into it already goes in. Where it is not that simple, nothing
 * has happened yet.
 */
static struct arch_vcpu *turn(struct arch_vcpu *arch)
{
    struct vcpu *v = vcpu_of(arch);
    struct cpu *cpu = v->home;
    struct vcpu *to = cpu->handoff;
    u64 now;

    if (cpu->resched || cpu->attention || cpu->house || cpu->trace)
        return take_turns(v, cpu);
    if (!to)
        return yield_turn(v, cpu);
    if (arch->come_out != WAIT_CALL || to->arch.come_out)
        return wake_and_pass(v, cpu, to);
    now = arch_tsc();
    if (!undisturbed(cpu, now))
        return take_turns(v, cpu);
    v->state = VCPU_BLOCKED;
    return pass_to(v, cpu, to, now);
}

static enum vcpu_leave run(struct vcpu *v, struct cpu *cpu, vm_exit_fn *handle)
{
    enum exit_action act;
    enum vcpu_leave why;
    struct vm_exit exit;

    while ((why = look(v, cpu)) == LEAVE_NOT) {
        cpu->left = LEAVE_NOT;
        act = arch_vcpu_run(&v->arch, &exit, handle, turn);
        if (cpu->left != LEAVE_NOT)
            return (enum vcpu_leave)cpu->left;
        v = vcpu_of(cpu->arch.loaded);
        if (act == EXIT_FAIL)
            return vcpu_fail(v, &exit);
        if (act == EXIT_SKIP && arch_vcpu_skip(&v->arch, &exit) != PITH_OK) {
            v->why = "the instruction cannot be read back";
            return vcpu_fail(v, &exit);
        }
    }
    return why;
}

static void has_stopped(struct vcpu *v, struct cpu *cpu)
{
    (void)ipc_leave(v);
    arch_vcpu_unload(&v->arch, &cpu->arch);
    vcpu_stop_timers(v);
    v->live = v->plain = false;
    v->steal = (struct steal){ 0 };
    v->state = VCPU_STOPPED;
    account_check(cpu);
    partition_vcpu_left(v->part);
}

/* One that is not plain, and perhaps is from now on; trace_begin() may know better. False: it does not run. */
static __attribute__((noinline)) bool comes_to_run(struct vcpu *v, const struct cpu *cpu)
{
    u64 seen = __atomic_load_n(&v->inbox.pending, __ATOMIC_ACQUIRE);

    if (!v->live && !(seen & VCPU_PEND_START)) {
        /* Events for one that is stopped are dropped. What comes meanwhile stays: a START, which queues it again, and a STOP
         * behind that. */
        __atomic_compare_exchange_n(&v->inbox.pending, &seen, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        return false;
    }
    steal_ends(v, cpu->now);
    v->plain = !v->steal.msr;
    return true;
}

enum vcpu_leave vcpu_run(struct vcpu *v)
{
    struct cpu *cpu = v->home;
    enum vcpu_leave leave;

    if (!v->plain && !comes_to_run(v, cpu))
        return LEAVE_STOP;
    cpu->sched += cpu->now;
    account_run_begins(v, cpu->now);
    arch_vcpu_load(&v->arch, &cpu->arch);
    v->trace = NULL;
    leave = run(v, cpu, v->part->traced ? trace_begin(v) : exit_handle);
    if (leave == LEAVE_NEXT)
        return leave;
    v = vcpu_of(cpu->arch.loaded);
    cpu->now = arch_tsc();
    if (v->trace)
        trace_event(v->part, v->index, PITH_TRACE_SCHED_OUT, leave - LEAVE_YIELD, cpu->now - v->trace_since);
    account_run_ends(v, v->arch.kind, cpu->now);
    cpu->sched -= cpu->now;
    if (leave == LEAVE_STOP)
        has_stopped(v, cpu);
    return leave;
}

void vcpu_inject_exception(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
    struct x86_event ev = { .vector = vector, .type = X86_EV_EXCEPTION, .valid = true,
                            .has_error = has_error, .error = error };

    arch_vcpu_inject(&v->arch, &ev); /* exceptions always succeed */
}
