/* SPDX-License-Identifier: MIT */
/* A build without trace: no rings, no partition is ever traced. */
#include "hv/trace.h"

#include "hv/lib/log.h"

u64 trace_frames(const struct manifest *m, u64 nr_cores)
{
    (void)m, (void)nr_cores;
    return 0;
}

void trace_init(const struct manifest *m, struct frame_pool *pool)
{
    (void)m, (void)pool;
}

vm_exit_fn *trace_begin(struct vcpu *v)
{
    (void)v;
    return exit_handle;
}

void trace_inject(const struct vcpu *v)
{
    (void)v;
}

void trace_event(const struct partition *p, u32 vcpu, enum pith_trace_kind kind, u32 operand, u64 value)
{
    (void)p, (void)vcpu, (void)kind, (void)operand, (void)value;
}

void trace_command(const char *verb, const char *name)
{
    (void)verb, (void)name;
    log_info("this build has no trace - build with DEBUG=1");
}
