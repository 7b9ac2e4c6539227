/* SPDX-License-Identifier: MIT */
/* Interrupts and exceptions on their way in: SDM 3, VM Entries, Event Injection; Interruptibility State. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/skip.h"
#include "arch/x86/vmx/vmx.h"

#define SHADOW (BLOCKING_STI | BLOCKING_MOV_SS)

void vmx_end_shadow(struct arch_vcpu *v)
{
    u64 state = vmread(VMCS_GUEST_INTERRUPTIBILITY);

    (void)v;
    if (state & SHADOW)
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, state & ~SHADOW);
}

/* The processor tells every length but that of a memory access, which who emulates it has decoded. The short way is vmx_enter.S's. */
enum pith_status vmx_skip(struct arch_vcpu *v, const struct vm_exit *exit)
{
    u64 rip = vmread(VMCS_GUEST_RIP);

    if (!exit->insn_len)
        return skip_walked(v, exit, rip, vmread(VMCS_GUEST_CR3));
    vmx_end_shadow(v);
    return skip_rest(v, rip, exit->insn_len, vmread(VMCS_GUEST_RFLAGS));
}

/* An NMI waits for the end of an STI shadow too: some processors refuse an entry that injects it there. */
bool vmx_ready(const struct arch_vcpu *v, enum x86_event_type type)
{
    u64 state = vmread(VMCS_GUEST_INTERRUPTIBILITY);

    (void)v;
    if (type == X86_EV_NMI)
        return !(state & (SHADOW | BLOCKING_NMI));
    return !(state & SHADOW) && (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
}

bool vmx_accept(struct arch_vcpu *v, u8 vector)
{
    if (!vmx_ready(v, X86_EV_EXTINT) || vector >> 4 <= vmx_cr8(v))
        return false;
    vmwrite(VMCS_ENTRY_INTR_INFO, vector | INTR_VALID);
    return true;
}

/*
 * The processor may open an NMI window inside an STI shadow, where vmx_ready() says no: that would repeat for ever. After STI the
 * interrupt window comes one instruction later, and is the one to wait for.
 */
void vmx_window(struct arch_vcpu *v, enum x86_event_type type)
{
    struct vmx_state *s = vmx_state(v);
    bool nmi = type == X86_EV_NMI && !(vmread(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_STI);

    vmx_set_controls(v, s->pin, s->proc | (u32)(nmi ? PROC_NMI_WINDOW : PROC_INTR_WINDOW));
}

/*
 * An entry whose threshold is above the TPR fails: SDM 3, VM-Execution Control Fields. So the field never is; a guest that is
 * below the wanted threshold already can be given its interrupt without a window.
 */
void vmx_tpr_update(struct arch_vcpu *v)
{
    struct vmx_state *s = vmx_state(v);
    u8 threshold = (u8)MIN(s->tpr_wanted, vmx_cr8(v));

    if (!vmx_hw.tpr_shadow || threshold == s->tpr_threshold)
        return;

    s->tpr_threshold = threshold;
    vmwrite(VMCS_TPR_THRESHOLD, threshold);
}

/* Without TPR shadow every access to CR8 exits anyway. */
void vmx_tpr_window(struct arch_vcpu *v, u8 threshold)
{
    vmx_state(v)->tpr_wanted = threshold;
    v->plain_epoch = 0;
    vmx_tpr_update(v);
}

/* The processor clears the valid bit at the next exit. In real mode no exception pushes an error code. */
void vmx_write_event(struct arch_vcpu *v)
{
    struct x86_event *ev = &v->interrupted;
    u64 info = ev->vector | (u64)ev->type << 8 | INTR_VALID;

    ev->valid = false;
    if (ev->has_error && (vmread(VMCS_GUEST_CR0) & CR0_PE)) {
        info |= INTR_ERROR_CODE;
        vmwrite(VMCS_ENTRY_ERROR_CODE, ev->error & 0x7fff);
    }
    if (ev->type >= X86_EV_SOFT_INT)
        vmwrite(VMCS_ENTRY_INSN_LEN, ev->insn_len);
    if (ev->type == X86_EV_EXCEPTION && ev->vector == X86_PF)
        write_cr2(ev->cr2);
    if (ev->type == X86_EV_NMI) /* its first delivery, cut short, had blocked NMIs already; the entry checks that none are */
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI);
    vmwrite(VMCS_ENTRY_INTR_INFO, info);
}
