/* SPDX-License-Identifier: MIT */
/*
 * Running a vCPU against a fake processor: interrupts, halting, waiting, stopping, turns on a core.
 * LINK: hv/vcpu.c hv/vcpu_boot.c hv/vcpu_irq.c hv/vcpu_pause.c
 * LINK: hv/account.c hv/steal.c hv/isa.c hv/trace_none.c hv/sched.c hv/policy.c hv/timer.c hv/time.c hv/vdev/vlapic.c hv/vdev/vioapic.c
 * LINK: hv/vdev/vpic.c hv/vdev/vpit.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/account.h"
#include "hv/event.h"
#include "hv/exit.h"
#include "hv/lib/log.h"
#include "hv/partition.h"
#include "hv/report.h"
#include "hv/sched.h"
#include "hv/steal.h"
#include "hv/vdev/vclock.h"

static struct cpu core, other_core;
static struct partition part;
static const struct load_plan plan;
static struct vcpu vcpu, second;
/* For the accounts. */
u32 nr_partitions = 1, nr_cpus = 1;
struct partition *partition_get(u32 i)
{
    static struct partition all = { .vcpus = { &vcpu, &second }, .nr_vcpus = 2 };

    (void)i;
    return &all;
}
struct cpu *cpu_get(u32 i) { (void)i; return &core; }

/* --- the fake processor: a script of exits, and what was done to it */
static struct { u8 kind; enum exit_action act; void (*before)(void); } steps[8];
static u32 nr_steps, at, skips, resets, injected_vector, refused, left, stopped, failed, shown, rings, waits_done, windows, messages;
static struct vioapic_msg message;
static bool if_open, stuck /* deliveries never succeed */;
static struct arch_vcpu *accepted; /* has an interrupt in its next entry */
static u64 now, timer_tsc, cr8, exit_takes;
static void (*in_handler)(void); /* once: what happens in the exit */
static void (*on_window)(void); /* a physical interrupt that comes in the next window */

struct arch_vcpu *arch_vcpu_load(struct arch_vcpu *v, struct arch_cpu *c) { v->cpu = c; return c->loaded = v; }
struct arch_vcpu *arch_vcpu_switch(struct arch_vcpu *v, struct arch_cpu *c) { return arch_vcpu_load(v, c); }
void arch_vcpu_unload(struct arch_vcpu *v, struct arch_cpu *c) { v->cpu = NULL; c->loaded = NULL; }
void arch_vcpu_reset(struct arch_vcpu *v, bool init_only) { (void)v, (void)init_only; resets++; }
void arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg r, u64 val) { (void)v; if (r == X86_CR8) cr8 = val; }
u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg r) { (void)v; return r == X86_CR8 ? cr8 : 0; }
void arch_vcpu_set_seg(struct arch_vcpu *v, enum x86_seg s, const struct x86_segment *in) { (void)v, (void)s, (void)in; }
void arch_vcpu_tpr_window(struct arch_vcpu *v, u8 threshold) { (void)v, (void)threshold; }
void arch_vcpu_backstop(struct arch_vcpu *v, u64 tsc) { (void)v, (void)tsc; }
enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *e) { (void)v, (void)e; skips++; return PITH_OK; }
u8 arch_vcpu_cr8(const struct arch_vcpu *v) { (void)v; return (u8)cr8; }
bool arch_vcpu_inject(struct arch_vcpu *v, const struct x86_event *ev)
{
    if (!if_open || v->interrupted.valid) {
        refused++;
        return false;
    }
    injected_vector = ev->vector;
    v->interrupted = *ev;
    v->look = true;
    return true;
}
bool arch_vcpu_interrupt(struct arch_vcpu *v, u8 vector)
{
    return arch_vcpu_inject(v, &(struct x86_event){ .vector = vector, .type = X86_EV_EXTINT, .valid = true });
}
bool arch_vcpu_accept(struct arch_vcpu *v, u8 vector)
{
    if (vector >> 4 <= arch_vcpu_cr8(v) || v->interrupted.valid || !if_open)
        return false;
    injected_vector = vector;
    accepted = v;
    return true;
}
enum exit_action arch_vcpu_run(struct arch_vcpu *v, struct vm_exit *e, vm_exit_fn *handle, vm_turn_fn *turn)
{
    enum exit_action act;

    for (;;) {
        assert_true(!accepted || (accepted == v && !v->interrupted.valid)); /* nothing came before this entry */
        accepted = NULL;
        v->interrupted.valid &= stuck;
        v->spent[v->kind] += (u32)now - v->left_at;
        assert_in_range(at, 0, nr_steps - 1); /* ran longer than the script */
        if (steps[at].before)
            steps[at].before();
        *e = (struct vm_exit){ .kind = steps[at].kind };
        v->left_at = (u32)now;
        now += exit_takes;
        act = handle(v, e);
        if (act == EXIT_FAIL)
            return act;
        skips += act == EXIT_SKIP;
        if (v->come_out && !(v = turn(v)))
            return EXIT_RESUME;
    }
}
enum exit_action exit_handle(struct arch_vcpu *arch, struct vm_exit *e)
{
    struct vcpu *v = vcpu_of(arch);

    v->exits[e->kind]++;
    arch->kind = e->kind;
    if (in_handler) {
        void (*happens)(void) = in_handler;

        in_handler = NULL;
        arch->irq_dirty = e->kind == VM_EXIT_HOST_IRQ; /* as on_host_irq() says, too */
        happens();
        arch->look = true;
    }
    if (v->inbox.pending)
        v->arch.look = true;
    if (e->kind == VM_EXIT_HLT) {
        v->arch.wait = WAIT_HLT;
        v->arch.irq_dirty = true;
    }
    if (e->kind == VM_EXIT_WINDOW)
        v->arch.irq_dirty = true;
    return steps[at++].act;
}
u64 arch_tsc(void) { return now; }
u64 arch_tsc_khz(void) { return 1000; }
void arch_irq_window(void)
{
    windows++;
    if (on_window)
        on_window();
    on_window = NULL;
}
void arch_timer_set(u64 tsc) { timer_tsc = tsc; }
void cpu_attend(struct cpu *c) { c->attention = false; timers_run(&c->timers, now); }
void cpu_ring(struct cpu *c) { (void)c; rings++; }
static bool wait_over(struct vcpu *v, bool late) { if (!late && !vcpu_interrupted(v)) return false; waits_done++; return true; }
void report_vcpu(struct vcpu *v, const struct vm_exit *e) { (void)v, (void)e; failed++; }
void report_registers(struct vcpu *v) { assert_ptr_equal(v->home->arch.loaded, &v->arch); shown++; }
enum pith_status partition_stop(struct partition *p, enum partition_end end) { (void)p, (void)end; stopped++; return PITH_OK; }
bool ipc_leave(struct vcpu *v) { (void)v; return false; }
bool ipc_serves(const struct vcpu *server, const struct vcpu *caller) { (void)server, (void)caller; return false; }
void partition_vcpu_left(struct partition *p) { (void)p; left++; }
void partition_deliver(void *p, const struct vioapic_msg *msg) { (void)p; messages++, message = *msg; }
void event_timer_due(struct timer *t) { (void)t; }
u64 vmsr_store_reset(u32 i) { (void)i; return 0; }
static struct pvclock_steal told; /* at guest-physical 0 */
static bool page_is_gone;
enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    (void)vm;
    assert_in_range(gpa + len, 1, sizeof(told));
    if (page_is_gone)
        return PITH_E_ARG;
    if (gpa == offsetof(struct pvclock_steal, steal))
        assert_int_equal(told.version & 1, 1); /* who reads it now, reads again */
    memcpy((u8 *)&told + gpa, buf, len);
    return PITH_OK;
}
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; }

static void step(u8 kind, enum exit_action act, void (*before)(void))
{
    steps[nr_steps].kind = kind;
    steps[nr_steps].act = act;
    steps[nr_steps++].before = before;
}

static void ask_stop(void) { vcpu_post(&vcpu, VCPU_PEND_STOP); }
static void ask_resched(void) { core.resched = vcpu.arch.look = true; }
static void post_irq(void) { vcpu_post_irq(&vcpu, 0x41, false); }
static void open_if(void) { if_open = true; }

static int set_up(void **state)
{
    (void)state;
    core = (struct cpu){ .self = &core, .now = 100, .since = 100, .sched = (u64)-100 };
    other_core = (struct cpu){ .self = &other_core, .index = 1 };
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&second, 0, sizeof(second));
    exit_takes = 0;
    memset(&part, 0, sizeof(part));
    part.plan = &plan;
    nr_steps = at = skips = resets = injected_vector = refused = left = stopped = failed = shown = rings = waits_done = messages = 0;
    now = 100;
    cr8 = 0;
    if_open = true;
    accepted = NULL;
    stuck = false;
    on_window = NULL;
    timer_tsc = TIMER_NEVER;
    part.vcpus[0] = &vcpu;
    part.nr_vcpus = 1;
    vioapic_reset(&part.ioapic);
    isa_init(&part);
    isa_reset(&part);
    sched_init(&core);
    vcpu_init(&vcpu, &part, 0, &core);
    policy_init(&core.rq, SLICE_MS * 1000);
    share_init(&vcpu.share, 100, false, 0, 0);
    vcpu_start(&vcpu);
    syscall(SYS_arch_prctl, ARCH_SET_GS, &core);
    return 0;
}

/* The vLAPIC as a guest that takes interrupts sets it. */
static void enable_lapic(void)
{
    struct vlapic_effect e = { 0 };

    vlapic_write(&vcpu.lapic, 0xf, 0x1ff, 0, &e);
}

static void skips_and_halts(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, NULL);
    step(VM_EXIT_NMI, EXIT_RESUME, NULL);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(skips, 2);
    assert_int_equal(resets, 1);
    assert_int_equal(vcpu.exits[VM_EXIT_CPUID], 1);
}

static void stop_ends_it_once(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(left, 1);
    assert_null(core.arch.loaded);
    vcpu_post(&vcpu, VCPU_PEND_NMI); /* to one that is stopped */
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(left, 1);
}

static void start_after_stop_drops_the_stop(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    vcpu_post(&vcpu, VCPU_PEND_STOP);
    vcpu_start(&vcpu);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(resets, 2);
}

static void slice_end_yields(void **state)
{
    (void)state;
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, ask_resched);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_YIELD);
    assert_ptr_equal(core.arch.loaded, &vcpu.arch); /* stays resident until another is loaded */
}

static void failure_stops_the_partition(void **state)
{
    (void)state;
    step(VM_EXIT_SHUTDOWN, EXIT_FAIL, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(failed, 1);
    assert_int_equal(stopped, 1);
    assert_int_equal(left, 1);
}

static void interrupt_is_delivered(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_CPUID, EXIT_SKIP, post_irq);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(injected_vector, 0x41);
    assert_int_equal(vlapic_highest_irr(&vcpu.lapic), VLAPIC_NONE);
}

static void refused_interrupt_waits_for_its_window(void **state)
{
    (void)state;
    if_open = false;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_CPUID, EXIT_SKIP, post_irq);
    step(VM_EXIT_CPUID, EXIT_SKIP, NULL);
    step(VM_EXIT_WINDOW, EXIT_RESUME, open_if);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(refused, 1); /* not asked again at every exit */
    assert_int_equal(injected_vector, 0x41);
}

static void task_priority_holds_back(void **state)
{
    (void)state;
    cr8 = 5;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_CPUID, EXIT_SKIP, post_irq);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(injected_vector, 0);
    assert_int_equal(vlapic_highest_irr(&vcpu.lapic), 0x41);
}

static void halted_wakes_only_for_what_it_can_take(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    vcpu.state = VCPU_BLOCKED;
    if_open = false;
    post_irq();
    assert_ptr_equal(sched_next(&core), &vcpu); /* it was woken to look */
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    if_open = true;
    vcpu.arch.irq_dirty = true;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(injected_vector, 0x41);
}

static void other_cores_ring(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    vcpu.state = VCPU_BLOCKED;
    core.inbox = NULL;
    vcpu.inbox.queued = 0;
    rings = 0;
    syscall(SYS_arch_prctl, ARCH_SET_GS, &other_core);
    post_irq();
    post_irq(); /* queued already: one ring is enough */
    assert_int_equal(rings, 1);
    assert_ptr_equal(core.inbox, &vcpu);
    syscall(SYS_arch_prctl, ARCH_SET_GS, &core);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(injected_vector, 0x41);
}

/* What another core posts is all that there is to do: it goes in at once, unless the core is wanted elsewhere. */
static void rung_in_a_halt(void **state)
{
    for (u32 wanted = 0; wanted < 2; wanted++) {
        (void)set_up(state);
        step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
        step(VM_EXIT_HLT, EXIT_SKIP, NULL);
        assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
        syscall(SYS_arch_prctl, ARCH_SET_GS, &other_core);
        vcpu_post_irq(&vcpu, 0x41, true);
        vcpu_post_irq(&vcpu, 0x2f, false);
        vcpu_post_irq(&vcpu, 0x5, false); /* illegal */
        syscall(SYS_arch_prctl, ARCH_SET_GS, &core);
        core.resched = wanted;
        step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
        if (wanted) {
            assert_int_equal(vcpu_run(&vcpu), LEAVE_YIELD);
            core.resched = false;
        }
        assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
        assert_int_equal(injected_vector, 0x41);
        assert_int_equal(vcpu.lapic.tmr[2], 2);
        assert_int_equal(vlapic_highest_irr(&vcpu.lapic), 0x2f);
        assert_int_equal(vcpu.lapic.esr_pending, 0x40);
        assert_int_equal(vcpu.arch.wait, WAIT_NONE);
    }
}

/* A guest TSC that wrapped, or a deadline that never comes, must not keep the timer queue busy. */
static void deadlines_beyond_time(void **state)
{
    (void)state;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    now = 1000000;
    vcpu.tsc_offset = 0 - 500000ull; /* guest TSC 500000 */
    vcpu.lapic.deadline = ~0ull - 1;
    vcpu_arm_timer(&vcpu);
    assert_int_equal(timer_tsc, TIMER_NEVER);
    vcpu.lapic.deadline = 500100;
    vcpu_arm_timer(&vcpu);
    assert_int_equal(timer_tsc, now + 100);
    vcpu.lapic.deadline = 1; /* long past */
    vcpu_arm_timer(&vcpu);
    assert_int_equal(timer_tsc, now);
    vcpu.lapic.period = 1;
    vcpu_arm_timer(&vcpu);
    assert_int_equal(timer_tsc, now + 200); /* 200 us at 1 MHz */
}

/* An event that is about to be delivered must not outrun physical interrupts for ever. */
static void physical_interrupts_before_a_delivery(void **state)
{
    (void)state;
    windows = 0;
    step(VM_EXIT_CPUID, EXIT_SKIP, NULL);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu.arch.interrupted.valid = stuck = true;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_in_range(windows, 2, 4);
}

static void doorbell_for_a_stop(void)
{
    core.attention = LOOK_RING;
    ask_stop();
}

static void pause_it(void)
{
    part.state = PARTITION_PAUSED;
    vcpu_post(&vcpu, VCPU_PEND_STATE);
}

static void resume_it(void)
{
    part.state = PARTITION_RUNNING;
    vcpu_post(&vcpu, VCPU_PEND_STATE);
}

static void pause_and_post(void)
{
    post_irq();
    pause_it();
}

/* Not an instruction more, nothing lost, and home cores show the registers of one that stands still. */
static void paused_keeps_what_is_pending(void **state)
{
    (void)state;
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_CPUID, EXIT_SKIP, pause_and_post);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(at, 2);
    vcpu_post(&vcpu, VCPU_PEND_REGS);
    vcpu_post(&vcpu, VCPU_PEND_NMI);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(at, 2);
    assert_int_equal(shown, 1);
    assert_int_equal(injected_vector, 0);
    resume_it();
    step(VM_EXIT_WINDOW, EXIT_RESUME, NULL);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 4);
    assert_int_equal(injected_vector, 0x41); /* behind the NMI */
}

/* A timer that was due long ago fires at once, and once. */
static void paused_timers_fire_late(void **state)
{
    (void)state;
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_HLT, EXIT_SKIP, enable_lapic);
    vcpu_run(&vcpu);
    vcpu.lapic.lvt[0] = 0x41;
    vcpu.lapic.deadline = 300; /* guest TSC = host TSC */
    vcpu_arm_timer(&vcpu);
    pause_it();
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(timer_tsc, TIMER_NEVER);
    now = 5000;
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(injected_vector, 0);
    resume_it();
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(timer_tsc, now);
    core.attention = LOOK_RING;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(injected_vector, 0x41);
    assert_int_equal(timer_tsc, TIMER_NEVER);
}

static void a_wait_goes_on_behind_a_pause(void **state)
{
    (void)state;
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_HLT, EXIT_SKIP, pause_it);
    vcpu_run(&vcpu);
    vcpu.arch.wait = WAIT_CALL;
    vcpu.done = wait_over;
    vcpu.wait_deadline = 200;
    now = 300;
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(waits_done, 0);
    resume_it();
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(waits_done, 1);
}

static void a_paused_one_can_be_stopped(void **state)
{
    (void)state;
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_CPUID, EXIT_SKIP, pause_it);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    part.state = PARTITION_STOPPING;
    vcpu_post(&vcpu, VCPU_PEND_STATE); /* overtaken: it does not go on for that */
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    ask_stop();
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(left, 1);
    vcpu_start(&vcpu);
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK); /* and starts afresh without it */
    assert_int_equal(at, 2);
}

/* What comes in that window is acted on before the entry: the poster will not ring again. */
static void a_stop_that_comes_with_a_delivery(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, NULL);
    vcpu.arch.interrupted.valid = true;
    on_window = doorbell_for_a_stop;
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 0);
}

static void wait_ends_by_an_interrupt(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    vcpu.arch.wait = WAIT_CALL;
    vcpu.done = wait_over;
    vcpu.wait_deadline = TIMER_NEVER;
    post_irq(); /* deliverable: it leaves IRR before anybody looks */
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(waits_done, 1);
    assert_int_equal(injected_vector, 0x41);
}

static void wait_ends_by_time(void **state)
{
    (void)state;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    vcpu.arch.wait = WAIT_CALL;
    vcpu.done = wait_over;
    vcpu.wait_deadline = 200;
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(waits_done, 0);
    now = 200;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(waits_done, 1);
}

/* --- handing over, inside of arch_vcpu_run() */
static void a_second_one(u8 wait)
{
    second = (struct vcpu){ .arch.wait = wait };
    vcpu_init(&second, &part, 1, &core);
    second.state = VCPU_BLOCKED;
    second.live = second.plain = true;
    second.done = wait_over;
    vlapic_reset(&second.lapic, 1, true);
    share_init(&second.share, 100, false, 0, 0);
    core.inbox = NULL; /* where its start left it */
    sched_ready(&core, &vcpu);
    core.current = sched_next(&core);
    assert_ptr_equal(core.current, &vcpu);
}

static void call_second(void)
{
    second.arch.wait = WAIT_NONE; /* it has what it waited for */
    vcpu_block(&vcpu, 0, wait_over);
    sched_lend(&core, &second);
}

static void event_for_second(void)
{
    vlapic_post(&second.lapic, 0x42, false);
    second.arch.irq_dirty = true;
    sched_handoff(&core, &second);
}

static void second_runs(void)
{
    assert_ptr_equal(core.current, &second);
    assert_ptr_equal(core.arch.loaded, &second.arch);
    assert_int_equal(second.state, VCPU_RUNNING);
    assert_true(account_runs(&second.run));
    assert_false(account_runs(&vcpu.run));
    assert_null(core.handoff);
    assert_false(core.attention);
    vcpu_post(&second, VCPU_PEND_STOP);
}

static void a_caller_hands_over(void **state)
{
    (void)state;
    a_second_one(WAIT_CALL);
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, call_second);
    step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 2);
    assert_int_equal(vcpu.state, VCPU_BLOCKED);
    assert_int_equal(vcpu.arch.wait, WAIT_CALL);
    assert_int_equal(waits_done, 0);
    assert_int_equal(core.rq.until, TIMER_NEVER); /* nobody waits for the core */
}

static void who_sends_an_event_waits_for_its_turn(void **state)
{
    static const u8 waits[] = { WAIT_HLT, WAIT_CALL };

    for (u32 i = 0; i < ARRAY_SIZE(waits); i++) {
        (void)set_up(state);
        a_second_one(waits[i]);
        step(VM_EXIT_HYPERCALL, EXIT_SKIP, event_for_second);
        step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
        assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
        assert_int_equal(at, 2);
        assert_int_equal(injected_vector, 0x42);
        assert_int_equal(second.arch.wait, WAIT_NONE);
        assert_int_equal(waits_done, waits[i] == WAIT_CALL);
        assert_int_equal(vcpu.state, VCPU_READY);
        assert_int_equal(vcpu.arch.wait, WAIT_NONE);
        assert_ptr_equal(core.rq.cur, &vcpu.share);
        assert_int_equal(core.rq.until, TIMER_NEVER); /* they have the core to themselves */
    }
}

static void goes_on_itself(void)
{
    assert_ptr_equal(core.current, &vcpu);
    assert_int_equal(vcpu.state, VCPU_RUNNING);
    assert_int_equal(vcpu.arch.wait, WAIT_NONE);
    assert_int_equal(second.state, VCPU_BLOCKED);
    ask_stop();
}

/* What cannot run gives the slice back. */
static void an_event_for_one_that_is_paused(void **state)
{
    (void)state;
    a_second_one(WAIT_HLT);
    second.paused = true;
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, event_for_second);
    step(VM_EXIT_CPUID, EXIT_SKIP, goes_on_itself);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 2);
    assert_int_equal(second.arch.wait, WAIT_HLT);
    assert_true(second.arch.irq_dirty);
}

static void event_and_attention(void)
{
    event_for_second();
    core.attention = LOOK_RING;
}

/* The core looks around first, and then it is as it would have been. */
static void an_event_with_other_work(void **state)
{
    (void)state;
    a_second_one(WAIT_HLT);
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, event_and_attention);
    step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 2);
    assert_int_equal(injected_vector, 0x42);
    assert_int_equal(vcpu.state, VCPU_READY);
    assert_ptr_equal(core.rq.cur, &vcpu.share);
}

static void runs(struct vcpu *v)
{
    assert_ptr_equal(sched_next(&core), v);
    core.current = v;
}

static void yields(struct vcpu *v)
{
    sched_yield(core.current);
    sched_give_way(&core, v);
}

static void yield_to_second(void)
{
    sched_ready(&core, &second);
    sched_yield(core.current);
}

static void yield_for_nobody(void)
{
    sched_yield(core.current);
}

static void who_yields_lets_the_next_run(void **state)
{
    (void)state;
    a_second_one(WAIT_NONE);
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, yield_to_second);
    step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 2);
    assert_int_equal(vcpu.state, VCPU_READY);
    assert_int_equal(vcpu.arch.wait, WAIT_NONE);
    assert_ptr_equal(core.rq.cur, &second.share);
    assert_false(core.yields);
}

static void who_yields_to_one_with_an_interrupt(void **state)
{
    (void)state;
    a_second_one(WAIT_NONE);
    vlapic_post(&second.lapic, 0x42, false);
    second.arch.irq_dirty = true;
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, yield_to_second);
    step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(at, 2);
    assert_int_equal(injected_vector, 0x42);
}

static void who_yields_for_nobody_comes_out(void **state)
{
    (void)state;
    a_second_one(WAIT_NONE);
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, yield_for_nobody);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_YIELD);
    assert_int_equal(at, 1);
    assert_int_equal(vcpu.arch.wait, WAIT_NONE);
}

static void two_take_turns(void **state)
{
    (void)state;
    vcpu_init(&second, &part, 1, &core);
    share_init(&second.share, 100, false, 0, 0);
    sched_ready(&core, &vcpu);
    sched_ready(&core, &second);
    runs(&vcpu);
    assert_int_equal(timer_tsc, now + SLICE_MS * 1000); /* somebody waits */
    yields(&vcpu);
    runs(&second);
    sched_block(&core, &second);
    runs(&vcpu);
    assert_int_equal(core.rq.until, TIMER_NEVER); /* nobody does */
    sched_stop(&core, &vcpu);
    assert_null(sched_next(&core));
}

/* --- stolen time: what others had while it was ready. Ticks are microseconds. */
static void asks_for_steal(void)
{
    assert_true(steal_set(&vcpu, 1));
    ask_resched();
}

/* --- time in exits, and whose it is */
static void comes_for_nobody(void) { core.attention = LOOK_TIMER; now += 30; }
static void lapic_timer(void)
{
    vlapic_post(&vcpu.lapic, 0x42, false);
    vcpu.arch.irq_dirty = true;
}
static struct timer for_it = { .deadline = TIMER_NEVER };
static void its_timer_rang(struct timer *t) { (void)t; lapic_timer(); }
static void comes_for_it(void)
{
    timer_init(&for_it, its_timer_rang);
    timer_set(&core.timers, &for_it, now);
    comes_for_nobody();
}
static void posts(struct timer *t) { (void)t; vcpu_post(&vcpu, VCPU_PEND_WAKE); }
static void comes_posted(void)
{
    timer_init(&for_it, posts);
    timer_set(&core.timers, &for_it, now);
    comes_for_nobody();
}
static void takes_a_while(void) { now += 500; }

/* The guest has 500 of each round, the exit 7, and what is behind it 30. */
static void round_of(u8 kind, void (*in_exit)(void), u64 ticks[3])
{
    struct core_time t;

    (void)set_up(NULL);
    if_open = false;
    exit_takes = 7;
    on_window = NULL;
    step(kind, EXIT_RESUME, takes_a_while);
    in_handler = in_exit;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_true(account_core(&core, &t) == 0);
    assert_true(t.guest + t.exits + t.scheduler + t.others == 500 + 7 + 30 + 7 && !t.idle);
    ticks[0] = t.guest;
    ticks[1] = vcpu.arch.spent[kind];
    ticks[2] = t.others;
}

static void whose_an_exit_is(void **state)
{
    u64 t[3];

    (void)state;
    round_of(VM_EXIT_HOST_IRQ, comes_for_nobody, t);
    assert_true(t[0] == 500 && t[1] == 0 && t[2] == 37);
    round_of(VM_EXIT_PREEMPT, comes_for_nobody, t);
    assert_true(t[0] == 500 && t[1] == 0 && t[2] == 37);
    round_of(VM_EXIT_HOST_IRQ, comes_for_it, t);
    assert_true(t[0] == 500 && t[1] == 37 && t[2] == 0);
    round_of(VM_EXIT_HOST_IRQ, comes_posted, t);
    assert_true(t[0] == 500 && t[1] == 37 && t[2] == 0);
    round_of(VM_EXIT_MSR, comes_for_nobody, t); /* it has left anyway */
    assert_true(t[0] == 500 && t[1] == 37 && t[2] == 0);
}

static void runs_a_while(void)
{
    now += 700;
    ask_resched();
}

static void blocks(void)
{
    vcpu_block(&vcpu, 0, wait_over);
    now += 50;
}

static enum vcpu_leave run_at(u64 tsc)
{
    core.now = now = tsc;
    core.resched = false;
    return vcpu_run(&vcpu);
}

static void renounce(void) { sched_yield(core.current); }

static void leaves_and_waits(void)
{
    memset(&told, 0xff, sizeof(told));
    told.version = 0;
    step(VM_EXIT_MSR, EXIT_SKIP, asks_for_steal);
    assert_int_equal(run_at(1000), LEAVE_YIELD);
    assert_true(told.steal == 0);
    assert_int_equal(told.version, 2);
    steal_begins(&vcpu);
}

static void steal_is_time_without_its_core(void **state)
{
    (void)state;
    leaves_and_waits();
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, runs_a_while);
    assert_int_equal(run_at(4000), LEAVE_YIELD);
    assert_true(told.steal == 3000000); /* ns */
    assert_int_equal(told.version, 4);
    assert_int_equal(told.preempted, 0);
    steal_preempted(&vcpu);
    assert_int_equal(told.preempted, PVCLOCK_PREEMPTED);
    steal_begins(&vcpu); /* no matter who says it first */
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, blocks);
    assert_int_equal(run_at(4800), LEAVE_BLOCK);
    assert_true(told.steal == 3100000);
    vcpu.state = VCPU_BLOCKED;
    now += 90000; /* nobody's fault */
    sched_ready(&core, &vcpu);
    vcpu.arch.wait = WAIT_NONE;
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(run_at(now + 5), LEAVE_STOP);
    assert_true(told.steal == 3105000);
    assert_int_equal(told.flags, ~0u); /* what is not ours is left alone */
    assert_int_equal(told.preempted, 0);
    assert_int_equal(told.pad[0], 0xff);
    vcpu_start(&vcpu); /* afresh: nobody has asked */
    memset(&told, 0, sizeof(told));
    steal_begins(&vcpu);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(run_at(now + 5), LEAVE_STOP);
    assert_int_equal(told.version, 0);
}

/* Both ways past the general one are closed while there is something to write, and open again afterwards. */
static void steal_closes_the_short_ways(void **state)
{
    (void)state;
    leaves_and_waits();
    a_second_one(WAIT_NONE);
    sched_ready(&core, &second);
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, renounce);
    assert_int_equal(run_at(2000), LEAVE_YIELD); /* although another one is ready */
    assert_ptr_equal(core.current, &vcpu);
    assert_true(steal_set(&vcpu, 0));
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, renounce);
    step(VM_EXIT_CPUID, EXIT_SKIP, second_runs);
    assert_int_equal(run_at(3000), LEAVE_STOP);
    assert_int_equal(told.version, 4); /* not since it is off */
}

/* It is ready while the other one has its core: that is told, so it comes out. */
static void steal_of_one_that_lends(void **state)
{
    (void)state;
    leaves_and_waits();
    a_second_one(WAIT_HLT);
    step(VM_EXIT_HYPERCALL, EXIT_SKIP, event_for_second);
    assert_int_equal(run_at(2000), LEAVE_YIELD);
    assert_ptr_equal(core.current, &vcpu);
    assert_ptr_equal(core.handoff, &second);
    assert_int_equal(vcpu.arch.wait, WAIT_NONE);
}

static void steal_of_a_page_that_is_gone(void **state)
{
    (void)state;
    leaves_and_waits();
    page_is_gone = true;
    assert_false(steal_set(&vcpu, 1));
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, ask_resched);
    assert_int_equal(run_at(2000), LEAVE_YIELD);
    page_is_gone = false;
    steal_preempted(&vcpu);
    step(VM_EXIT_HOST_IRQ, EXIT_RESUME, ask_resched);
    assert_int_equal(run_at(3000), LEAVE_YIELD);
    assert_int_equal(told.version, 2);
    for (u64 bit = 2; bit <= 32; bit <<= 1)
        assert_false(steal_set(&vcpu, bit | 1)); /* reserved */
}

/* Who gives way early leaves an alarm behind that is too early for the next: it is put right when it comes, and nobody leaves for it. */
static void alarms_come_early(void **state)
{
    u64 first = now + SLICE_MS * 1000;

    (void)state;
    vcpu_init(&second, &part, 1, &core);
    share_init(&second.share, 100, false, 0, 0);
    sched_ready(&core, &vcpu);
    sched_ready(&core, &second);
    runs(&vcpu);
    core.now = now += 4000;
    yields(&vcpu);
    runs(&second);
    assert_int_equal(timer_tsc, first);
    now = first;
    timers_run(&core.timers, now);
    assert_false(core.resched);
    assert_int_equal(timer_tsc, first + 4000);
    now = first + 4000;
    timers_run(&core.timers, now);
    assert_true(core.resched);
    core.now = now;
    sched_block(&core, &second);
    runs(&vcpu); /* the last: no slice */
    timers_run(&core.timers, now + SLICE_MS * 1000);
    assert_false(core.resched);
}

/* --- the 8259s and the 8254 */

static void out8(u32 port, u8 val)
{
    struct bus_access a = { .addr = port, .val = val, .size = 1, .write = true };

    isa_ports(&vcpu, &a);
}

static void raise(u32 irq)
{
    isa_set_irq(&part, irq, false);
    isa_set_irq(&part, irq, true);
}

static void unmask_pic(u8 icw4)
{
    static const u8 icw[] = { 0x11, 0x20, 0x04 };

    for (u32 i = 0; i < 3; i++)
        out8(i ? 0x21 : 0x20, icw[i]);
    out8(0x21, icw4);
}
static void manual_eoi(void) { unmask_pic(1); }
static void automatic_eoi(void) { unmask_pic(3); }
static void two_irqs(void) { raise(4); raise(3); }
static void raise_4(void) { raise(4); }
static void close_if(void) { if_open = false; }
static void window_was_asked_for(void) { assert_int_equal(refused, 1); if_open = false; }
static void lint0(u32 val)
{
    struct vlapic_effect e = { 0 };

    vlapic_write(&vcpu.lapic, 0x35, val, 0, &e);
    vcpu.arch.irq_dirty |= e.extint;
}
static void mask_lint0(void) { lint0(0x10700); }
static void unmask_lint0(void) { lint0(0x700); }
static void withdraw_4(void) { isa_set_irq(&part, 4, false); if_open = true; }

static void pic_interrupt_is_delivered(void **state)
{
    (void)state;
    cr8 = 15; /* no matter */
    step(VM_EXIT_CPUID, EXIT_SKIP, manual_eoi);
    step(VM_EXIT_CPUID, EXIT_SKIP, raise_4);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(injected_vector, 0x24);
    assert_int_equal(part.isa.pic.chip[0].isr, 0x10);
    assert_int_equal(part.isa.intr, 0);
}

static void refused_pic_interrupt_stays_requested(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, manual_eoi);
    step(VM_EXIT_CPUID, EXIT_SKIP, close_if);
    step(VM_EXIT_CPUID, EXIT_SKIP, raise_4);
    step(VM_EXIT_CPUID, EXIT_SKIP, NULL);
    step(VM_EXIT_WINDOW, EXIT_RESUME, withdraw_4);
    step(VM_EXIT_CPUID, EXIT_SKIP, raise_4);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(refused, 1);
    assert_int_equal(injected_vector, 0x24); /* of the second time: the first was withdrawn, and nothing came */
    assert_int_equal(part.isa.pic.chip[0].isr, 0x10);
}

/* With automatic EOI no exit follows a delivery: the next one must have asked for its window. */
static void second_pic_interrupt_waits_for_a_window(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, automatic_eoi);
    step(VM_EXIT_CPUID, EXIT_SKIP, two_irqs);
    step(VM_EXIT_WINDOW, EXIT_RESUME, window_was_asked_for);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    vcpu_run(&vcpu);
    assert_int_equal(injected_vector, 0x23);
    assert_int_equal(part.isa.pic.chip[0].irr, 0x10);
}

static void lint0_gates_the_pic(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, enable_lapic);
    step(VM_EXIT_CPUID, EXIT_SKIP, manual_eoi);
    step(VM_EXIT_CPUID, EXIT_SKIP, mask_lint0);
    step(VM_EXIT_CPUID, EXIT_SKIP, raise_4);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(injected_vector, 0);
    unmask_lint0();
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(injected_vector, 0x24);
}

static void other_vcpus_see_no_pic(void **state)
{
    (void)state;
    vcpu.index = 1;
    vcpu.lapic.base = VLAPIC_BASE; /* disabled: its LINT0 would reach the processor */
    vcpu.arch.wait = WAIT_NONE;
    part.isa.intr = 1;
    assert_false(isa_wants(&vcpu, &part.isa));
    vcpu.index = 0;
    assert_true(isa_wants(&vcpu, &part.isa));
}

static void program_pit(void)
{
    manual_eoi();
    out8(0x43, 0x34);
    out8(0x40, 0x00);
    out8(0x40, 0x08); /* 2048 ticks: 1716.4 us */
}

/* The clock is 1 MHz here. */
static void pit_interrupts(void **state)
{
    (void)state;
    part.ioapic.rte[2] = 0x31;
    step(VM_EXIT_CPUID, EXIT_SKIP, program_pit);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    vcpu.state = VCPU_BLOCKED;
    assert_in_range(timer_tsc, now + 1716, now + 1718);
    now = timer_tsc;
    timers_run(&core.timers, now);
    assert_int_equal(messages, 1); /* the I/O APIC's pin 2 as well */
    assert_int_equal(message.vector, 0x31);
    assert_in_range(timer_tsc, now + 1714, now + 1718);
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(injected_vector, 0x20);
    assert_int_equal(timer_tsc, TIMER_NEVER); /* nothing runs for one that has stopped */
}

static void short_pit_period_is_stretched(void **state)
{
    (void)state;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    out8(0x43, 0x14);
    out8(0x40, 2);
    isa_attend(&vcpu);
    assert_in_range(timer_tsc, now + 1, now + 3);
    now = timer_tsc;
    timers_run(&core.timers, now);
    assert_int_equal(part.isa.pic.chip[0].lines, 1);
    assert_int_equal(timer_tsc, now + SHORTEST_PERIOD_US);
    now += 100;
    part.isa.pic.chip[0].irr = 0;
    out8(0x21, 0); /* an access is no way round it, and no reason to wait longer */
    isa_attend(&vcpu);
    assert_int_equal(part.isa.pic.chip[0].irr, 0);
    assert_int_equal(timer_tsc, now + SHORTEST_PERIOD_US - 100);
    out8(0x43, 0x10); /* once: as short as it likes */
    out8(0x40, 2);
    isa_attend(&vcpu);
    assert_in_range(timer_tsc, now + 1, now + 3);
}

static void pit_rests_while_paused(void **state)
{
    (void)state;
    part.state = PARTITION_RUNNING;
    step(VM_EXIT_CPUID, EXIT_SKIP, program_pit);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    assert_int_not_equal(timer_tsc, TIMER_NEVER);
    pause_it();
    vcpu_post(&vcpu, VCPU_PEND_ISA);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_int_equal(timer_tsc, TIMER_NEVER);
    now += 10000;
    resume_it();
    assert_int_equal(vcpu_run(&vcpu), LEAVE_BLOCK);
    assert_in_range(timer_tsc, now, now + 1); /* what was due is due at once */
}

/* Its timer belongs to vCPU 0's home core: another one asks for it. */
static void pit_from_another_core(void **state)
{
    (void)state;
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    vcpu.state = VCPU_BLOCKED;
    core.inbox = NULL;
    vcpu.inbox.queued = 0;
    rings = 0;
    syscall(SYS_arch_prctl, ARCH_SET_GS, &other_core);
    program_pit();
    syscall(SYS_arch_prctl, ARCH_SET_GS, &core);
    assert_int_equal(rings, 1);
    assert_ptr_equal(core.inbox, &vcpu);
    assert_int_equal(timer_tsc, TIMER_NEVER);
    assert_null(core.timers.first);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    assert_in_range(timer_tsc, now + 1716, now + 1718);
}

static void wait_ends_by_the_pic(void **state)
{
    (void)state;
    step(VM_EXIT_CPUID, EXIT_SKIP, manual_eoi);
    step(VM_EXIT_HLT, EXIT_SKIP, NULL);
    vcpu_run(&vcpu);
    vcpu.arch.wait = WAIT_CALL;
    vcpu.done = wait_over;
    vcpu.wait_deadline = TIMER_NEVER;
    if_open = false;
    raise_4();
    step(VM_EXIT_CPUID, EXIT_SKIP, ask_stop);
    assert_int_equal(vcpu_run(&vcpu), LEAVE_STOP);
    assert_int_equal(waits_done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(skips_and_halts, set_up),
        cmocka_unit_test_setup(stop_ends_it_once, set_up),
        cmocka_unit_test_setup(start_after_stop_drops_the_stop, set_up),
        cmocka_unit_test_setup(slice_end_yields, set_up),
        cmocka_unit_test_setup(failure_stops_the_partition, set_up),
        cmocka_unit_test_setup(interrupt_is_delivered, set_up),
        cmocka_unit_test_setup(refused_interrupt_waits_for_its_window, set_up),
        cmocka_unit_test_setup(task_priority_holds_back, set_up),
        cmocka_unit_test_setup(halted_wakes_only_for_what_it_can_take, set_up),
        cmocka_unit_test_setup(other_cores_ring, set_up),
        cmocka_unit_test_setup(rung_in_a_halt, set_up),
        cmocka_unit_test_setup(deadlines_beyond_time, set_up),
        cmocka_unit_test_setup(physical_interrupts_before_a_delivery, set_up),
        cmocka_unit_test_setup(paused_keeps_what_is_pending, set_up),
        cmocka_unit_test_setup(paused_timers_fire_late, set_up),
        cmocka_unit_test_setup(a_wait_goes_on_behind_a_pause, set_up),
        cmocka_unit_test_setup(a_paused_one_can_be_stopped, set_up),
        cmocka_unit_test_setup(a_stop_that_comes_with_a_delivery, set_up),
        cmocka_unit_test_setup(wait_ends_by_an_interrupt, set_up),
        cmocka_unit_test_setup(wait_ends_by_time, set_up),
        cmocka_unit_test_setup(a_caller_hands_over, set_up),
        cmocka_unit_test_setup(who_sends_an_event_waits_for_its_turn, set_up),
        cmocka_unit_test_setup(an_event_for_one_that_is_paused, set_up),
        cmocka_unit_test_setup(an_event_with_other_work, set_up),
        cmocka_unit_test_setup(who_yields_lets_the_next_run, set_up),
        cmocka_unit_test_setup(who_yields_to_one_with_an_interrupt, set_up),
        cmocka_unit_test_setup(who_yields_for_nobody_comes_out, set_up),
        cmocka_unit_test_setup(two_take_turns, set_up),
        cmocka_unit_test_setup(alarms_come_early, set_up),
        cmocka_unit_test_setup(whose_an_exit_is, set_up),
        cmocka_unit_test_setup(steal_is_time_without_its_core, set_up),
        cmocka_unit_test_setup(steal_closes_the_short_ways, set_up),
        cmocka_unit_test_setup(steal_of_one_that_lends, set_up),
        cmocka_unit_test_setup(steal_of_a_page_that_is_gone, set_up),
        cmocka_unit_test_setup(pic_interrupt_is_delivered, set_up),
        cmocka_unit_test_setup(refused_pic_interrupt_stays_requested, set_up),
        cmocka_unit_test_setup(second_pic_interrupt_waits_for_a_window, set_up),
        cmocka_unit_test_setup(lint0_gates_the_pic, set_up),
        cmocka_unit_test_setup(other_vcpus_see_no_pic, set_up),
        cmocka_unit_test_setup(pit_interrupts, set_up),
        cmocka_unit_test_setup(pit_rests_while_paused, set_up),
        cmocka_unit_test_setup(pit_from_another_core, set_up),
        cmocka_unit_test_setup(short_pit_period_is_stretched, set_up),
        cmocka_unit_test_setup(wait_ends_by_the_pic, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
