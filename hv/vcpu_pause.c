/* SPDX-License-Identifier: MIT */
/* A vCPU that stands still, and goes on. */
#include "hv/vcpu_pause.h"

#include "hv/partition.h"

void vcpu_stop_timers(struct vcpu *v)
{
    timer_set(&v->home->timers, &v->lapic_timer, TIMER_NEVER);
    timer_set(&v->home->timers, &v->wait_timer, TIMER_NEVER);
    timer_set(&v->home->timers, &v->event_timer, TIMER_NEVER);
    isa_stop(v);
}

/* Timers of one that stands still would wake it for nothing. What was due meanwhile is due at once, and once, afterwards. */
static void set_paused(struct vcpu *v, bool paused)
{
    v->paused = paused;
    v->arch.irq_dirty = true;
    if (paused) {
        vcpu_stop_timers(v);
        return;
    }
    vcpu_arm_timer(v);
    timer_set(&v->home->timers, &v->event_timer, v->event_deadline);
    isa_attend(v);
    if (v->arch.wait == WAIT_CALL)
        timer_set(&v->home->timers, &v->wait_timer, v->wait_deadline);
}

void vcpu_take_state(struct vcpu *v)
{
    u32 state = __atomic_load_n(&v->part->state, __ATOMIC_ACQUIRE);

    if (state == PARTITION_PAUSED || state == PARTITION_RUNNING) /* else it is about to leave */
        set_paused(v, state == PARTITION_PAUSED);
}
