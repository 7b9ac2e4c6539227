/* SPDX-License-Identifier: MIT */
/* Crash reports of guests. */
#include "hv/report.h"

#include "hv/exit.h"
#include "hv/lib/log.h"
#include "hv/partition.h"

static const char *reason(const struct vcpu *v, const struct vm_exit *exit)
{
    if (v->why)
        return v->why;
    switch (exit->kind) {
    case VM_EXIT_SHUTDOWN:
        return "triple fault";
    case VM_EXIT_ENTRY_FAILED:
        return exit->failed.what ? exit->failed.what : "the processor refused the guest's state";
    case VM_EXIT_TASK_SWITCH:
        return "hardware task switches are not emulated";
    default:
        return "nothing handles this exit";
    }
}

void report_vcpu(struct vcpu *v, const struct vm_exit *exit)
{
    const char *name = v->part->name;
    const struct x86_gprs *g = &v->arch.gpr;
    struct x86_segment cs;

    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    log_error("%s: vCPU %u failed: %s", name, v->index, reason(v, exit));
    log_error("%s:   exit %s, hardware reason %x, cs:rip %x:%lx", name, exit_names[exit->kind], exit->hw_reason,
              cs.selector, arch_vcpu_reg(&v->arch, X86_RIP));
    if (exit->kind == VM_EXIT_S2_FAULT)
        log_error("%s:   guest-physical %lx, %s", name, exit->s2.gpa, exit->s2.write ? "write" : "read");
    log_error("%s:   rax %lx rbx %lx rcx %lx rdx %lx", name, g->rax, g->rbx, g->rcx, g->rdx);
    log_error("%s:   rsi %lx rdi %lx rbp %lx rsp %lx", name, g->rsi, g->rdi, g->rbp, arch_vcpu_reg(&v->arch, X86_RSP));
    log_error("%s:   cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx rflags %lx", name, arch_vcpu_reg(&v->arch, X86_CR0),
              v->arch.cr2, arch_vcpu_reg(&v->arch, X86_CR3), arch_vcpu_reg(&v->arch, X86_CR4),
              arch_vcpu_reg(&v->arch, X86_EFER), arch_vcpu_reg(&v->arch, X86_RFLAGS));
}
