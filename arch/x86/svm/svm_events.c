/* SPDX-License-Identifier: MIT */
/* Events into a guest: when they can be taken, how to hear of it, and NMI masking without vNMI. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/svm/svm.h"
#include "arch/x86/svm/svm_decode.h"

/*
 * NMI masking in software: from the injection on, IRET is intercepted. Its exit comes before it
 * executes, so the mask holds until RIP has moved on. An IRET that faults unmasks a little early,
 * which the guest's own handlers face on hardware as well (APM 2, "NMI Support": an IRET that
 * faults ends masking too).
 */
static bool nmi_masked(const struct arch_vcpu *v)
{
    const struct vmcb *vmcb = v->hw;

    return v->nmi_masked && !(vmcb->iret_seen && vmcb->rip != vmcb->iret_rip);
}

bool svm_ready(const struct arch_vcpu *v, enum x86_event_type type)
{
    const struct vmcb *vmcb = v->hw;

    if (vmcb->int_state & INTERRUPT_SHADOW)
        return false;
    return type == X86_EV_NMI ? !nmi_masked(v) : (vmcb->rflags & RFLAGS_IF) != 0;
}

bool svm_accept(struct arch_vcpu *v, u8 vector)
{
    struct vmcb *vmcb = v->hw;

    if ((vmcb->int_state & INTERRUPT_SHADOW) || !(vmcb->rflags & RFLAGS_IF) || vector >> 4 <= (u8)(vmcb->int_ctl & V_TPR_MASK))
        return false;
    vmcb->event_inj = vector | EVENT_V; /* svm_left() takes it out again */
    return true;
}

/* Also while a virtual interrupt is pending: QEMU 7.2 aborts when a guest writes CR8 then. */
static void update_cr8_intercept(struct vmcb *vmcb)
{
    if (vmcb->tpr_window || (vmcb->int_ctl & V_IRQ))
        vmcb->intercept_cr |= (u32)INTERCEPT_WRITE_CR8;
    else
        vmcb->intercept_cr &= ~(u32)INTERCEPT_WRITE_CR8;
}

/*
 * A virtual interrupt that is intercepted before it is delivered: the exit comes when IF=1 and no
 * shadow. V_IGN_TPR, because QEMU compares priority and TPR with >= where hardware has >. There is
 * no window for an NMI with IF=0: it is then offered again at the next exit, at the latest the end
 * of the slice; a masked one hears of it by the IRET exit.
 */
void svm_window(struct arch_vcpu *v, enum x86_event_type type)
{
    struct vmcb *vmcb = v->hw;

    if (type == X86_EV_NMI && nmi_masked(v) && !vmcb->iret_seen)
        return;
    vmcb->int_ctl |= V_IRQ | V_INTR_PRIO_MAX | V_IGN_TPR;
    vmcb->intercept_misc1 |= (u32)INTERCEPT_VINTR;
    update_cr8_intercept(vmcb);
}

void svm_tpr_window(struct arch_vcpu *v, u8 threshold)
{
    struct vmcb *vmcb = v->hw;

    vmcb->tpr_window = threshold;
    update_cr8_intercept(vmcb);
}

void svm_put_event(struct arch_vcpu *v)
{
    struct x86_event *ev = &v->interrupted;
    struct vmcb *vmcb = v->hw;

    ev->valid = false;
    /*
     * INT n, INT3 and INTO cut short: RIP is still at the instruction, which executes again. To inject it would need the RIP
     * after it, which processors without nRIP do not tell ("Software interrupts cannot be properly injected").
     */
    if (ev->type >= X86_EV_SOFT_INT)
        return;
    vmcb->event_inj = svm_event_encode(ev, !(vmcb->cr0 & CR0_PE));
    if (ev->type == X86_EV_EXCEPTION && ev->vector == X86_PF) {
        vmcb->cr2 = ev->cr2;
        write_cr2(ev->cr2); /* see svm_vcpu_load() */
    } else if (ev->type == X86_EV_NMI) {
        v->nmi_masked = true;
        vmcb->iret_seen = 0;
        vmcb->intercept_misc1 |= (u32)INTERCEPT_IRET;
    }
}

void svm_window_seen(struct arch_vcpu *v)
{
    struct vmcb *vmcb = v->hw;

    if (vmcb->exit_code == SVM_EXIT_VINTR) {
        vmcb->int_ctl &= ~(V_IRQ | V_INTR_PRIO_MAX | V_IGN_TPR);
        vmcb->intercept_misc1 &= ~(u32)INTERCEPT_VINTR;
        update_cr8_intercept(vmcb);
    } else {
        vmcb->iret_rip = vmcb->rip;
        vmcb->iret_seen = 1;
        vmcb->intercept_misc1 &= ~(u32)INTERCEPT_IRET;
    }
}
