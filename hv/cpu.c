/* SPDX-License-Identifier: MIT */
/* Physical cores: starting, waking and parking them, and the loop each of them runs. */
#include "hv/cpu.h"

#include "arch/x86/cpu/insn.h"
#include "hv/account.h"
#include "hv/devices.h"
#include "hv/irq.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"
#include "hv/sched.h"
#include "hv/steal.h"
#include "hv/vcpu.h"

u32 nr_cpus;
bool cpus_smt;
static struct cpu *cpus[HOST_MAX_CORES];
static struct frame_pool *host_pool;
static void (*house_fn)(void);

struct cpu *cpu_get(u32 index)
{
    return index < nr_cpus ? cpus[index] : NULL;
}

static struct cpu *cpu_alloc(struct frame_pool *pool, u32 index, u32 apic_id)
{
    u64 pages = ALIGN_UP(sizeof(struct cpu), PAGE_SIZE) / PAGE_SIZE;
    hpa_t hpa = frames_alloc(pool, pages, 1);
    struct cpu *c;

    if (!hpa)
        return NULL;
    c = phys_to_virt(hpa);
    memset(c, 0, sizeof(*c));
    c->self = c;
    c->index = index;
    c->apic_id = apic_id;
    return c;
}

enum pith_status cpus_init(const struct handoff *h, struct frame_pool *pool)
{
    const struct handoff_cpu *first = phys_to_virt(h->cpus.base);

    host_pool = pool;
    cpus[0] = cpu_alloc(pool, 0, h->cpus.count ? first->apic_id : 0);
    if (!cpus[0])
        return PITH_E_MEM;
    nr_cpus = 1;
    return PITH_OK;
}

#define JOIN_MS 10000u
enum cpu_joined { CPU_STARTING, CPU_JOINED, CPU_UNFIT };

static void ap_entry(u32 index)
{
    struct cpu *c = cpus[index];
    bool fit = arch_cpu_enable(&c->arch, host_pool) == PITH_OK;

    /* RELEASE: pairs with the ACQUIRE in joins(); from here on an unfit core touches nothing. */
    __atomic_store_n(&c->joined, fit ? CPU_JOINED : CPU_UNFIT, __ATOMIC_RELEASE);
    if (!fit)
        arch_halt();
    cpu_main();
}

/* It runs our code by now, which takes microseconds: only a busy emulator is slow. */
static bool joins(const struct cpu *c)
{
    u64 end = arch_tsc() + JOIN_MS * arch_tsc_khz();
    u32 joined;

    while ((joined = __atomic_load_n(&c->joined, __ATOMIC_ACQUIRE)) == CPU_STARTING) {
        if (arch_tsc() > end)
            panic("core %u (APIC ID %u) started and did not turn virtualization on", c->index, c->apic_id);
        cpu_relax();
    }
    return joined == CPU_JOINED;
}

/* NULL, or why the core is left out. */
static const char *start(struct cpu *c)
{
    if (!c)
        return "there is no room for it";
    cpus[c->index] = c;
    switch (arch_cpu_start(c->index, c->apic_id, c, ap_entry)) {
    case PITH_OK:
        break;
    case PITH_E_MEM:
        return "no page below 1 MiB to start it on, or none for its stack, is free";
    case PITH_E_ARG:
        return "that ID is beyond what an xAPIC can name, and there is no x2APIC mode";
    default:
        return "it did not answer INIT-SIPI-SIPI - look for a firmware setting that limits the number of cores";
    }
    if (joins(c))
        return NULL;
    arch_cpu_stop(c->index);
    return "its virtualization is switched off by the firmware, or lacks what the boot core has";
}

static void find_threads(u32 bits)
{
    for (u32 i = 0; i < nr_cpus; i++) {
        cpus[i]->whole = bits < 32 ? cpus[i]->apic_id >> bits : 0;
        for (u32 k = 0; k < i && !cpus_smt; k++)
            cpus_smt = cpus[k]->whole == cpus[i]->whole;
    }
    if (cpus_smt)
        log_info("some cores are threads of one: those go to one partition, or to several that all say smt = share");
}

void cpus_start(const struct handoff *h)
{
    const u8 *at = phys_to_virt(h->cpus.base);

    cpus[0]->apic_id = arch_cpu_apic_id();
    if (arch_cpu_enable(&cpus[0]->arch, host_pool) != PITH_OK)
        panic("virtualization cannot be turned on");
    for (u32 i = 0; i < h->cpus.count; i++, at += h->cpus.stride) {
        const struct handoff_cpu *hc = (const void *)at;
        const char *why;

        if (hc->apic_id == cpus[0]->apic_id || (hc->flags & HANDOFF_CPU_DISABLED))
            continue;
        why = start(nr_cpus < HOST_MAX_CORES ? cpu_alloc(host_pool, nr_cpus, hc->apic_id) : NULL);
        if (why)
            log_warn("core with APIC ID %u is left out: %s", hc->apic_id, why);
        else
            nr_cpus++;
    }
    find_threads(h->machine.thread_bits);
}

static struct vcpu *take_inbox(struct cpu *cpu)
{
    /* ACQUIRE: pairs with the RELEASE of vcpu_post()'s push; a posted vCPU's pending bits are visible. */
    return __atomic_exchange_n(&cpu->inbox, NULL, __ATOMIC_ACQ_REL);
}

/* A reset may come as an INIT, which a core in VMX operation does not take. */
static void leave_vm(struct cpu *cpu)
{
    account_check(cpu);
    if (cpu->arch.loaded)
        arch_vcpu_unload(cpu->arch.loaded, &cpu->arch);
    arch_cpu_disable(&cpu->arch);
    cpu->current = NULL; /* nobody waits for it in partition_flush() */
}

static void park_self(struct cpu *cpu)
{
    leave_vm(cpu);
    arch_timer_set(TIMER_NEVER);
    __atomic_store_n(&cpu->parked, 1, __ATOMIC_RELEASE);
    arch_halt();
}

/* What is in its inbox was read: from here on a poster may queue it again. SEQ_CST: pending is looked at only after this. */
static void leave_inbox(struct vcpu *v)
{
    __atomic_exchange_n(&v->inbox.queued, 0, __ATOMIC_SEQ_CST);
}

static void wake_posted(struct cpu *cpu, struct vcpu *v)
{
    while (v) {
        struct vcpu *next = v->inbox.next;

        leave_inbox(v);
        if (v->state == VCPU_BLOCKED || v->state == VCPU_STOPPED)
            sched_ready(cpu, v);
        else if (v->state == VCPU_READY && __atomic_load_n(&v->inbox.pending, __ATOMIC_RELAXED) & VCPU_PEND_STOP)
            sched_hurry(cpu, v);
        v = next;
    }
}

void cpu_attend(struct cpu *cpu)
{
    u8 came = cpu->attention;
    u32 asked = 0;
    u64 now;

    cpu->attention = 0;
    if (__atomic_load_n(&cpu->asked, __ATOMIC_RELAXED))
        asked = __atomic_exchange_n(&cpu->asked, 0, __ATOMIC_ACQ_REL);
    if (asked & ASK_PARK)
        park_self(cpu);
    wake_posted(cpu, take_inbox(cpu));
    now = arch_tsc();
    if ((came & LOOK_TIMER) || timers_due(&cpu->timers, now))
        timers_run(&cpu->timers, now);
    if (cpu->device_irqs)
        devices_attend(cpu);
    if (cpu->index == 0 && (came != LOOK_RING || (asked & ASK_TERMINAL)))
        irq_house();
    if (asked & ASK_HOUSE)
        cpu->resched = cpu->house = true; /* house calls run between vCPUs, where nothing is half done */
}

static __attribute__((noinline)) void house_run(struct cpu *cpu)
{
    u64 from = arch_tsc();
    void (*fn)(void);

    cpu->house = false;
    fn = __atomic_exchange_n(&house_fn, NULL, __ATOMIC_ACQ_REL);
    if (!fn)
        return;
    fn();
    arch_vm_barrier();
    sched_spare(cpu, from);
}

/* The doorbell rang, and that is all. If it was for one vCPU only, which then is alone, nothing is to be decided: that one. */
static struct vcpu *woken_alone(struct cpu *cpu)
{
    struct vcpu *v = take_inbox(cpu);

    cpu->attention = 0;
    if (v && !v->inbox.next && sched_wake_alone(cpu, v)) {
        leave_inbox(v);
        return v;
    }
    wake_posted(cpu, v);
    return NULL;
}

/* Until something comes. Who has the core then, if that is known at once. */
static struct vcpu *idle(struct cpu *cpu)
{
    account_switch(&cpu->sched, &cpu->idle, arch_tsc());
    if (!cpu->attention)
        arch_idle();
    cpu->now = arch_tsc();
    account_switch(&cpu->idle, &cpu->sched, cpu->now);
    return cpu->attention == LOOK_RING && !__atomic_load_n(&cpu->asked, __ATOMIC_RELAXED) ? woken_alone(cpu) : NULL;
}

static void left(struct cpu *cpu, struct vcpu *v, enum vcpu_leave why)
{
    if (why == LEAVE_YIELD) {
        steal_preempted(v);
        sched_give_way(cpu, v);
    } else if (why == LEAVE_BLOCK) {
        sched_block(cpu, v);
    } else {
        sched_stop(cpu, v);
    }
}

void cpu_main(void)
{
    struct cpu *cpu = this_cpu();

    sched_init(cpu);
    cpu->now = arch_tsc();
    cpu->sched -= cpu->now;
    __atomic_store_n(&cpu->since, cpu->now, __ATOMIC_RELEASE); /* pairs with account_check() */
    for (;;) {
        enum vcpu_leave why;
        struct vcpu *v;

        if (cpu_needs_look(cpu)) {
            u64 from = cpu->now;

            cpu_attend(cpu);
            if (cpu->house)
                house_run(cpu);
            cpu->now = arch_tsc();
            account_move(&cpu->sched, &cpu->others, cpu->now - from);
        }
        v = sched_next(cpu);
        if (!v)
            v = idle(cpu);
        if (!v)
            continue;
        cpu->current = v;
        do
            why = vcpu_run(cpu->current);
        while (why == LEAVE_NEXT && cpu->current);
        if (cpu->current)
            left(cpu, cpu->current, why);
        /* RELEASE: to partition_flush(), what was done for it is done. */
        __atomic_store_n(&cpu->current, NULL, __ATOMIC_RELEASE);
    }
}

void cpu_ring(struct cpu *cpu)
{
    if (cpu == this_cpu())
        cpu_look(cpu, LOOK_RING);
    else
        arch_ipi(cpu->apic_id, HOST_VEC_DOORBELL);
}

void cpu_ask(struct cpu *cpu, enum cpu_ask what)
{
    /* RELEASE: pairs with the ACQUIRE in cpu_attend(). Who set the bit before rings. */
    if (!(__atomic_fetch_or(&cpu->asked, what, __ATOMIC_ACQ_REL) & what))
        cpu_ring(cpu);
}

bool cpus_park(void)
{
    u64 end = arch_tsc() + 1000 * arch_tsc_khz();

    for (u32 i = 1; i < nr_cpus; i++)
        cpu_ask(cpus[i], ASK_PARK);
    leave_vm(this_cpu());
    for (u32 i = 1; i < nr_cpus; i++)
        while (!__atomic_load_n(&cpus[i]->parked, __ATOMIC_ACQUIRE)) {
            if (arch_tsc() > end)
                return false;
            cpu_relax();
        }
    return true;
}

void house_call(void (*fn)(void))
{
    ASSERT(!house_fn || house_fn == fn); /* there is one house keeper */
    __atomic_store_n(&house_fn, fn, __ATOMIC_RELEASE);
    cpu_ask(cpus[0], ASK_HOUSE);
}
