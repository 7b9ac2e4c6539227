/* SPDX-License-Identifier: MIT */
/* MSR policy as one table. The state behind a policy is hv/exit.c's business. */
#pragma once

#include "hv/lib/types.h"

enum vmsr_kind {
    VMSR_GP,       /* not there: #GP on read and write */
    VMSR_CONST,    /* reads value; writes are ignored */
    VMSR_RO,       /* reads value; writes #GP */
    VMSR_REG,      /* value is an enum x86_reg of the vCPU; writes are checked by vmsr_check() */
    VMSR_LAPIC,    /* vlapic_msr_read/write */
    VMSR_TSC,      /* IA32_TSC: through the offset */
    VMSR_TSC_ADJUST,
    VMSR_STORE,    /* remembered per vCPU in store[value], no effect (MTRRs, MISC_ENABLE, ...) */
    VMSR_KVM_CLOCK, VMSR_KVM_WALL,    /* MSR_KVM_SYSTEM_TIME(_NEW), MSR_KVM_WALL_CLOCK(_NEW) */
    VMSR_KVM_STEAL,                   /* MSR_KVM_STEAL_TIME */
    VMSR_PASS,     /* untrapped, but for writes of arch_msr_kept(): the state is switched (FS/GS base, STAR, ...) */
};
/* X86_EFER and X86_PAT: this room does not see arch/x86/vm.h. A unit test compares. */
#define VMSR_X86_EFER 7u
#define VMSR_X86_PAT  8u
#define VMSR_STORES 64u
struct vmsr { u8 kind; u64 value; };

struct vmsr vmsr_lookup(u32 msr);
/* The most frequent ones, VMSR_LAPIC and nothing for vmsr_check() to check: to be asked first. x2APIC, IA32_TSC_DEADLINE. */
static inline bool vmsr_is_lapic(u32 msr)
{
    return msr >> 8 == 8 || msr == 0x6e0;
}

/* The last answer, since guests ask for one MSR many times. All zeros stands for MSR ffffffff, which is not there. */
struct vmsr_cache { u32 key; struct vmsr m; };
static inline struct vmsr vmsr_cached(struct vmsr_cache *c, u32 msr)
{
    if (c->key != ~msr)
        *c = (struct vmsr_cache){ ~msr, vmsr_lookup(msr) };
    return c->m;
}
/* Power-on value of store[i]. */
u64 vmsr_store_reset(u32 i);
/*
 * May this value be written (reserved bits, PAT types, EFER bits, canonical addresses)? False: #GP.
 * efer_mask: bits of EFER offered.
 */
bool vmsr_check(u32 msr, u64 val, u64 efer_mask);
/* Calls fn for every MSR of kind VMSR_PASS: to open the trap map. */
void vmsr_each_pass(void (*fn)(void *ctx, u32 msr), void *ctx);
