/* SPDX-License-Identifier: MIT */
/* Ending everything. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

void power_look(void);         /* core 0, now and then: a pressed power button is a request to power off */
void power_init(const struct handoff *h);
void power_off_request(void);  /* stop every partition, then power off; any core */
bool power_off_wanted(void);
NORETURN void power_off(void); /* core 0, nothing runs any more */
