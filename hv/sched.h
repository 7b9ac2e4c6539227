/* SPDX-License-Identifier: MIT */
/* Who runs next on a core: round robin, 10 ms slices while somebody waits. Every function runs on the core it is about. */
#pragma once

#include "hv/cpu.h"

#define SLICE_MS 10u

void sched_init(struct cpu *cpu);
void sched_ready(struct cpu *cpu, struct vcpu *v);   /* to the end of the queue */
struct vcpu *sched_next(struct cpu *cpu);            /* takes the first off the queue and starts its slice; NULL: none */
