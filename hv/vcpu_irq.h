/* SPDX-License-Identifier: MIT */
/* What vcpu.c and vcpu_irq.c know of each other. All on the home core. */
#pragma once

#include "hv/partition.h"

void vcpu_take_vectors(struct vcpu *v, u32 words); /* what other cores left in its inbox, in these words */
/* Resident: the highest interrupt that may be taken now goes into the next entry; a refused one comes again with a window. */
void vcpu_deliver(struct vcpu *v);
static inline void vcpu_end_halt(struct vcpu *v)
{
    if (v->arch.wait == WAIT_HLT)
        v->arch.wait = WAIT_NONE;
}

/* Of one in HLT, if nothing but its only interrupt is there to wake it: that is in the next entry. False: nothing has happened. */
static inline bool vcpu_ends_halt(struct vcpu *v)
{
    struct vlapic *l = &v->lapic;
    int vector = vlapic_vector_highest(l->irr, l->irr_words);

    if (vector < 0 || l->isr_words || !vlapic_on(l) || v->nmi_pending || v->tpr_armed || isa_wants(v, &v->part->isa) ||
        !arch_vcpu_accept(&v->arch, (u8)vector))
        return false;
    vlapic_ack(l, (u8)vector);
    v->arch.wait = WAIT_NONE;
    v->arch.irq_dirty = false;
    return true;
}
