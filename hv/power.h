/* SPDX-License-Identifier: MIT */
/* Ending everything. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

void power_look(void);         /* core 0, now and then: the power button, and whether guests that were asked have shut down */
void power_init(const struct handoff *h);
/*
 * Core 0: ask guests to shut down that listen to a power button, in a bounded time, stop all others, then power off or restart. A second
 * time stops all at once. @who is who wants it, for the log.
 */
void power_request(const char *who, bool restart);
bool power_off_wanted(void);
NORETURN void power_off(void); /* core 0, nothing runs any more: power off or restart */
