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
extern const struct skip_encoding skip_by_kind[VM_EXIT_KINDS]; /* len 0: not by its kind alone */

/*
 * Length by the bytes at RIP in the page that was last seen there, or 0. The key leaves out what a guest would have to abuse
 * on purpose (CS base, tables changed under one CR3): a stale page with these very bytes misleads only that guest.
 */
static inline u8 skip_cached_len(const struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3)
{
    const struct skip_encoding *e = &skip_by_kind[exit->kind];
    u64 offset = rip ^ v->fetch.rip; /* of an address in that page; of any other one it is larger */
    u32 bytes;

    /* A page that was never filled in has epoch 0, which no address space has. */
    if (offset > PAGE_SIZE - sizeof(bytes) || v->fetch.cr3 != cr3 || v->fetch.epoch != v->vm->s2_epoch)
        return 0;
    __builtin_memcpy(&bytes, v->fetch.at + offset, sizeof(bytes));
    return (bytes & e->mask) == e->value ? (u8)e->len : 0;
}

/* Finds the length the long way, then skips; or injects the fault that the guest would have had before. */
enum pith_status skip_walked(struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3) MUST_CHECK;
/* Has skip_rest() anything to do after RIP was moved? Only one that crosses 64 KiB can leave 16 or 32 bits. */
static inline bool skip_has_rest(u64 rip, u64 next, u64 rflags)
{
    return (rip ^ next) >> 16 || (rflags & (RFLAGS_TF | RFLAGS_RF));
}
/* Wraps RIP to the mode, drops RF, raises #DB when a trap flag was set before. */
enum pith_status skip_rest(struct arch_vcpu *v, u64 next, u64 rflags);
