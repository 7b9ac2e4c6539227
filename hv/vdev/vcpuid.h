/* SPDX-License-Identifier: MIT */
/* What a guest sees of the processor: policy over the host's leaves; all else reads zero. */
#pragma once

#include "hv/lib/types.h"

#define VCPUID_XCR0 0xe7ull /* components offered: x87, SSE, AVX, AVX-512 */

struct cpuid_regs { u32 eax, ebx, ecx, edx; };
struct vcpuid_env {
    /* The instruction itself; a fake in tests. Runs with the guest's XCR0. */
    void (*host)(u32 leaf, u32 sub, struct cpuid_regs *out);
    u32 apic_id, nr_vcpus;
    u64 tsc_khz;
    u64 cr4;               /* the guest's: OSXSAVE, OSPKE */
    u64 features;          /* enum pith_feature, what this partition may use */
    u32 hypercall_insn;    /* PITH_HC_VMCALL or PITH_HC_VMMCALL */
    bool kvm;              /* announce the KVM-compatible leaf after Pith's own */
    bool x2apic;           /* always offered, the vLAPIC has it; false hides it */
};
void vcpuid(const struct vcpuid_env *env, u32 leaf, u32 sub, struct cpuid_regs *out);

/*
 * Answers that never change, remembered: the policy table is some way to walk, and the host's CPUID an exit where the
 * hypervisor itself is a guest. A key of zero is no leaf's.
 */
#define VCPUID_CACHED   32u
#define VCPUID_LAST_SUB 0xdu /* in the leaves after it, ECX is whatever the program had there */
struct vcpuid_cache { struct vcpuid_entry { u64 key; struct cpuid_regs regs; } entries[VCPUID_CACHED]; };

/* Basic leaves have the lower half, extended ones the upper: a program asks for 0 and 80000000 by turns. */
static inline u32 vcpuid_slot(u32 leaf, u32 sub)
{
    return (leaf ^ leaf >> 27 ^ sub << 3) % VCPUID_CACHED;
}
static inline u64 vcpuid_key(u32 leaf, u32 sub)
{
    return ~((u64)sub << 32 | leaf);
}

/* As vcpuid(), and remembers. */
void vcpuid_ask(const struct vcpuid_env *env, struct vcpuid_cache *cache, u32 leaf, u32 sub, struct cpuid_regs *out);
/* What is remembered of it, or NULL. */
static inline const struct cpuid_regs *vcpuid_recall(const struct vcpuid_cache *cache, u32 leaf, u32 sub)
{
    const struct vcpuid_entry *e;

    sub = leaf > VCPUID_LAST_SUB ? 0 : sub;
    e = &cache->entries[vcpuid_slot(leaf, sub)];
    return e->key == vcpuid_key(leaf, sub) ? &e->regs : NULL;
}
