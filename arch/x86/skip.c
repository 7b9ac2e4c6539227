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

static u8 match(const struct vm_exit *exit, u32 code)
{
    const struct encoding *e = &by_kind[exit->kind];

    if (exit->kind == VM_EXIT_INSN)
        e = &by_insn[exit->insn.which];
    return (code & e->mask) == e->value ? e->len : 0;
}

/*
 * Length by the bytes at RIP in the page that was last seen there, or 0. The key leaves out what a
 * guest would have to abuse on purpose (CS base, tables changed under one CR3): a stale page with
 * these very bytes misleads only that guest.
 */
static u8 cached_len(struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3)
{
    u32 offset = (u32)(rip & PAGE_MASK);
    u32 code;

    if ((rip ^ v->fetch.rip) >> PAGE_SHIFT || v->fetch.cr3 != cr3 || v->fetch.epoch != v->vm->s2_epoch ||
        !v->fetch.page || offset > PAGE_SIZE - sizeof(code))
        return 0;
    __builtin_memcpy(&code, (const u8 *)window_get(WINDOW_DATA, v->fetch.page) + offset, sizeof(code));
    return match(exit, code);
}

static void cache_page(struct arch_vcpu *v, u64 rip, u64 cr3)
{
    u64 epoch = v->vm->s2_epoch; /* before the walk: a change during it makes the entry stale, not wrong */
    struct x86_event fault;
    hpa_t hpa;

    v->fetch.page = 0;
    if (vmem_code_linear(v) != rip || !vmem_translate(v, rip, GWALK_FETCH, &hpa, &fault))
        return;
    v->fetch.rip = rip;
    v->fetch.cr3 = cr3;
    v->fetch.epoch = epoch;
    v->fetch.page = ALIGN_DOWN(hpa, PAGE_SIZE);
}

/* 0: it cannot be fetched or decoded; *fault is valid when that is the guest's page fault. */
static u8 fetched_len(struct arch_vcpu *v, struct x86_event *fault)
{
    struct insn insn;
    u8 bytes[15], len;

    if (!arch_vcpu_fetch(v, bytes, &len, fault))
        return 0;
    return insn_decode(bytes, len, vmem_code_mode(v), &insn) ? insn.len : 0;
}

static u8 insn_len(struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, struct x86_event *fault)
{
    u64 cr3 = vm_ops_get()->reg(v, X86_CR3);
    u8 len = cached_len(v, exit, rip, cr3);

    fault->valid = false;
    if (len)
        return len;
    cache_page(v, rip, cr3);
    len = cached_len(v, exit, rip, cr3);
    return len ? len : fetched_len(v, fault);
}

static u64 wrapped(struct arch_vcpu *v, u64 rip)
{
    switch (vmem_code_mode(v)) {
    case INSN_64: return rip;
    case INSN_32: return (u32)rip;
    default:      return (u16)rip;
    }
}

/*
 * What the end of an instruction does besides RIP: RF is dropped, a trap flag set before it raises
 * #DB.
 */
static void end_flags(struct arch_vcpu *v, u64 rflags)
{
    const struct vm_ops *ops = vm_ops_get();

    ops->set_reg(v, X86_RFLAGS, rflags & ~RFLAGS_RF);
    if (rflags & RFLAGS_TF) {
        struct x86_event db = { .vector = X86_DB, .type = X86_EV_EXCEPTION, .valid = true };

        ops->set_reg(v, X86_DR6, ops->reg(v, X86_DR6) | DR6_BS);
        (void)arch_vcpu_inject(v, &db);
    }
}

enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *exit)
{
    const struct vm_ops *ops = vm_ops_get();
    u64 rip, next, rflags;
    struct x86_event fault;
    u8 len = exit->insn_len;

    ASSERT(v->cpu && v->cpu->loaded == v);
    rip = ops->reg(v, X86_RIP);
    if (!len)
        len = insn_len(v, exit, rip, &fault);
    if (!len) {
        /*
         * The code went away after the exit: the guest takes the fault it would have had a moment
         * earlier.
         */
        return fault.valid && arch_vcpu_inject(v, &fault) ? PITH_OK : PITH_E_STATE;
    }

    next = rip + len;
    if ((rip ^ next) >> 16) /* only then can it leave 16 or 32 bits */
        next = wrapped(v, next);
    ops->set_reg(v, X86_RIP, next);
    ops->end_shadow(v);
    rflags = ops->reg(v, X86_RFLAGS);
    if (rflags & (RFLAGS_TF | RFLAGS_RF))
        end_flags(v, rflags);
    return PITH_OK;
}
