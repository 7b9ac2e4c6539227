/* SPDX-License-Identifier: MIT */
/* The handlers of exits. Vendor code has decoded; this file decides. */
#include "hv/exit.h"

#include "arch/x86/cpu/regs.h"
#include "hv/lib/log.h"
#include "hv/partition.h"

typedef enum exit_action exit_fn(struct vcpu *v, struct vm_exit *exit);

const char *const exit_names[VM_EXIT_KINDS] = {
    [VM_EXIT_HOST_IRQ] = "HOST_IRQ", [VM_EXIT_NMI] = "NMI", [VM_EXIT_PREEMPT] = "PREEMPT",
    [VM_EXIT_WINDOW] = "WINDOW", [VM_EXIT_EXCEPTION] = "EXCEPTION", [VM_EXIT_HLT] = "HLT",
    [VM_EXIT_PAUSE] = "PAUSE", [VM_EXIT_CPUID] = "CPUID", [VM_EXIT_MSR] = "MSR", [VM_EXIT_CR] = "CR",
    [VM_EXIT_DR] = "DR", [VM_EXIT_XSETBV] = "XSETBV", [VM_EXIT_PIO] = "PIO", [VM_EXIT_S2_FAULT] = "S2_FAULT",
    [VM_EXIT_HYPERCALL] = "HYPERCALL", [VM_EXIT_INSN] = "INSN", [VM_EXIT_TASK_SWITCH] = "TASK_SWITCH",
    [VM_EXIT_SHUTDOWN] = "SHUTDOWN", [VM_EXIT_ENTRY_FAILED] = "ENTRY_FAILED", [VM_EXIT_OTHER] = "OTHER",
};

enum exit_action exit_fault(struct vcpu *v, u8 vector)
{
    vcpu_inject_exception(v, vector, false, 0);
    return EXIT_RESUME;
}

enum exit_action exit_fault_code(struct vcpu *v, u8 vector, u32 error)
{
    vcpu_inject_exception(v, vector, true, error);
    return EXIT_RESUME;
}

static enum exit_action on_host_irq(struct vcpu *v, struct vm_exit *exit)
{
    (void)exit;
    v->arch.irq_dirty = true; /* an interrupt window that was open too: some emulators forget it over this exit */
    arch_irq_window();
    return EXIT_RESUME;
}

static enum exit_action on_resume(struct vcpu *v, struct vm_exit *exit)
{
    (void)v, (void)exit;
    return EXIT_RESUME;
}

/* No interrupt made the guest leave within a slice's time: take what is pending all the same. */
static enum exit_action on_preempt(struct vcpu *v, struct vm_exit *exit)
{
    (void)exit;
    vcpu_set_backstop(v);
    arch_irq_window();
    return EXIT_RESUME;
}

static enum exit_action on_window(struct vcpu *v, struct vm_exit *exit)
{
    (void)exit;
    v->arch.irq_dirty = true;
    return EXIT_RESUME;
}

static enum exit_action on_hlt(struct vcpu *v, struct vm_exit *exit)
{
    v->arch.wait = WAIT_HLT;
    v->arch.irq_dirty = true;
    (void)exit;
    return EXIT_SKIP;
}

static enum exit_action cpuid_answer(struct x86_gprs *g, const struct cpuid_regs *r)
{
    g->rax = r->eax;
    g->rbx = r->ebx;
    g->rcx = r->ecx;
    g->rdx = r->edx;
    return EXIT_SKIP;
}

static __attribute__((noinline)) enum exit_action cpuid_first(struct vcpu *v, u32 leaf, u32 sub)
{
    struct cpuid_regs r;

    if (leaf == 1) /* the only leaf that shows a bit of CR4 */
        v->cpuid.cr4 = arch_vcpu_reg(&v->arch, X86_CR4);
    vcpuid_ask(&v->cpuid, &v->cpuid_cache, leaf, sub, &r);
    return cpuid_answer(&v->arch.gpr, &r);
}

static enum exit_action on_cpuid(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    const struct cpuid_regs *r = vcpuid_recall(&v->cpuid_cache, (u32)g->rax, (u32)g->rcx);

    (void)exit;
    return r ? cpuid_answer(g, r) : cpuid_first(v, (u32)g->rax, (u32)g->rcx);
}

/* #DB and #AC are intercepted only because a guest could loop on them for ever without an exit: hand them on. */
static enum exit_action on_exception(struct vcpu *v, struct vm_exit *exit)
{
    if (exit->exception.vector == X86_DB) {
        u64 dr6 = arch_vcpu_reg(&v->arch, X86_DR6);

        arch_vcpu_set_reg(&v->arch, X86_DR6, (dr6 & ~0xfull) | exit->exception.info);
        arch_vcpu_set_reg(&v->arch, X86_DR7, arch_vcpu_reg(&v->arch, X86_DR7) & ~DR7_GD); /* as its delivery does */
    }
    vcpu_inject_exception(v, exit->exception.vector, exit->exception.has_error, exit->exception.error);
    return EXIT_RESUME;
}

static enum exit_action on_xsetbv(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 val = (u32)g->rax | g->rdx << 32;

    if (exit->cpl != 0 || (u32)g->rcx != 0 || (val & ~VCPUID_XCR0) || !arch_xcr0_valid(val))
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, X86_XCR0, val);
    return EXIT_SKIP;
}

enum insn_policy { POLICY_UD, POLICY_GP, POLICY_SKIP };

/* CPUID hides MONITOR and every virtualization extension; caches are the host's business. */
static const u8 insn_policy[X86_INSN_KINDS] = {
    [X86_INSN_WBINVD] = POLICY_SKIP, [X86_INSN_INVD] = POLICY_SKIP, [X86_INSN_MONITOR] = POLICY_UD,
    [X86_INSN_MWAIT] = POLICY_UD,    [X86_INSN_RDPMC] = POLICY_GP,  [X86_INSN_RSM] = POLICY_UD,
    [X86_INSN_VIRT] = POLICY_UD,
};

static enum exit_action on_insn(struct vcpu *v, struct vm_exit *exit)
{
    switch (insn_policy[exit->insn.which]) {
    case POLICY_SKIP:
        return exit->cpl == 0 ? EXIT_SKIP : exit_fault_code(v, X86_GP, 0);
    case POLICY_GP:
        return exit_fault_code(v, X86_GP, 0);
    default:
        return exit_fault(v, X86_UD);
    }
}

static enum exit_action on_fail(struct vcpu *v, struct vm_exit *exit)
{
    (void)v, (void)exit;
    return EXIT_FAIL;
}

static exit_fn *const handler[VM_EXIT_KINDS] = {
    [VM_EXIT_HOST_IRQ] = on_host_irq,   [VM_EXIT_NMI] = on_resume,          [VM_EXIT_PREEMPT] = on_preempt,
    [VM_EXIT_WINDOW] = on_window,       [VM_EXIT_EXCEPTION] = on_exception, [VM_EXIT_HLT] = on_hlt,
    [VM_EXIT_PAUSE] = on_resume,        [VM_EXIT_CPUID] = on_cpuid,         [VM_EXIT_MSR] = on_msr,
    [VM_EXIT_CR] = on_cr,               [VM_EXIT_DR] = on_dr,               [VM_EXIT_XSETBV] = on_xsetbv,
    [VM_EXIT_PIO] = on_pio,             [VM_EXIT_S2_FAULT] = on_s2_fault,   [VM_EXIT_HYPERCALL] = on_hypercall,
    [VM_EXIT_INSN] = on_insn,           [VM_EXIT_TASK_SWITCH] = on_task_switch, [VM_EXIT_SHUTDOWN] = on_fail,
    [VM_EXIT_ENTRY_FAILED] = on_fail,   [VM_EXIT_OTHER] = on_fail,
};

enum exit_action exit_handle(struct arch_vcpu *arch, struct vm_exit *exit)
{
    struct vcpu *v = vcpu_of(arch);
    u8 kind = exit->kind;

    arch->kind = kind;
    v->exits[kind]++;
    return handler[kind](v, exit);
}
