/* SPDX-License-Identifier: MIT */
/* Interrupts of a virtual processor: from whoever posts one to its next entry. */
#include "hv/vcpu_irq.h"

#include "arch/x86/cpu/regs.h"
#include "hv/partition.h"
#include "hv/sched.h"

void vcpu_post_irq(struct vcpu *v, u8 vector, bool level)
{
    u32 bit = 1u << (vector & 31);

    if (v->home == this_cpu()) {
        vlapic_post(&v->lapic, vector, level);
        v->arch.irq_dirty = true;
        if (v->state == VCPU_BLOCKED)
            sched_ready(v->home, v);
        return;
    }
    if (level)
        __atomic_fetch_or(&v->inbox.level[vector / 32], bit, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->inbox.irr[vector / 32], bit, __ATOMIC_RELEASE);
    vcpu_post(v, VCPU_PEND_IRQ(vector / 32));
}

void vcpu_take_vectors(struct vcpu *v, u32 words)
{
    for (; words; words &= words - 1) {
        u32 i = (u32)__builtin_ctz(words);
        /* ACQUIRE: pairs with the RELEASE in vcpu_post_irq(); the level bits are visible with the vectors. */
        u32 irr = __atomic_exchange_n(&v->inbox.irr[i], 0, __ATOMIC_ACQUIRE);
        u32 level = __atomic_load_n(&v->inbox.level[i], __ATOMIC_RELAXED) & irr;

        if (level)
            __atomic_fetch_and(&v->inbox.level[i], ~level, __ATOMIC_RELAXED);
        vlapic_post_word(&v->lapic, i, irr, level);
    }
    v->arch.irq_dirty = true;
}

static __attribute__((noinline)) bool deliver_nmi(struct vcpu *v)
{
    struct x86_event ev = { .vector = X86_NMI, .type = X86_EV_NMI, .valid = true };

    if (!arch_vcpu_inject(&v->arch, &ev))
        return false;
    v->nmi_pending = false;
    vcpu_end_halt(v);
    return true;
}

/* The task priority lives in the processor while the guest runs (CR8). */
static void sync_tpr(struct vcpu *v)
{
    u32 cr8 = arch_vcpu_cr8(&v->arch);

    if (v->lapic.tpr >> 4 != cr8)
        v->lapic.tpr = cr8 << 4;
}

void vcpu_deliver(struct vcpu *v)
{
    int vector;

    v->arch.irq_dirty = false;
    if (v->nmi_pending && !deliver_nmi(v))
        v->arch.irq_dirty = true;                         /* not every processor has a window for NMIs: offered again at the next exit */
    while (isa_wants(v, &v->part->isa) && isa_deliver(v)) /* again: a refusal arms the window for the next */
        vcpu_end_halt(v);
    if (!vlapic_any_irr(&v->lapic))
        return;
    sync_tpr(v);
    vector = vlapic_pending(&v->lapic);
    if (vector < 0) {
        arch_vcpu_tpr_window(&v->arch, (u8)(vlapic_highest_irr(&v->lapic) >> 4));
        v->tpr_armed = true;
        return;
    }
    if (v->tpr_armed) {
        arch_vcpu_tpr_window(&v->arch, 0);
        v->tpr_armed = false;
    }
    if (arch_vcpu_interrupt(&v->arch, (u8)vector)) {
        vlapic_ack(&v->lapic, (u8)vector);
        vcpu_end_halt(v);
    }
}
