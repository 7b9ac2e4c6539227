/* SPDX-License-Identifier: MIT */
/* One run of a guest: enter, leave, read the fields that the exit reason has a use for, decode. */
#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/gprs.h"
#include "arch/x86/host.h"
#include "arch/x86/tags.h"
#include "arch/x86/vmx/vmx.h"
#include "arch/x86/vmx/vmx_decode.h"

#define SS_DPL 0x60u /* in the access rights: the CPL, in every mode */

/* What is still to be looked at before the next entry keeps that from being a plain one. */
void vmx_prepare(struct arch_vcpu *v)
{
    struct vmx_state *s = vmx_state(v);
    bool armed = !s->dr_shown && (v->dr7 & DR7_ENABLES);

    if (!tags_current(v->cpu, v) || s->flush_linear)
        vmx_tlb_update(v, tags_prepare(v->cpu, v, VMX_NR_VPIDS));
    if (v->interrupted.valid)
        vmx_write_event(v);
    if (s->tpr_wanted)
        vmx_tpr_update(v);
    if (armed) /* DR6 is not loaded: every #DB is an exit that leaves it alone, and MOV DR exits */
        vmwrite(VMCS_GUEST_DR7, breakpoints_load(v));
    v->plain_epoch = s->tpr_wanted || armed ? 0 : v->seen_s2_epoch;
}

static void read_vectoring(struct vmx_raw *raw)
{
    raw->vectoring = (u32)vmread(VMCS_VECTORING_INFO);
    if (!(raw->vectoring & INTR_VALID))
        return;

    raw->vectoring_error = (u32)vmread(VMCS_VECTORING_ERROR);
    raw->len = (u32)vmread(VMCS_EXIT_INSN_LEN);
}

/* Few tests on the way of ports and hypercalls. */
static void read_more(struct vmx_raw *raw, unsigned needs)
{
    raw->vectoring = 0;
    raw->io_info = vmx_hw.io_info;
    if (needs & VMX_NEED_QUAL) {
        raw->qual = vmread(VMCS_EXIT_QUALIFICATION);
        if ((needs & VMX_NEED_INFO) && (raw->qual & IOQ_STRING)) /* else it says nothing */
            raw->info = (u32)vmread(VMCS_EXIT_INSN_INFO);
    }
    if (needs & VMX_NEED_CPL)
        raw->ss_rights = (u32)vmread(VMCS_GUEST_SS_RIGHTS);
    if (needs & VMX_NEED_CR0)
        raw->cr0 = vmread(VMCS_GUEST_CR0);
    if (!(needs & (VMX_NEED_GPA | VMX_NEED_INTR | VMX_NEED_VECTORING)))
        return;

    if (needs & VMX_NEED_GPA)
        raw->gpa = vmread(VMCS_GUEST_PHYSICAL);
    if (needs & VMX_NEED_INTR) {
        raw->intr = (u32)vmread(VMCS_EXIT_INTR_INFO);
        raw->intr_error = (u32)vmread(VMCS_EXIT_INTR_ERROR);
    }
    if (needs & VMX_NEED_VECTORING)
        read_vectoring(raw);
}

/*
 * What the exit leaves to be put right. An NMI exit blocks NMIs until the next IRET: INT 2 runs the host's handler, which
 * ends in one. A machine check gets the host's handler likewise; it reports and does not come back.
 */
static void settle_exception(struct arch_vcpu *v, const struct vmx_raw *raw, const struct vm_exit *exit)
{
    if (exit->kind == VM_EXIT_NMI)
        __asm__ volatile("int $2" : : : "memory");
    else if ((u8)raw->intr == X86_MC)
        __asm__ volatile("int $18" : : : "memory");
    if (vmx_is_int1(raw)) /* its handler returns past it */
        vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSN_LEN));
    if ((u8)raw->intr == X86_DB)
        vmx_end_shadow(v); /* the trap came after it; an entry with TF would find shadow without pending single step */
}

static __attribute__((noinline)) void settle(struct arch_vcpu *v, const struct vmx_raw *raw, const struct vm_exit *exit)
{
    struct vmx_state *s = vmx_state(v);

    v->plain_epoch = 0;
    switch (raw->reason & 0xffff) {
    case VMX_EXCEPTION_OR_NMI:
        settle_exception(v, raw, exit);
        break;
    case VMX_ENTRY_MACHINE_CHECK:
        __asm__ volatile("int $18" : : : "memory");
        break;
    case VMX_TASK_SWITCH:
        vmx_end_shadow(v);
        if (exit->task.by == TASK_IRET) /* it has not unblocked them, as one that returns itself does */
            vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI);
        break;
    case VMX_INTR_WINDOW:
        vmx_set_controls(v, s->pin, s->proc & ~(u32)PROC_INTR_WINDOW);
        break;
    case VMX_NMI_WINDOW:
        vmx_set_controls(v, s->pin, s->proc & ~(u32)PROC_NMI_WINDOW);
        break;
    default:
        break;
    }
    if (vmx_decode_vectoring(raw, &v->interrupted)) {
        v->interrupted.cr2 = read_cr2();
        v->look = true;
    }
    if (vmx_nmi_unblocked(raw))
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
}

/* VMLAUNCH or VMRESUME itself failed: no exit took place. */
void vmx_refused(struct arch_vcpu *v, struct vm_exit *exit, unsigned how)
{
    u64 number = how == 2 ? vmread(VMCS_INSTRUCTION_ERROR) : 0;

    v->launched = false;
    v->left_at = (u32)rdtsc();
    *exit = (struct vm_exit){ .kind = VM_EXIT_ENTRY_FAILED, .hw_reason = (u32)number };
    exit->failed.what = how == 2 ? vmx_instruction_error(number) : "VMfailInvalid: no current VMCS";
    exit->failed.detail = number;
}

static __attribute__((noinline)) void decode(struct arch_vcpu *v, struct vm_exit *exit, u32 reason)
{
    struct vmx_raw raw; /* fields without a need stay unset: the decoder looks at none of them */
    const struct vmx_reason_info *r;

    raw.reason = reason;
    raw.rcx = (u32)v->gpr.rcx;
    r = vmx_reason_info(raw.reason);
    if (r->needs & VMX_NEED_LEN)
        raw.len = (u32)vmread(VMCS_EXIT_INSN_LEN);
    if (r->needs & ~(unsigned)VMX_NEED_LEN)
        read_more(&raw, r->needs);
    vmx_decode(r, &raw, exit);
    if (exit->kind == VM_EXIT_ENTRY_FAILED)
        v->launched = false; /* the launch state is clear unless an entry came through */
    if (r->needs & VMX_NEED_CARE)
        settle(v, &raw, exit);
}

/* Hypercalls first: their time is what two partitions talk at. */
void vmx_left(struct arch_vcpu *v, struct vm_exit *exit)
{
    u32 reason = (u32)vmread(VMCS_EXIT_REASON);

    if (reason == VMX_VMCALL && !(vmread(VMCS_GUEST_SS_RIGHTS) & SS_DPL) && (vmread(VMCS_GUEST_CR0) & CR0_PE))
        vm_exit_hypercall(exit, reason);
    else
        decode(v, exit, reason);
}

_Static_assert(offsetof(struct vmx_state, host_rsp) == 0, "vmx_enter.S");
