/* SPDX-License-Identifier: MIT */
/*
 * Records of what guests do: hv/abi/trace.h. A build without (DEBUG=0) links trace_none.c in place of trace.c. Whether a
 * vCPU is traced is asked once, when it gets its core: its exits then go to another handler, and those of others cost nothing.
 */
#pragma once

#include "hv/abi/trace.h"
#include "hv/exit.h"
#include "hv/partition.h"

u64 trace_frames(const struct manifest *m, u64 nr_cores); /* that trace_init() will take out of the host pool */
/* Once all cores are known: the rings, where pith.conf wants any. Every partition is traced then. */
void trace_init(const struct manifest *m, struct frame_pool *pool);

/* The vCPU gets its core: who handles its exits from here on. */
vm_exit_fn *trace_begin(struct vcpu *v);
/* Its next entry takes an event with it. */
void trace_inject(const struct vcpu *v);
/* Anything else, into this core's ring; nothing when @p is not traced. */
void trace_event(const struct partition *p, u32 vcpu, enum pith_trace_kind kind, u32 operand, u64 value);

/* Core 0: the monitor's command, and the words behind it. */
void trace_command(const char *verb, const char *name);
