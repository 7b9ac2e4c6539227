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
    struct x86_segment cs;

    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    log_error("%s: vCPU %u failed: %s", name, v->index, reason(v, exit));
    log_error("%s:   exit %s, hardware reason %x, cs:rip %x:%lx", name, exit_names[exit->kind], exit->hw_reason,
              cs.selector, arch_vcpu_reg(&v->arch, X86_RIP));
    if (exit->kind == VM_EXIT_S2_FAULT)
        log_error("%s:   guest-physical %lx, %s", name, exit->s2.gpa, exit->s2.write ? "write" : "read");
    report_registers(v);
}

static void segments(struct vcpu *v)
{
    static const char *const names[X86_SEGS] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr" };
    struct x86_segment s[2];

    for (enum x86_seg i = 0; i < X86_SEGS; i += 2) {
        arch_vcpu_seg(&v->arch, i, &s[0]);
        arch_vcpu_seg(&v->arch, i + 1, &s[1]);
        log_error("%s:   %s %x base %lx limit %x attr %x, %s %x base %lx limit %x attr %x", v->part->name, names[i],
                  s[0].selector, s[0].base, s[0].limit, s[0].attr, names[i + 1], s[1].selector, s[1].base, s[1].limit, s[1].attr);
    }
}

static void pending(const struct vcpu *v)
{
    static const char *const waits[] = { "none", "HLT", "WAIT", "SIPI" };
    const struct x86_event *ev = &v->arch.interrupted;

    log_error("%s:   waits for %s, delivery %s%x, highest interrupt %d, NMI %u, asked for %lx%s", v->part->name, waits[v->arch.wait],
              ev->valid ? "of vector " : "none ", ev->valid ? ev->vector : 0, vlapic_highest_irr(&v->lapic), v->nmi_pending,
              __atomic_load_n(&v->inbox.pending, __ATOMIC_RELAXED), v->paused ? ", paused" : "");
}

/* As errors: whatever log = says, somebody waits for them. */
void report_registers(struct vcpu *v)
{
    const char *name = v->part->name;
    const struct x86_gprs *g = &v->arch.gpr;

    log_error("%s: vCPU %u: rip %lx rsp %lx rflags %lx", name, v->index, arch_vcpu_reg(&v->arch, X86_RIP),
              arch_vcpu_reg(&v->arch, X86_RSP), arch_vcpu_reg(&v->arch, X86_RFLAGS));
    log_error("%s:   rax %lx rbx %lx rcx %lx rdx %lx", name, g->rax, g->rbx, g->rcx, g->rdx);
    log_error("%s:   rsi %lx rdi %lx rbp %lx", name, g->rsi, g->rdi, g->rbp);
    log_error("%s:   r8 %lx r9 %lx r10 %lx r11 %lx", name, g->r8, g->r9, g->r10, g->r11);
    log_error("%s:   r12 %lx r13 %lx r14 %lx r15 %lx", name, g->r12, g->r13, g->r14, g->r15);
    log_error("%s:   cr0 %lx cr2 %lx cr3 %lx cr4 %lx cr8 %lx efer %lx", name, arch_vcpu_reg(&v->arch, X86_CR0),
              arch_vcpu_reg(&v->arch, X86_CR2),
              arch_vcpu_reg(&v->arch, X86_CR3), arch_vcpu_reg(&v->arch, X86_CR4), arch_vcpu_reg(&v->arch, X86_CR8),
              arch_vcpu_reg(&v->arch, X86_EFER));
    segments(v);
    pending(v);
}
