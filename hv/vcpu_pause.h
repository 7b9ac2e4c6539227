/* SPDX-License-Identifier: MIT */
/* When a vCPU stands still. On its home core. */
#pragma once

#include "hv/vcpu.h"

void vcpu_stop_timers(struct vcpu *v);
void vcpu_take_state(struct vcpu *v); /* VCPU_PEND_STATE: its partition is paused, or not any more */
