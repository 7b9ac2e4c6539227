/* SPDX-License-Identifier: MIT */
/* How two events meet: the double-fault table. */
#include "arch/x86/events.h"

#include "arch/x86/cpu/regs.h"

enum event_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum event_class event_class(const struct x86_event *ev)
{
    static const u8 by_vector[32] = {
        [X86_DE] = CONTRIBUTORY, [X86_DF] = DOUBLE_FAULT, [X86_TS] = CONTRIBUTORY, [X86_NP] = CONTRIBUTORY,
        [X86_SS_FAULT] = CONTRIBUTORY, [X86_GP] = CONTRIBUTORY, [X86_PF] = PAGE_FAULT,
        [X86_VE] = PAGE_FAULT, [X86_CP] = CONTRIBUTORY,
    };

    /* Interrupts and INT n are benign, whatever their vector. */
    if (ev->type != X86_EV_EXCEPTION || ev->vector >= ARRAY_SIZE(by_vector))
        return BENIGN;
    return by_vector[ev->vector];
}

bool events_compose(struct x86_event *pending, const struct x86_event *ev)
{
    enum event_class first = pending->valid ? event_class(pending) : BENIGN;
    enum event_class second = event_class(ev);

    if (first == DOUBLE_FAULT && second != BENIGN) {
        pending->valid = false;
        return false;
    }
    if ((first == CONTRIBUTORY && second == CONTRIBUTORY) || (first == PAGE_FAULT && second != BENIGN)) {
        *pending = (struct x86_event){
            .vector = X86_DF, .type = X86_EV_EXCEPTION, .valid = true, .has_error = true,
        };
        return true;
    }
    /*
     * "Handled serially": the second one is delivered. A first fault comes again when its
     * instruction does.
     */
    *pending = *ev;
    pending->valid = true;
    return true;
}
