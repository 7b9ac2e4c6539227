/* SPDX-License-Identifier: MIT */
/* A clock that stops behind the firmware, linked by ld --wrap into a loader that nobody ships. */
#include "boot/clock.h"

bool __wrap_clock_measure(struct handoff_machine *m);

bool __wrap_clock_measure(struct handoff_machine *m)
{
    (void)m;
    return false;
}
