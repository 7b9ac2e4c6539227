/* SPDX-License-Identifier: MIT */
/*
 * How two events meet: pure. SDM 3, "Conditions for Generating a Double Fault"; APM 2, "#DF -
 * Double-Fault Exception".
 */
#pragma once

#include "arch/x86/vm.h"

/*
 * Makes *pending what the processor would deliver when exception @ev is raised while *pending is
 * being delivered: @ev itself, or #DF. False: a contributory exception or page fault met #DF, the
 * processor shuts down; *pending is invalid.
 */
bool events_compose(struct x86_event *pending, const struct x86_event *ev) MUST_CHECK;
