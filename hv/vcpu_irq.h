/* SPDX-License-Identifier: MIT */
/* What vcpu.c and vcpu_irq.c know of each other. All on the home core. */
#pragma once

#include "hv/vcpu.h"

void vcpu_take_vectors(struct vcpu *v); /* what other cores left in its inbox */
/* Resident: the highest interrupt that may be taken now goes into the next entry; a refused one comes again with a window. */
void vcpu_deliver(struct vcpu *v);
static inline void vcpu_end_halt(struct vcpu *v)
{
    if (v->arch.wait == WAIT_HLT)
        v->arch.wait = WAIT_NONE;
}
