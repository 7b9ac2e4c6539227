/* SPDX-License-Identifier: MIT */
/*
 * The life of partitions under every order of events. The cores of a small machine are coroutines that run the real
 * cpu_main(), and may be interrupted by one another at every atomic access and every call below the seam; a fourth one types
 * the monitor's commands, or has the neighbour's guest ask for the same. For each script, every schedule with one preemption is
 * tried, then random ones. What they must never do is in check_run() and settle(). LIFECYCLE_RUNS=N in the environment: random
 * schedules a script.
 * LINK: hv/policy.c hv/vcpu_pause.c
 * LINK: hv/timer.c hv/time.c hv/trace_none.c hv/vdev/vlapic.c hv/vdev/vlapic_match.c hv/vdev/vioapic.c hv/vdev/vuart.c hv/vdev/vrtc.c
 * LINK: hv/steal.c hv/vdev/vpic.c hv/vdev/vpit.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/coroutines.h"

static void point(void);
static void spin(void);
/* Another core may come between any two of these. */
#define __atomic_load_n(p, o) (point(), __atomic_load_n(p, o))
#define __atomic_store_n(p, v, o) (point(), __atomic_store_n(p, v, o))
#define __atomic_exchange_n(p, v, o) (point(), __atomic_exchange_n(p, v, o))
#define __atomic_fetch_or(p, v, o) (point(), __atomic_fetch_or(p, v, o))
#define __atomic_fetch_and(p, v, o) (point(), __atomic_fetch_and(p, v, o))
#define __atomic_fetch_add(p, v, o) (point(), __atomic_fetch_add(p, v, o))
#define __atomic_sub_fetch(p, v, o) (point(), __atomic_sub_fetch(p, v, o))
#define __atomic_compare_exchange_n(p, e, v, w, s, f) (point(), __atomic_compare_exchange_n(p, e, v, w, s, f))
#define __builtin_ia32_pause() spin()

#include "hv/cpu.h"
static struct cpu *here; /* the core that runs now */
#define this_cpu() here

#pragma push_macro("__atomic_load_n")
#undef __atomic_load_n
#include "hv/account.c" /* in one piece: test_account.c takes it apart */
#pragma pop_macro("__atomic_load_n")
#include "hv/sched.c"
#include "hv/isa.c"
#include "hv/vcpu.c"
#include "hv/vcpu_boot.c"
#include "hv/vcpu_irq.c"
#include "hv/partition.c"
#include "hv/partition_io.c"
#define state_of ipc_state_of
#include "hv/call_ipc.c"
#undef state_of
#include "hv/pages.c"
#include "hv/call_event.c"
#include "hv/call_vcpu.c"
#define step balloon_step
#define ask balloon_ask
#include "hv/balloon.c"
#undef ask
#undef step
#define start cpu_start_one
#include "hv/cpu.c"
#undef start

#define CORES    3u
#define KEYBOARD CORES /* the coroutine that types */
#define ACTORS   (CORES + 1)
#define STACK    (64u << 10)
#define ENOUGH   40000u /* points: whoever needs more does not come to rest */
#define VECTOR   0x41u

struct actor {
    void *sp;
    struct cpu cpu;
    bool ipi;      /* a doorbell that was not answered yet */
    u64 timer;
    enum { GOES, IDLES, WAITS_CONSUMED, WAITS_SERVED, WAITS_SETTLED, WAITS_PROGRESS, WAITS_STOPPED, WAITS_QUIET } does;
};
enum program { SPINS, HALTS, WAITS, TICKS, ALARMS, EXITS, FAILS, RESETS, STORMS, EVENTS, BALLOONS, STARTS,
               CALLS, SERVES, SHARES, PROGRAMS };
struct guest { u32 step, taken; u64 word; bool up, left, asked; };
struct scene { const char *script; enum program program; const u8 *homes; u8 restart; };

static struct actor actors[ACTORS];
static char stacks[ACTORS][STACK] __attribute__((aligned(64)));
static void *main_sp;
static u32 me, points, progress[2], loads_left, mark[2];
static u64 now;
static const char *wrong;
static struct scene scene;
static char key, asked; /* typed, and what the neighbour's guest shall ask for */
static bool quiet, was_stopped, may_stop;
static u32 stalled, stall_end; /* an actor that gets nothing for a while, as one in an SMI */
/* The schedule: in the one place where it differs from the plain one, or at random. */
static u32 differ_at, differ_to, odds;
static u64 seed;

static struct partition parts[2];  /* the one that is tried, and its neighbour */
static struct vcpu vcpus[4];       /* two of each; the last one only where partitions call each other */
static struct guest guests[4];
static struct manifest_partition confs[2];
static u8 pages[2][2][PAGE_SIZE] __attribute__((aligned(8)));

/* --- coroutines --- */

static void go(u32 to)
{
    u32 from = me;

    if (to == from)
        return;
    me = to;
    if (to < CORES)
        here = &actors[to].cpu;
    switch_stacks(&actors[from].sp, actors[to].sp);
}

/* Back to the test, for good. The sanitizer must not see that: at a call that never returns it forgets the stack it believes to be on. */
static void done(const char *why)
{
    static void (*volatile never)(void) = abort;
    void *unused;

    wrong = why;
    switch_stacks(&unused, main_sp);
    never();
}

static bool interrupted(u32 a)
{
    return actors[a].ipi || actors[a].timer <= now;
}

static bool stopped(void)
{
    return (parts[0].state == PARTITION_STOPPED || parts[0].state == PARTITION_ABSENT) && !parts[0].live;
}

static bool restarts(void)
{
    switch (scene.program) {
    case EXITS: return scene.restart == MANIFEST_RESTART_ALWAYS;
    case FAILS: return scene.restart != MANIFEST_RESTART_NEVER;
    default: return true;
    }
}

/* Who runs gets on, who ends by itself has ended or starts again, and the neighbour gets on anyway. */
static bool goes_on(void)
{
    bool it = parts[0].state == PARTITION_RUNNING && progress[0] > mark[0] + 3;

    if (scene.program == EXITS || scene.program == FAILS || scene.program == RESETS)
        it = restarts() ? progress[0] > mark[0] : stopped();
    return (it || (was_stopped && stopped())) && progress[1] > mark[1] + 3;
}

static bool settled(void)
{
    return parts[0].state == PARTITION_RUNNING || parts[0].state == PARTITION_STOPPED || parts[0].state == PARTITION_ABSENT;
}

static bool can_go(u32 a)
{
    if (a == stalled && points < stall_end)
        return false;
    switch (actors[a].does) {
    case IDLES: return interrupted(a);
    case WAITS_CONSUMED: return !key && !asked;
    case WAITS_SERVED: return !parts[0].request;
    case WAITS_SETTLED: return settled();
    case WAITS_PROGRESS: return goes_on();
    case WAITS_STOPPED: return stopped();
    case WAITS_QUIET: return quiet;
    default: return true;
    }
}

static u32 next_able(u32 after)
{
    for (u32 i = 1; i <= ACTORS; i++)
        if (can_go((after + i) % ACTORS))
            return (after + i) % ACTORS;
    return ACTORS;
}

/* Nobody waits for one who waits for him. */
static void check_endpoints(void)
{
    for (u32 i = 0; i < 2; i++)
        if (endpoints[i].list[IPC_QUEUED] && endpoints[i].list[IPC_SERVES] && parts[i].state == PARTITION_RUNNING)
            done("a caller queues although a server waits");
}

/* Everybody waits: for time, or for ever. */
static void let_time_pass(void)
{
    u64 first = TIMER_NEVER;

    if (points < stall_end) {
        stall_end = 0;
        return;
    }
    check_endpoints();
    for (u32 i = 0; i < CORES; i++)
        first = MIN(first, actors[i].timer);
    if (first == TIMER_NEVER && actors[KEYBOARD].does == WAITS_QUIET)
        quiet = true;
    else if (first == TIMER_NEVER)
        done("everybody waits for ever");
    else
        now = MAX(now, first);
}

static u32 random_below(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static void point(void)
{
    u32 to = me;

    if (!points)
        return; /* setting up */
    now++;
    if (scene.program == RESETS && parts[0].state == PARTITION_STOPPED && !may_stop)
        done("one that starts again was stopped for a moment");
    if (++points > ENOUGH)
        done("does not come to rest");
    if (points == differ_at)
        to = differ_to;
    else if (odds && random_below(odds) == 0)
        to = random_below(ACTORS);
    if (odds && points >= stall_end && random_below(100) == 0) {
        stalled = me;
        stall_end = points + random_below(200);
        spin();
        return;
    }
    if (can_go(to))
        go(to);
}

/* Gives way in every schedule. */
static void spin(void)
{
    u32 to;

    point();
    while ((to = next_able(me)) == ACTORS)
        let_time_pass();
    go(to);
}

static void wait_until(u32 what)
{
    actors[me].does = what;
    do
        spin();
    while (!can_go(me));
    actors[me].does = GOES;
}

/* --- what lies below the seam --- */

void panic(const char *fmt, ...)
{
    static char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    done(text);
    abort();
}

static void take_interrupts(void)
{
    if (!interrupted(me))
        return;
    if (actors[me].ipi)
        cpu_look(here, key && me == 0 ? LOOK_DEVICES : LOOK_RING);
    actors[me].ipi = false;
    if (actors[me].timer <= now) {
        actors[me].timer = TIMER_NEVER;
        cpu_look(here, LOOK_TIMER);
    }
}

void arch_irq_window(void) { point(); take_interrupts(); }
void arch_idle(void) { wait_until(IDLES); take_interrupts(); }
void arch_ipi(u32 apic_id, u8 vector) { (void)vector; point(); actors[apic_id].ipi = true; }
void arch_timer_set(u64 tsc) { actors[me].timer = tsc; }
u64 arch_tsc(void) { return now; }
u64 arch_tsc_khz(void) { return 5; }
void arch_halt(void) { done("a core was halted"); abort(); }
enum pith_status arch_cpu_enable(struct arch_cpu *c, struct frame_pool *f) { (void)c, (void)f; return PITH_OK; }
void arch_vm_barrier(void) { }
void arch_cpu_disable(struct arch_cpu *c) { (void)c; }
u32 arch_cpu_apic_id(void) { return 0; }
void arch_cpu_stop(u32 i) { (void)i; }
enum pith_status arch_cpu_start(u32 i, u32 a, void *s, void (*e)(u32)) { (void)i, (void)a, (void)s, (void)e; return PITH_E_HW; }

/* Memory that comes and goes: a piece for each vCPU of the one that is tried. */
static bool mapped[2];
static u32 free_pieces, busy_maps;

#define RAM     GIB(1)
#define RAM_LEN MIB(8)
static bool *piece_at(gpa_t gpa)
{
    ASSERT(gpa == MIB(2) || gpa == MIB(4));
    return &mapped[gpa / MIB(2) - 1];
}
enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size, enum s2_prot prot, enum s2_type type)
{
    (void)vm, (void)hpa, (void)size, (void)prot, (void)type;
    *piece_at(gpa) = true;
    return PITH_OK;
}
enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    (void)vm, (void)gpa, (void)buf, (void)len;
    abort(); /* for stolen time, which nobody asks for */
}
void arch_vm_unmap(struct arch_vm *vm, gpa_t gpa, u64 size) { (void)vm, (void)size; *piece_at(gpa) = false; }
bool arch_vm_translate(const struct arch_vm *vm, gpa_t gpa, enum s2_prot need, hpa_t *hpa)
{
    (void)vm, (void)need;
    *hpa = RAM + gpa;
    return *piece_at(gpa);
}
hpa_t ram_take_piece(hpa_t best) { return free_pieces && free_pieces-- ? best : 0; }
void ram_give(hpa_t base, u64 size) { (void)base, (void)size; free_pieces++; }
u64 ram_free_pieces(void) { return free_pieces * MIB(2); }
u64 partition_ram_taken(const struct partition *p) { return p->conf->memory - p->balloon.out; }
void host_zero(hpa_t hpa, u64 size) { (void)hpa, (void)size; point(); }
bool grant_overlaps(struct partition *p, gpa_t gpa, u64 size) { (void)p, (void)gpa, (void)size; return false; }
enum pith_status partition_map_begin(struct partition *p) { (void)p; return ++busy_maps % 5 ? PITH_OK : PITH_E_BUSY; }
void partition_map_end(struct partition *p) { (void)p; }
void partition_flush(struct partition *p) { (void)p; point(); }
hpa_t frames_alloc(struct frame_pool *p, u64 n, u64 align) { (void)p, (void)n, (void)align; return 0; }

void arch_vcpu_unload(struct arch_vcpu *v, struct arch_cpu *c)
{
    ASSERT(v->cpu == c && c->loaded == v && c == &here->arch);
    v->cpu = NULL;
    c->loaded = NULL;
}
struct arch_vcpu *arch_vcpu_load(struct arch_vcpu *v, struct arch_cpu *c)
{
    if (c->loaded == v)
        return v;
    ASSERT(c == &here->arch && !v->cpu);
    if (c->loaded)
        arch_vcpu_unload(c->loaded, c);
    v->cpu = c;
    return c->loaded = v;
}
struct arch_vcpu *arch_vcpu_switch(struct arch_vcpu *v, struct arch_cpu *c)
{
    ASSERT(c->loaded && c->loaded != v);
    return arch_vcpu_load(v, c);
}
static struct vcpu *owner(const struct arch_vcpu *v)
{
    struct vcpu *whole = (struct vcpu *)((u8 *)(uintptr_t)v - offsetof(struct vcpu, arch));

    ASSERT(v->cpu == &here->arch && v->cpu->loaded == v && whole->home == here);
    return whole;
}
static struct guest *guest_of(const struct vcpu *v) { return &guests[v - vcpus]; }
void arch_vcpu_reset(struct arch_vcpu *v, bool init_only)
{
    (void)init_only;
    *guest_of(owner(v)) = (struct guest){ 0 };
    v->interrupted.valid = false;
}
void arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg r, u64 val) { (void)owner(v), (void)r, (void)val; }
u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg r) { (void)owner(v), (void)r; return 0; }
void arch_vcpu_set_seg(struct arch_vcpu *v, enum x86_seg s, const struct x86_segment *in) { (void)owner(v), (void)s, (void)in; }
void arch_vcpu_tpr_window(struct arch_vcpu *v, u8 threshold) { (void)owner(v), (void)threshold; }
void arch_vcpu_backstop(struct arch_vcpu *v, u64 tsc) { (void)owner(v), (void)tsc; }
enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *e) { (void)owner(v), (void)e; return PITH_OK; }
u8 arch_vcpu_cr8(const struct arch_vcpu *v) { (void)owner(v); return 0; }
bool arch_vcpu_inject(struct arch_vcpu *v, const struct x86_event *ev)
{
    (void)owner(v);
    if (v->interrupted.valid)
        return false;
    v->interrupted = *ev;
    v->look |= ev->type == X86_EV_EXCEPTION;
    return true;
}
bool arch_vcpu_interrupt(struct arch_vcpu *v, u8 vector)
{
    return arch_vcpu_inject(v, &(struct x86_event){ .vector = vector, .type = X86_EV_EXTINT, .valid = true });
}
bool arch_vcpu_accept(struct arch_vcpu *v, u8 vector)
{
    return vector >> 4 > arch_vcpu_cr8(v) && !v->interrupted.valid && arch_vcpu_interrupt(v, vector);
}

/* Whoever enters a guest has asked itself all this. */
static void check_run(const struct vcpu *v)
{
    const struct partition *p = v->part;

    if (p->state == PARTITION_STOPPED || p->state == PARTITION_LOADING || p->state == PARTITION_DELAYED)
        done("a guest runs although its partition is not");
    if (!p->live || p->live > p->nr_vcpus || !v->live)
        done("a vCPU runs that has left");
    if (v->paused)
        done("a paused vCPU runs");
    if (v->arch.wait != WAIT_NONE)
        done("a vCPU runs that waits");
    if (guest_of(v)->left)
        done("a guest runs behind its own end");
    for (u32 i = 0; i < CORES; i++) {
        u32 n = 0;

        for (u32 k = 0; k < ARRAY_SIZE(vcpus); k++)
            for (const struct vcpu *r = vcpus[k].home == &actors[i].cpu ? vcpus[k].runners : NULL; r; r = r->next_runner)
                if (++n > ARRAY_SIZE(vcpus) || r->home != &actors[i].cpu || r->state != VCPU_READY || !r->share.runnable)
                    done("a core's queue is broken");
    }
}

static void run_once(struct arch_vcpu *a, struct vm_exit *e)
{
    struct vcpu *v = owner(a);

    check_run(v);
    a->spent[a->kind] += (u32)now - a->left_at;
    *e = (struct vm_exit){ .kind = interrupted(me) ? VM_EXIT_HOST_IRQ : VM_EXIT_HYPERCALL };
    guest_of(v)->taken += a->interrupted.valid;
    a->interrupted.valid = false;
    if (e->kind == VM_EXIT_HYPERCALL) {
        spin();
        check_run(v);
    }
    a->left_at = (u32)now;
}

enum exit_action arch_vcpu_run(struct arch_vcpu *a, struct vm_exit *e, vm_exit_fn *handle, vm_turn_fn *turn)
{
    do {
        enum exit_action act;

        run_once(a, e);
        act = handle(a, e);
        if (act == EXIT_FAIL)
            return act;
        if (a->come_out)
            a = turn(a);
    } while (a);
    return EXIT_RESUME;
}

/* --- guests --- */

static enum exit_action halt(struct vcpu *v)
{
    v->arch.wait = WAIT_HLT;
    v->arch.irq_dirty = true;
    return EXIT_SKIP;
}

static void lapic(struct vcpu *v, u32 reg, u32 val)
{
    struct vlapic_effect e = { 0 };

    vlapic_write(&v->lapic, reg, val, vcpu_guest_tsc(v), &e);
    v->arch.irq_dirty = true;
}

static enum exit_action end(struct vcpu *v, enum partition_end why)
{
    if (partition_stop(v->part, why) != PITH_OK)
        vcpu_post(v, VCPU_PEND_STOP); /* as hc_exit() and the ACPI registers do */
    guest_of(v)->left = true;
    return EXIT_SKIP;
}

/* A ball between two that halt in between: where one interrupt is lost, both sleep for ever. */
static enum exit_action play(struct vcpu *v, struct guest *g, struct vcpu *other)
{
    if (!g->taken)
        return halt(v);
    g->taken--;
    lapic(v, 0xb, 0);
    progress[0]++;
    vcpu_post_irq(other, VECTOR, false);
    return EXIT_SKIP;
}

/* vCPU 0 starts the other as kernels do, then throws the ball. */
static enum exit_action first_steps(struct vcpu *v, struct guest *g)
{
    switch (g->step++) {
    case 0:
        lapic(v, 0xf, 0x1ff);
        vcpu_post(&vcpus[1], VCPU_PEND_INIT);
        return EXIT_SKIP;
    case 1:
    case 2:
        vcpu_post(&vcpus[1], VCPU_PEND_SIPI);
        return EXIT_SKIP;
    default:
        if (guests[1].up)
            g->up = true;
        if (g->up)
            vcpu_post_irq(&vcpus[1], VECTOR, false);
        return EXIT_SKIP;
    }
}

static bool wait_over(struct vcpu *v, bool late) { return late || vcpu_interrupted(v); }

static enum exit_action wait_a_little(struct vcpu *v, struct guest *g)
{
    progress[0]++;
    v->arch.wait = WAIT_CALL;
    v->done = wait_over;
    v->wait_deadline = now + (g->step++ % 2 ? 7 : 300);
    timer_set(&v->home->timers, &v->wait_timer, v->wait_deadline);
    return EXIT_SKIP;
}

static enum exit_action tick(struct vcpu *v, struct guest *g)
{
    if (!g->step++)
        lapic(v, 0xf, 0x1ff);
    if (g->taken || g->step == 1) {
        progress[0]++;
        g->taken = 0;
        lapic(v, 0xb, 0);
        v->lapic.lvt[0] = VECTOR;
        v->lapic.deadline = vcpu_guest_tsc(v) + 9;
        vcpu_arm_timer(v);
    }
    return halt(v);
}

static void port(struct vcpu *v, u32 number, u8 val)
{
    struct bus_access a = { .addr = number, .val = val, .size = 1, .write = true };

    isa_ports(v, &a);
}

/* The 8254 wakes vCPU 0 by the 8259s, which throws the ball; the other vCPU sets the next alarm. */
static enum exit_action take_alarm(struct vcpu *v, struct guest *g)
{
    static const u8 icw[] = { 0x20, 0x04, 0x01, 0xfe };

    if (g->up && !g->taken)
        return halt(v);
    if (g->up) {
        g->taken--;
        port(v, 0x20, 0x20);
        progress[0]++;
        vcpu_post_irq(&vcpus[1], VECTOR, false);
        return EXIT_SKIP;
    }
    if (g->step == 0) {
        port(v, 0x20, 0x11);
        for (u32 i = 0; i < ARRAY_SIZE(icw); i++)
            port(v, 0x21, icw[i]);
    }
    return first_steps(v, g);
}

static enum exit_action set_alarm(struct vcpu *v, struct guest *g)
{
    if (!g->taken)
        return halt(v);
    g->taken = 0;
    lapic(v, 0xb, 0);
    port(v, 0x43, 0x30);
    port(v, 0x40, 0);
    port(v, 0x40, 0x40);
    return EXIT_SKIP;
}

/* --- a ball of events: who has it sends it on by a call, or by a timer, and waits for the next without a deadline */

#define NOBODYS 2u

static void ask(struct vcpu *v, hc_fn *fn, u64 rbx, u64 rcx)
{
    v->arch.gpr.rbx = rbx;
    v->arch.gpr.rcx = rcx;
    v->arch.gpr.rdx = 0;
    v->arch.gpr.rax = fn(v, &v->arch.gpr);
    if (v->arch.gpr.rax != PITH_OK && (v->arch.gpr.rax != PITH_E_GONE || partition_runs(v->part)))
        done("a call failed"); /* but for a send while the partition is being stopped */
}

static enum exit_action send_on(struct vcpu *v, struct guest *g)
{
    progress[0]++;
    if (g->step++ % 3 == 0) {
        ask(v, hc_timer, time_ns(v->part) + 2000000, !v->index);
        return EXIT_SKIP;
    }
    ask(v, hc_timer, 1ull << 60, NOBODYS); /* is there when it stops */
    ask(v, hc_event_send, 0, !v->index);
    return EXIT_SKIP;
}

static enum exit_action play_events(struct vcpu *v, struct guest *g)
{
    g->asked = !g->asked;
    if (g->asked) {
        ask(v, hc_event_wait, BIT(v->index), 0);
        return EXIT_SKIP;
    }
    if (v->arch.gpr.rbx & ~BIT(v->index))
        done("an event that was not asked for");
    return v->arch.gpr.rbx ? send_on(v, g) : EXIT_SKIP;
}

static enum exit_action throw_event(struct vcpu *v, struct guest *g)
{
    if (g->up)
        return play_events(v, g);
    if (g->step < 3) {
        ask(v, hc_event_bind, g->step, 0);
        vcpu_post(&vcpus[1], g->step++ ? VCPU_PEND_SIPI : VCPU_PEND_INIT);
        return EXIT_SKIP;
    }
    g->up = guests[1].up;
    return g->up ? send_on(v, g) : EXIT_SKIP;
}

static enum exit_action storm(struct vcpu *v, struct guest *g)
{
    static const u64 what[] = { VCPU_PEND_INIT, VCPU_PEND_SIPI, VCPU_PEND_NMI, VCPU_PEND_SIPI };

    progress[0]++;
    vcpu_post(&vcpus[1], what[g->step++ % ARRAY_SIZE(what)]);
    if (v == &vcpus[1] && g->step % 3 == 0)
        return halt(v);
    return EXIT_SKIP;
}

/* The second one is started and stopped by turns, by a call and as kernels do: each start starts it, nothing else does. */
static enum exit_action start_and_stop(struct vcpu *v, struct guest *g)
{
    struct x86_gprs *r = &v->arch.gpr;

    if (g->asked && guests[1].up) {
        progress[0]++;
        g->asked = false;
        if (g->step++ / 2 % 2)
            vcpu_post_init(&vcpus[1]);
        else
            ask(v, hc_vcpu_stop, 1, 0);
    } else if (!g->asked && g->step % 2) {
        g->asked = true;
        vcpu_post(&vcpus[1], VCPU_PEND_SIPI);
        vcpu_post(&vcpus[1], VCPU_PEND_SIPI);
    } else if (!g->asked) {
        *r = (struct x86_gprs){ .rbx = 1, .rcx = MIB(2) };
        r->rax = hc_vcpu_start(v, r);
        g->asked = r->rax == PITH_OK;
        if (!g->asked && r->rax != PITH_E_STATE)
            done("a vCPU cannot be started");
    }
    return EXIT_SKIP;
}

static enum exit_action end_soon(struct vcpu *v, struct guest *g)
{
    progress[0] += g->step == 0;
    if (g->step++ < 3)
        return EXIT_SKIP;
    if (scene.program == FAILS)
        return EXIT_FAIL;
    return end(v, scene.program == EXITS ? END_EXIT : END_RESET);
}

/* --- partitions that call each other: an answer is the word and one */

static u64 words;

static enum exit_action call(struct vcpu *v, struct guest *g, u64 target, bool patient)
{
    struct x86_gprs *r = &v->arch.gpr;

    if (g->step++) {
        if (r->rax != PITH_OK && r->rax != PITH_E_GONE && (r->rax != PITH_E_TIMEOUT || patient))
            done("a call ends as it may not");
        if (r->rax == PITH_OK && r->rbx != g->word + 1)
            done("a call has somebody else's answer");
        progress[v->part->index]++;
    }
    g->word = words += 2;
    r->rbx = target;
    r->rcx = g->word;
    r->rdi = patient ? 0 : time_ns(v->part) + random_below(9) * 1000000; /* of 5 ticks */
    r->rax = hc_ipc_call(v, r);
    return EXIT_SKIP;
}

static enum exit_action serve_call(struct vcpu *v, struct guest *g)
{
    struct x86_gprs *r = &v->arch.gpr;

    if (!g->step++ || r->rax != PITH_OK)
        r->rbx = 0;
    progress[v->part->index] += r->rbx || v->part == &parts[1];
    r->rcx++;
    r->rdi = v->part == &parts[0] ? 0 : time_ns(v->part) + 20000000; /* once its clients are gone, only time wakes it */
    if (!r->rbx && v->part == &parts[0])
        r->rax = hc_ipc_wait(v, r);
    else
        r->rax = hc_ipc_reply_wait(v, r);
    return EXIT_SKIP;
}

/* The second one is reset again and again, whatever it does. */
static void disturb(struct vcpu *v, struct guest *g)
{
    static const u64 what[] = { VCPU_PEND_INIT, VCPU_PEND_SIPI, 0, 0, 0 };
    u64 post = v == &vcpus[0] ? what[g->taken++ % ARRAY_SIZE(what)] : 0; /* it takes no interrupts */

    if (post)
        vcpu_post(&vcpus[1], post);
}

static enum exit_action talk(struct vcpu *v, struct guest *g)
{
    bool tried = v->part == &parts[0];

    if (tried && scene.program != SERVES)
        disturb(v, g);
    g->up = true;
    if (v == &vcpus[2] && !guests[3].up)
        vcpu_post(&vcpus[3], VCPU_PEND_SIPI);
    if (tried == (scene.program == CALLS))
        return call(v, g, tried ? 2 : 1, scene.program == SERVES || (tried && v->index == 0));
    return serve_call(v, g);
}

/* --- each vCPU's piece of memory goes and comes, while the second one is reset again and again; an answer is to its own question */

static enum exit_action give_and_take(struct vcpu *v, struct guest *g)
{
    struct x86_gprs *r = &v->arch.gpr;
    gpa_t gpa = MIB(2) + v->index * MIB(2);
    bool in = g->step % 2;

    if (g->asked && r->rax != PITH_OK && r->rax != PITH_E_BUSY && r->rax != PITH_E_STATE)
        done("memory that cannot be given or taken");
    if (g->asked && r->rax == PITH_OK) {
        progress[0]++;
        if (*piece_at(gpa) != in)
            done("the answer to another question");
    }
    g->step += g->asked && r->rax != PITH_E_BUSY;
    g->asked = true;
    disturb(v, g);
    r->rbx = gpa;
    r->rax = g->step % 2 ? hc_balloon_in(v, r) : hc_balloon_out(v, r);
    return EXIT_SKIP;
}

static enum exit_action second_vcpu(struct vcpu *v, struct guest *g)
{
    if (scene.program == STORMS)
        return storm(v, g);
    if (scene.program == EVENTS) {
        g->up = true;
        return play_events(v, g);
    }
    g->up |= scene.program == STARTS;
    if (scene.program != HALTS && scene.program != ALARMS)
        return halt(v);
    if (!g->up)
        lapic(v, 0xf, 0x1ff);
    g->up = true;
    if (scene.program == ALARMS)
        return set_alarm(v, g);
    return play(v, g, &vcpus[0]);
}

static enum partition_request request_of(char c)
{
    switch (c) {
    case 'B': return REQUEST_START;
    case 'S': return REQUEST_STOP;
    case 'P': return REQUEST_PAUSE;
    case 'U': return REQUEST_RESUME;
    case 'C': return REQUEST_CREATE;
    case 'D': return REQUEST_DESTROY;
    default: return REQUEST_RESTART;
    }
}

static enum exit_action act(struct vcpu *v)
{
    struct guest *g = guest_of(v);

    if (scene.program >= CALLS)
        return talk(v, g);
    if (v->part == &parts[1]) {
        progress[1]++;
        if (asked && partition_request(&parts[0], request_of(asked)) != PITH_E_BUSY)
            asked = 0;
        return EXIT_SKIP;
    }
    if (scene.program == BALLOONS)
        return give_and_take(v, g);
    if (v == &vcpus[1])
        return second_vcpu(v, g);
    switch (scene.program) {
    case HALTS: return g->up ? play(v, g, &vcpus[1]) : first_steps(v, g);
    case ALARMS: return take_alarm(v, g);
    case WAITS: return wait_a_little(v, g);
    case TICKS: return tick(v, g);
    case STORMS: return storm(v, g);
    case EVENTS: return throw_event(v, g);
    case STARTS: return start_and_stop(v, g);
    case EXITS:
    case FAILS:
    case RESETS:
        return end_soon(v, g);
    default: progress[0]++; return EXIT_SKIP;
    }
}

enum exit_action exit_handle(struct arch_vcpu *a, struct vm_exit *e)
{
    struct vcpu *v = owner(a);
    struct core_time t;

    a->kind = e->kind;
    v->exits[e->kind]++;
    if (points % 16 == 0 && (account_core(here, &t) || t.guest + t.exits + t.scheduler + t.idle + t.others != now - here->since))
        done("this core's accounts do not add up");
    if (v->inbox.pending)
        a->look = true;
    if (e->kind != VM_EXIT_HOST_IRQ)
        return act(v);
    arch_irq_window();
    return EXIT_RESUME;
}

enum pith_status rights_denied(struct vcpu *v, u64 n, enum right r) { (void)v, (void)n, (void)r; done("a right is missing"); abort(); }
void report_vcpu(struct vcpu *v, const struct vm_exit *e) { (void)owner(&v->arch), (void)e; guest_of(v)->left = true; }
void report_registers(struct vcpu *v) { (void)owner(&v->arch); }
u64 vmsr_store_reset(u32 i) { (void)i; return 0; }
void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level;
    if (strstr(fmt, "accounts"))
        done("accounts do not add up");
    point();
}
void console_end(struct console_source *s) { (void)s; point(); }
const char *audit_check(void) { return NULL; }
u64 ram_free_bytes(void) { return 0; }
enum pith_status partition_take_ram(struct partition *p)
{
    p->ram[0] = (struct extent){ 0, RAM, RAM_LEN };
    p->nr_ram = 1;
    mapped[0] = mapped[1] = true;
    free_pieces = 0;
    return PITH_OK;
}
void partition_give_ram(struct partition *p) { p->nr_ram = 0; }
enum pith_status partition_map_step(struct partition *p, bool map)
{
    (void)map;
    if (p->live)
        done("memory moves while a vCPU has it");
    return p->load.scrubbed++ < 2 ? PITH_E_BUSY : PITH_OK;
}
bool power_off_wanted(void) { return false; }
void power_off(void) { done("power off"); abort(); }
void main_first_start(const struct partition *p) { (void)p; }
enum pith_status load_step(struct partition *p)
{
    for (u32 i = 0; i < p->nr_vcpus; i++)
        *guest_of(p->vcpus[i]) = (struct guest){ 0 };
    if (p == &parts[0] && (!mapped[0] || !mapped[1]))
        done("loaded where memory is missing");
    if (!loads_left)
        return PITH_OK;
    loads_left--;
    return PITH_E_BUSY;
}

/* --- the monitor --- */

static void command(char c)
{
    struct partition *p = &parts[0];
    enum pith_status st = PITH_OK;

    /* Nobody who stands still goes on because the end is near. */
    for (u32 i = 0; i < p->nr_vcpus && (c == 's' || c == 'r'); i++)
        guests[i].left |= p->state == PARTITION_PAUSED && vcpus[i].paused;
    switch (c) {
    case 's': may_stop = true; st = partition_end(p, false); break;
    case 'r': st = partition_end(p, true); may_stop &= st != PITH_OK; break;
    case 'b': loads_left = 2; st = partition_start(p); may_stop &= st != PITH_OK; break;
    case 'p': st = partition_pause(p); break;
    case 'u': st = partition_resume(p); break;
    case 'k': partition_input(p, 'x'); break;
    case 'n': st = partition_end(&parts[1], false); break;
    case 'g': vcpu_post(p->vcpus[1], VCPU_PEND_REGS); break;
    }
    if (st != PITH_OK && st != PITH_E_STATE)
        done("a command failed");
}

/* On core 0 from cpu_attend(), whatever it does: between vCPUs, or in the middle of an exit. */
void devices_start(struct partition *p) { (void)p; }
void devices_stop(struct partition *p) { (void)p; }
bool grants_end_one(struct partition *p) { (void)p; return false; }
void devices_attend(struct cpu *cpu) { (void)cpu; }
void irq_house(void)
{
    char c = key;

    if (c) {
        command(c);
        key = 0;
        account_watch();
    }
}

static void type(char c)
{
    if (c >= 'A' && c <= 'Z') {
        asked = c;
    } else {
        key = c;
        actors[0].ipi = true;
    }
    wait_until(WAITS_CONSUMED);
}

/* Of one that has stopped: what it spent is of kinds that there were. */
static void check_times(const struct vcpu *v)
{
    u64 spent = 0;

    for (u32 i = 0; i <= VM_EXIT_KINDS; i++) {
        spent += v->arch.spent[i];
        if (v->arch.spent[i] && i < VM_EXIT_KINDS && !v->exits[i])
            done("time of exits that there were not");
    }
    if (account_runs(&v->run) || spent > v->run)
        done("a stopped vCPU's time goes on");
}

/* Whatever was done to it: a partition that runs does run, its neighbour too, and what is stopped leaves nothing behind. */
static void settle(void)
{
    wait_until(WAITS_SERVED);
    type('u');
    wait_until(WAITS_SETTLED);
    was_stopped = stopped();
    memcpy(mark, progress, sizeof(mark));
    wait_until(WAITS_PROGRESS);
    type('s');
    wait_until(WAITS_STOPPED);
    type('n');
    wait_until(WAITS_QUIET);
    for (u32 i = 0; i < 2 + parts[1].nr_vcpus; i++)
        if (vcpus[i].state != VCPU_STOPPED || vcpus[i].live || vcpus[i].lapic_timer.deadline != TIMER_NEVER ||
            vcpus[i].wait_timer.deadline != TIMER_NEVER || vcpus[i].event_timer.deadline != TIMER_NEVER || vcpus[i].ipc.state != IPC_NONE ||
            vcpus[i].part->isa.tick.deadline != TIMER_NEVER || vcpus[i].arch.cpu)
            done("a stopped vCPU left something behind");
    for (u32 i = 0; i < ARRAY_SIZE(vcpus); i++)
        check_times(&vcpus[i]);
    for (u32 i = 0; i < 2 * IPC_LISTS; i++)
        if (endpoints[i / IPC_LISTS].list[i % IPC_LISTS])
            done("an endpoint remembers one that is gone");
    if (parts[0].balloon.state != BALLOON_FREE || parts[0].balloon.hpa || mapped[0] + mapped[1] + free_pieces != 2)
        done("memory without an owner");
    if (!stopped() || parts[1].live)
        done("it is not stopped any more");
}

static void keyboard(void)
{
    for (const char *c = scene.script; *c; c++)
        type(*c);
    settle();
    done(NULL);
}

/* --- schedules --- */

static void set_up_partition(struct partition *p, const char *name, u32 n, struct vcpu *v, const u8 *homes)
{
    static const struct load_plan plan = { .start.mode = PLAN_LONG };

    confs[p - parts].restart = scene.restart;
    confs[p - parts].flags = MANIFEST_ON_REQUEST;
    confs[p - parts].memory = RAM_LEN;
    *p = (struct partition){ .conf = &confs[p - parts], .plan = &plan, .name = name, .nr_vcpus = n };
    p->restart.deadline = TIMER_NEVER;
    p->features = PITH_FEATURE_BALLOON;
    p->frames.nr_free = p->frames.nr_total = 1;
    assert_int_equal(partition_take_ram(p), PITH_OK);
    p->may[RIGHT_CALL] = 3;
    p->page_ro = (void *)pages[p - parts][0];
    p->page = (void *)pages[p - parts][1];
    isa_init(p);
    partition_register(p, nr_partitions);
    for (u32 i = 0; i < n; i++) {
        p->vcpus[i] = &v[i];
        vcpu_init(&v[i], p, i, &actors[homes[i]].cpu);
        share_init(&v[i].share, 100, false, 0, 0);
    }
}

static void set_up(void)
{
    memset(actors, 0, sizeof(actors));
    memset(vcpus, 0, sizeof(vcpus));
    memset(guests, 0, sizeof(guests));
    memset(progress, 0, sizeof(progress));
    memset(mark, 0, sizeof(mark));
    memset(endpoints, 0, sizeof(endpoints));
    nr_partitions = points = me = 0;
    house_fn = NULL;
    wrong = NULL;
    key = asked = 0;
    house_last = 0;
    house_timer = (struct timer){ .deadline = TIMER_NEVER, .expired = house_due };
    quiet = was_stopped = may_stop = false;
    stall_end = 0;
    now = 1000;
    loads_left = 4;
    busy_maps = 0;
    nr_cpus = CORES;
    for (u32 i = 0; i < ACTORS; i++) {
        actors[i].cpu = (struct cpu){ .self = &actors[i].cpu, .index = i, .apic_id = i };
        actors[i].timer = TIMER_NEVER;
        actors[i].sp = stack_for(stacks[i], STACK, i == KEYBOARD ? keyboard : cpu_main);
        if (i < CORES)
            cpus[i] = &actors[i].cpu;
        sched_init(&actors[i].cpu);
        policy_init(&actors[i].cpu.rq, SLICE_MS * arch_tsc_khz());
    }
    here = &actors[0].cpu;
    set_up_partition(&parts[0], "tried", 2, vcpus, scene.homes);
    set_up_partition(&parts[1], "neighbour", scene.program < CALLS ? 1 : 2, vcpus + 2, (const u8[]){ 1, 2 });
    assert_int_equal(partition_start(&parts[1]), PITH_OK);
    assert_int_equal(partition_start(&parts[0]), PITH_OK);
}

static u32 runs;

/* What went wrong, or NULL; all there is to say to do it again is printed. */
static const char *try(void)
{
    struct scene kept = scene;
    u64 first = seed;

    set_up();
    points = 1;
    runs++;
    switch_stacks(&main_sp, actors[0].sp);
    for (u32 i = 0; wrong && i < ARRAY_SIZE(vcpus); i++)
        printf("vCPU %u: state %u wait %u live %d paused %d pending %llx; ", i, vcpus[i].state, vcpus[i].arch.wait, vcpus[i].live,
               vcpus[i].paused, (unsigned long long)vcpus[i].inbox.pending);
    if (wrong)
        printf("\npartition %u with %u live, neighbour %u; keyboard waits for %d, key %c\n", parts[0].state, parts[0].live,
               parts[1].state, (int)actors[KEYBOARD].does, key ? key : '-');
    if (wrong)
        printf("script %s program %d homes %d%d restart %d differs at %u to %u odds %u seed %llx: %s\n", kept.script,
               (int)kept.program, kept.homes[0], kept.homes[1], kept.restart, differ_at, differ_to, odds,
               (unsigned long long)first, wrong);
    scene = kept;
    return wrong;
}

static bool try_random(u32 n)
{
    bool ok = true;

    differ_at = 0;
    for (u32 i = 0; i < n && ok; i++) {
        odds = 2 + i % 13;
        ok = !try();
    }
    odds = 0;
    return ok;
}

static bool try_all_with_one_preemption(void)
{
    u32 length;
    bool ok;

    odds = differ_at = 0;
    ok = !try();
    length = points;
    for (differ_at = 2; differ_at < length && ok; differ_at++)
        for (differ_to = 0; differ_to < ACTORS && ok; differ_to++)
            ok = !try();
    return ok;
}

static u32 wanted_runs(u32 usual)
{
    const char *n = getenv("LIFECYCLE_RUNS");

    return n ? (u32)strtoul(n, NULL, 10) : usual;
}

static const u8 apart[] = { 1, 2 }, with_house[] = { 0, 1 }, together[] = { 1, 1 };
static const u8 *const all_homes[] = { apart, with_house, together };

static void one_preemption(void **state)
{
    static const struct { const char *script; enum program program; u8 restart; } plays[] = {
        { "ps", HALTS, 0 }, { "pus", HALTS, 0 }, { "rp", TICKS, 0 }, { "pus", ALARMS, 0 },
        { "psb", WAITS, 0 }, { "pr", SPINS, 1 }, { "p", EXITS, 0 },
        { "s", FAILS, 2 },       { "pus", CALLS, 0 }, { "pur", SERVES, 0 }, { "r", SHARES, 0 },
        { "pus", EVENTS, 0 }, { "r", EVENTS, 0 }, { "pus", EVENTS, 0 }, { "r", BALLOONS, 0 }, { "pus", BALLOONS, 0 },
        { "r", STARTS, 0 }, { "pus", STARTS, 0 }, { "r", STARTS, 0 },
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(plays); i++) {
        scene = (struct scene){ plays[i].script, plays[i].program, all_homes[i % 3], plays[i].restart };
        assert_true(try_all_with_one_preemption());
    }
}

/* Every script of up to three commands, every program, every place, every policy. */
static void random_schedules(void **state)
{
    static const char commands[] = "srbpukg";
    u32 each = wanted_runs(2);
    char script[4] = "";

    (void)state;
    seed = 4711;
    for (u32 i = 0; i < 7 * 7 * 7; i++) {
        script[0] = commands[i % 7];
        script[1] = commands[i / 7 % 7];
        script[2] = commands[i / 49];
        for (u32 k = 0; k < PROGRAMS * 3; k++) {
            scene = (struct scene){ script, (enum program)(k % PROGRAMS), all_homes[k / PROGRAMS], (u8)((i + k) % 3) };
            assert_true(try_random(each));
        }
    }
    printf("%u runs\n", runs);
}

/* Where mistakes need more than that to show: commands against what the guest does to itself, and against each other. */
static void close_calls(void **state)
{
    static const struct { const char *script; enum program program; u8 restart; } plays[] = {
        { "pupupu", EXITS, 0 }, { "pupupu", FAILS, 0 }, { "pupupups", SPINS, 0 }, { "pupr", HALTS, 0 }, { "srsr", RESETS, 1 },
        { "rprrr", RESETS, 1 },
        { "pukpkr", TICKS, 0 }, { "pupukr", ALARMS, 0 },
        { "pupsrpur", CALLS, 0 }, { "pupsrpur", SERVES, 0 }, { "rpuspu", SHARES, 0 }, { "kkk", SHARES, 0 }, { "pupur", EVENTS, 0 },
        { "rpurps", BALLOONS, 0 }, { "psbr", BALLOONS, 0 }, { "rpur", STARTS, 0 }, { "psbr", STARTS, 0 },
        { "PUPU", EXITS, 0 }, { "SBSB", SPINS, 0 }, { "RPUR", HALTS, 2 }, { "PUrSb", TICKS, 0 }, { "sBRS", FAILS, 2 },
        { "SDCBSDC", SPINS, 0 }, { "DCBs", EXITS, 0 },
    };

    (void)state;
    seed = 42;
    for (u32 i = 0; i < ARRAY_SIZE(plays) * 3; i++) {
        scene = (struct scene){ plays[i / 3].script, plays[i / 3].program, all_homes[i % 3], plays[i / 3].restart };
        assert_true(try_random(wanted_runs(2) * 1000));
    }
    printf("%u runs\n", runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_preemption),
        cmocka_unit_test(random_schedules),
        cmocka_unit_test(close_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
