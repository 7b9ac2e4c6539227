/* SPDX-License-Identifier: MIT */
/* Past an emulated instruction, with or without the processor's word on its length. */
#include "arch/x86/skip.h"

#include "arch/x86/vm_ops.h"
#include "arch/x86/vmem.h"

#define NOTHING { 1, 0, 0, 0 }

const struct skip_encoding skip_by_kind[VM_EXIT_KINDS] = {
    [VM_EXIT_HOST_IRQ ... VM_EXIT_EXCEPTION] = NOTHING,
    [VM_EXIT_HLT]       = { 0xf4, 0xff, 1, 0 },
    [VM_EXIT_PAUSE]     = { 0x90f3, 0xffff, 2, 0 },
    [VM_EXIT_CPUID]     = { 0xa20f, 0xffff, 2, 0 },
    [VM_EXIT_MSR]       = { 0x300f, 0xfdff, 2, 0 },     /* 0F 30, 0F 32 */
    [VM_EXIT_CR]        = { 0x200f, 0xfcff, 3, 0 },     /* 0F 20-23 /r */
    [VM_EXIT_DR]        = { 0x200f, 0xfcff, 3, 0 },
    [VM_EXIT_XSETBV]    = { 0xd1010f, 0xffffff, 3, 0 },
    [VM_EXIT_PIO ... VM_EXIT_S2_FAULT] = NOTHING,
    [VM_EXIT_HYPERCALL] = { 0xc1010f, 0xe7ffff, 3, 0 }, /* VMCALL 0F 01 C1, VMMCALL 0F 01 D9 */
    [VM_EXIT_INSN ... VM_EXIT_OTHER] = NOTHING,
};

static u64 wrapped(struct arch_vcpu *v, u64 rip)
{
    switch (arch_vcpu_code_mode(v)) {
    case INSN_64: return rip;
    case INSN_32: return (u32)rip;
    default:      return (u16)rip;
    }
}

enum pith_status skip_rest(struct arch_vcpu *v, u64 rip, u8 len, u64 rflags)
{
    const struct vm_ops *ops = vm_ops_get();
    u64 next = rip + len;

    /* Only one that crosses 64 KiB can leave 16 or 32 bits. */
    ops->set_reg(v, X86_RIP, (rip ^ next) >> 16 ? wrapped(v, next) : next);
    if (!(rflags & SKIP_RFLAGS))
        return PITH_OK;
    ops->set_reg(v, X86_RFLAGS, rflags & ~RFLAGS_RF);
    if (rflags & RFLAGS_TF) {
        struct x86_event db = { .vector = X86_DB, .type = X86_EV_EXCEPTION, .valid = true };

        ops->set_reg(v, X86_DR6, ops->reg(v, X86_DR6) | DR6_BS);
        (void)arch_vcpu_inject(v, &db);
    }
    return PITH_OK;
}

/* False: it cannot be fetched any more, and *fault is what the guest gets; *len 0: those bytes are no instruction. */
static bool decoded_len(struct arch_vcpu *v, u8 *len, struct x86_event *fault)
{
    enum insn_mode mode;
    struct insn insn;
    u8 bytes[15], n;

    if (!arch_vcpu_fetch(v, bytes, &n, &mode, fault))
        return false;
    *len = insn_decode(bytes, n, mode, &insn) ? insn.len : 0;
    return true;
}

enum pith_status skip_walked(struct arch_vcpu *v, const struct vm_exit *exit, u64 rip, u64 cr3)
{
    struct vm_exit told = *exit;
    struct x86_event fault;

    told.insn_len = vmem_recall_code(v, rip, cr3) ? skip_cached_len(v, exit, rip, cr3) : 0;
    if (!told.insn_len) {
        vmem_cache_code(v);
        told.insn_len = skip_cached_len(v, exit, rip, cr3);
    }
    if (!told.insn_len && !decoded_len(v, &told.insn_len, &fault)) {
        (void)arch_vcpu_inject(v, &fault);
        return PITH_OK;
    }
    return told.insn_len ? vm_ops_get()->skip(v, &told) : PITH_E_STATE;
}
