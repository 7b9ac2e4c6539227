/* SPDX-License-Identifier: MIT */
/* Past an emulated instruction, with or without the processor's word on its length. */
#include "arch/x86/cpu/regs.h"
#include "arch/x86/decode.h"
#include "arch/x86/vm_ops.h"
#include "arch/x86/vmem.h"
#include "arch/x86/window.h"
#include "hv/lib/panic.h"

/*
 * The unprefixed bytes of an instruction, first byte lowest: they match when (code & mask) ==
 * value.
 */
struct encoding { u32 value, mask; u8 len; };

static const struct encoding by_kind[VM_EXIT_KINDS] = {
    [VM_EXIT_HLT]       = { 0xf4, 0xff, 1 },
    [VM_EXIT_PAUSE]     = { 0x90f3, 0xffff, 2 },
    [VM_EXIT_CPUID]     = { 0xa20f, 0xffff, 2 },
    [VM_EXIT_MSR]       = { 0x300f, 0xfdff, 2 },     /* 0F 30, 0F 32 */
    [VM_EXIT_CR]        = { 0x200f, 0xfcff, 3 },     /* 0F 20-23 /r */
    [VM_EXIT_DR]        = { 0x200f, 0xfcff, 3 },
    [VM_EXIT_XSETBV]    = { 0xd1010f, 0xffffff, 3 },
    [VM_EXIT_HYPERCALL] = { 0xc1010f, 0xe7ffff, 3 }, /* VMCALL 0F 01 C1, VMMCALL 0F 01 D9 */
};

static const struct encoding by_insn[X86_INSN_KINDS] = {
    [X86_INSN_WBINVD]  = { 0x080f, 0xfeff, 2 },      /* INVD, 0F 08, may be reported as WBINVD */
    [X86_INSN_INVD]    = { 0x080f, 0xfeff, 2 },
    [X86_INSN_MONITOR] = { 0xc8010f, 0xffffff, 3 },
    [X86_INSN_MWAIT]   = { 0xc9010f, 0xffffff, 3 },
    [X86_INSN_RDPMC]   = { 0x330f, 0xffff, 2 },
    [X86_INSN_RSM]     = { 0xaa0f, 0xffff, 2 },
};

static u8 match(const struct vm_exit *exit, u32 bytes)
{
    const struct encoding *e = &by_kind[exit->kind];

    if (exit->kind == VM_EXIT_INSN)
        e = &by_insn[exit->insn.which];
    return (bytes & e->mask) == e->value ? e->len : 0;
}

/*
 * Length by the bytes at RIP in the page that was last seen there, or 0. The key leaves out what a
 * guest would have to abuse on purpose (CS base, tables changed under one CR3): a stale page with
 * these very bytes misleads only that guest.
 */
static inline __attribute__((always_inline)) u8
cached_len(struct arch_vcpu *v, const struct vm_exit *exit, const struct vm_code *at)
{
    u32 offset = (u32)(at->rip & PAGE_MASK);
    u32 bytes;

    /* A page that was never filled in has epoch 0, which no address space has. */
    if ((at->rip ^ v->fetch.rip) >= PAGE_SIZE || v->fetch.cr3 != at->cr3 ||
        v->fetch.epoch != v->vm->s2_epoch || offset > PAGE_SIZE - sizeof(bytes))
        return 0;
    __builtin_memcpy(&bytes, (const u8 *)window_get(WINDOW_DATA, v->fetch.page) + offset,
                     sizeof(bytes));
    return match(exit, bytes);
}

static void cache_page(struct arch_vcpu *v, const struct vm_code *at)
{
    u64 epoch = v->vm->s2_epoch; /* before the walk: a change during it makes the entry stale */
    struct x86_event fault;
    hpa_t hpa;

    v->fetch.epoch = 0;
    if (vmem_code_linear(v) != at->rip || !vmem_translate(v, at->rip, GWALK_FETCH, &hpa, &fault))
        return;
    v->fetch.rip = ALIGN_DOWN(at->rip, PAGE_SIZE);
    v->fetch.cr3 = at->cr3;
    v->fetch.epoch = epoch;
    v->fetch.page = ALIGN_DOWN(hpa, PAGE_SIZE);
}

static __attribute__((noinline)) u64 wrapped(struct arch_vcpu *v, u64 rip)
{
    switch (vmem_code_mode(v)) {
    case INSN_64: return rip;
    case INSN_32: return (u32)rip;
    default:      return (u16)rip;
    }
}

/* What ends besides RIP: RF is dropped, and a trap flag that was set before raises #DB. */
static __attribute__((noinline)) void end_flags(struct arch_vcpu *v, u64 rflags)
{
    const struct vm_ops *ops = vm_ops_get();

    ops->set_reg(v, X86_RFLAGS, rflags & ~RFLAGS_RF);
    if (rflags & RFLAGS_TF) {
        struct x86_event db = { .vector = X86_DB, .type = X86_EV_EXCEPTION, .valid = true };

        ops->set_reg(v, X86_DR6, ops->reg(v, X86_DR6) | DR6_BS);
        (void)arch_vcpu_inject(v, &db);
    }
}

static inline __attribute__((always_inline)) enum pith_status
retire(struct arch_vcpu *v, const struct vm_ops *ops, const struct vm_code *at, u8 len)
{
    u64 next = at->rip + len;

    if ((at->rip ^ next) >> 16) /* only then can it leave 16 or 32 bits */
        next = wrapped(v, next);
    ops->retire(v, next);
    if (at->rflags & (RFLAGS_TF | RFLAGS_RF))
        end_flags(v, at->rflags);
    return PITH_OK;
}

/* The long way, and out of the short one's stack frame. */
static __attribute__((noinline)) enum pith_status
skip_walked(struct arch_vcpu *v, const struct vm_exit *exit, const struct vm_code *at)
{
    struct x86_event fault;
    struct insn insn;
    u8 bytes[15], len;

    cache_page(v, at);
    len = cached_len(v, exit, at);
    if (len)
        return retire(v, vm_ops_get(), at, len);
    if (!arch_vcpu_fetch(v, bytes, &len, &fault)) {
        /* The code went away after the exit: the guest takes the fault it would have had before. */
        (void)arch_vcpu_inject(v, &fault);
        return PITH_OK;
    }
    if (!insn_decode(bytes, len, vmem_code_mode(v), &insn))
        return PITH_E_STATE;
    return retire(v, vm_ops_get(), at, insn.len);
}

enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *exit)
{
    const struct vm_ops *ops = vm_ops_get();
    u8 len = exit->insn_len;
    struct vm_code at;

    ASSERT(v->cpu && v->cpu->loaded == v);
    ops->code(v, &at);
    if (!len)
        len = cached_len(v, exit, &at);
    return len ? retire(v, ops, &at, len) : skip_walked(v, exit, &at);
}
