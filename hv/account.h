/* SPDX-License-Identifier: MIT */
/*
 * Where a core's time goes, to the last tick. An account is a sum of TSC ticks; while its time runs, it is smaller by the TSC at
 * which that began, and so negative. Of all accounts of a core one runs at any time: who ends one, begins another at the same TSC. So
 * they always come to what has passed since the core began, and any core can read any of them: it is one word.
 */
#pragma once

#include "hv/vcpu.h"

static inline void account_switch(u64 *from, u64 *to, u64 now)
{
    *from += now;
    *to -= now;
}
/* What was counted there belongs here. */
static inline void account_move(u64 *from, u64 *to, u64 ticks)
{
    *from -= ticks;
    *to += ticks;
}
static inline bool account_runs(const u64 *account)
{
    return (s64)*account < 0;
}
u64 account_read(const u64 *account);

/*
 * A vCPU's account is run: it has its core. What of that was not the guest's is in arch.spent, by the kind of exit; under
 * VM_EXIT_KINDS what it takes to bring it here, which is the scheduler's.
 */
static inline void account_run_begins(struct vcpu *v, u64 now)
{
    v->run -= now;
    v->arch.left_at = (u32)now;
    v->arch.kind = VM_EXIT_KINDS;
}
/* In an exit of that kind. */
static inline void account_run_ends(struct vcpu *v, u8 kind, u64 now)
{
    v->arch.spent[kind] += (u32)now - v->arch.left_at;
    v->run += now;
}

/* All of a core's time since it began, in ticks. The present exit is the guest's until it ends. */
struct core_time { u64 guest, exits, scheduler, idle, others; };
/*
 * Any core. Returns by how many ticks it is more, or less, than the time that has passed. That is a bug, and said in the log; but of
 * another core, which may be in the middle of a switch, it is 0 when asked again.
 */
s64 account_core(struct cpu *cpu, struct core_time *t);
/* This core. */
void account_check(struct cpu *cpu);
/* Core 0, now and then: looks at one core after the other, which nobody else may ask about. */
void account_watch(void);
