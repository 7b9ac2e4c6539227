/* SPDX-License-Identifier: MIT */
/* The other cores. */
#pragma once

#include "arch/x86/host.h"

/* Sets the start-up page aside: the highest free one below 1 MiB. hv/ never gives memory below 1 MiB to anybody. */
enum pith_status smp_init(const struct handoff *h, struct frame_pool *pool) MUST_CHECK;
bool smp_running(u32 index, u32 *apic_id); /* false: no such core, or it has not arrived yet */
