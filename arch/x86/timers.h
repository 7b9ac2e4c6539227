/* SPDX-License-Identifier: MIT */
/* Clock and timer, as the rest of arch/x86 needs them. */
#pragma once

void timers_cpu_init(void); /* this core's timer in the mode that arch_timers_init() chose; before that: masked */
void timers_fired(void);    /* HOST_VEC_TIMER was taken on this core */
