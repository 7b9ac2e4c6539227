/* SPDX-License-Identifier: MIT */
/*
 * Past an emulated instruction: what both vendors' skip() share. The short way is inline, since it is on nearly every
 * exit's path; everything rare is out of line in skip.c.
 */
#pragma once

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vm.h"

/* The unprefixed bytes of an instruction, first byte lowest: they match when (code & mask) == value. */
struct skip_encoding { u32 value, mask, len, pad; };
extern const struct skip_encoding skip_by_kind[VM_EXIT_KINDS]; /* those that their kind alone does not tell match nothing */

/*
 * The encoding, and with it the length, by the bytes at RIP in the page that was last seen there, or NULL. The key leaves out what
 * a guest would have to abuse on purpose (CS base, tables changed under one CR3): a stale page with these very bytes misleads only
 * that guest. RIP stays in that page. When the second stage changes, tags_prepare() forgets the page before the next entry.
 */
static inline const struct skip_encoding *skip_cached(const struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3)
{
    const struct skip_encoding *e = &skip_by_kind[exit->kind];
    u64 offset = rip ^ v->fetch.rip; /* of an address in that page; of any other one it is larger */
    u32 bytes;

    if (offset > PAGE_SIZE - sizeof(bytes) || v->fetch.cr3 != cr3)
        return NULL;
    __builtin_memcpy(&bytes, v->fetch.at + offset, sizeof(bytes));
    return (bytes & e->mask) == e->value ? e : NULL;
}

static inline u8 skip_cached_len(const struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3)
{
    const struct skip_encoding *e = skip_cached(v, exit, rip, cr3);

    return e ? (u8)e->len : 0;
}

/* Finds the length the long way, then skips; or injects the fault that the guest would have had before. */
enum pith_status skip_walked(struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3) MUST_CHECK;
#define SKIP_RFLAGS (RFLAGS_TF | RFLAGS_RF) /* that a completed instruction ends or acts upon */
/* Moves RIP and wraps it to the mode, drops RF, raises #DB when a trap flag was set before. */
enum pith_status skip_rest(struct arch_vcpu *v, u64 rip, u8 len, u64 rflags);
