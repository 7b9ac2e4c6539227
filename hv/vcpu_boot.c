/* SPDX-License-Identifier: MIT */
/* How a vCPU begins, and begins again: its partition's start, INIT and SIPI, VCPU_START. */
#include "hv/vcpu_boot.h"

#include "hv/lib/string.h"
#include "hv/partition.h"

static void set_boot_segment(struct vcpu *v, enum x86_seg seg, u16 selector, u32 attr)
{
    bool real = v->part->plan->start.mode == PLAN_REAL;
    struct x86_segment s = {
        .base = real ? (u64)selector << 4 : 0, .limit = real ? 0xffff : ~0u, .attr = attr, .selector = selector,
    };

    arch_vcpu_set_seg(&v->arch, seg, &s);
}

/* What the image's boot protocol asks for. */
static void set_boot_registers(struct vcpu *v)
{
    static const u32 code[] = { [PLAN_REAL] = 0x9b, [PLAN_PROTECTED] = 0xc09b, [PLAN_LONG] = 0xa09b };
    const struct plan_start *s = &v->part->plan->start;
    struct x86_segment gdtr = { .base = s->gdt, .limit = s->gdt_limit };

    arch_vcpu_set_reg(&v->arch, X86_CR4, s->cr4);
    arch_vcpu_set_reg(&v->arch, X86_CR3, s->cr3);
    arch_vcpu_set_reg(&v->arch, X86_EFER, s->efer);
    arch_vcpu_set_reg(&v->arch, X86_CR0, s->cr0);
    set_boot_segment(v, X86_CS, s->cs, code[s->mode]);
    for (enum x86_seg seg = X86_ES; seg <= X86_GS; seg++)
        if (seg != X86_CS)
            set_boot_segment(v, seg, s->ds, s->mode == PLAN_REAL ? 0x93 : 0xc093);
    if (s->mode != PLAN_REAL)
        arch_vcpu_set_seg(&v->arch, X86_GDTR, &gdtr);
    arch_vcpu_set_reg(&v->arch, X86_RIP, s->rip);
    arch_vcpu_set_reg(&v->arch, X86_RSP, s->rsp);
    v->arch.gpr.rdi = s->rdi;
    v->arch.gpr.rsi = s->rsi;
    v->arch.gpr.rbx = s->rbx;
    v->arch.gpr.rax = s->rax;
}

void vcpu_begin(struct vcpu *v)
{
    arch_vcpu_reset(&v->arch, false);
    for (u32 i = 0; i < VMSR_STORES; i++)
        v->msr_store[i] = vmsr_store_reset(i);
    memset(v->inbox.irr, 0, sizeof(v->inbox.irr));
    memset(v->inbox.level, 0, sizeof(v->inbox.level));
    v->kvm_clock = v->kvm_wall = 0;
    v->tsc_adjust = 0;
    v->event_deadline = TIMER_NEVER;
    v->nmi_pending = v->tpr_armed = v->arch.irq_dirty = v->paused = false;
    vcpu_set_tsc_offset(v, 0 - v->part->start_tsc);
    vcpu_set_backstop(v);
    v->why = NULL;
    v->live = true;
    v->arch.wait = v->index == 0 ? WAIT_NONE : WAIT_SIPI;
    if (v->index == 0)
        set_boot_registers(v);
}

void vcpu_sipi(struct vcpu *v)
{
    struct x86_segment cs = { .limit = 0xffff, .attr = 0x9b };
    u32 vector = __atomic_load_n(&v->inbox.sipi_vector, __ATOMIC_RELAXED), waits = BOOT_WAITS;

    if (v->arch.wait != WAIT_SIPI)
        return;
    cs.selector = (u16)(vector << 8);
    cs.base = vector << 12;
    arch_vcpu_set_seg(&v->arch, X86_CS, &cs);
    arch_vcpu_set_reg(&v->arch, X86_RIP, 0);
    v->arch.wait = WAIT_NONE;
    /* A start that is posted already is for when it has stopped again. */
    __atomic_compare_exchange_n(&v->boot, &waits, BOOT_RUNS, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void vcpu_begin_at(struct vcpu *v)
{
    u32 posted = BOOT_POSTED;

    if (v->arch.wait != WAIT_SIPI ||
        !__atomic_compare_exchange_n(&v->boot, &posted, BOOT_RUNS, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    set_boot_registers(v);
    v->arch.gpr = (struct x86_gprs){ .rdi = v->argument };
    arch_vcpu_set_reg(&v->arch, X86_RIP, v->entry);
    arch_vcpu_set_reg(&v->arch, X86_RSP, v->stack);
    v->arch.wait = WAIT_NONE;
}

void vcpu_post_init(struct vcpu *v)
{
    u32 posted = BOOT_POSTED;

    /* It looks at INIT first: what was sent before this and would start it is taken back here. */
    __atomic_compare_exchange_n(&v->boot, &posted, BOOT_WAITS, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    __atomic_fetch_and(&v->inbox.pending, ~(u64)VCPU_PEND_SIPI, __ATOMIC_RELAXED);
    vcpu_post(v, VCPU_PEND_INIT);
}

void vcpu_init_signal(struct vcpu *v)
{
    u32 runs = BOOT_RUNS;

    (void)ipc_leave(v);
    arch_vcpu_reset(&v->arch, true);
    vlapic_init(&v->lapic);
    vcpu_arm_timer(v);
    timer_set(&v->home->timers, &v->wait_timer, TIMER_NEVER);
    timer_set(&v->home->timers, &v->event_timer, TIMER_NEVER);
    v->event_deadline = TIMER_NEVER;
    v->nmi_pending = false;
    v->arch.wait = WAIT_SIPI;
    /* One that waits already may be about to be started. */
    __atomic_compare_exchange_n(&v->boot, &runs, BOOT_WAITS, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}
