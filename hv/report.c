/* SPDX-License-Identifier: MIT */
/* Crash reports of guests. */
#include "hv/report.h"

#include "hv/exit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"
#include "hv/partition.h"

/* A line of the log, and while @v reports why it failed, of what PART_REPORT tells. As an error: whatever log = says, somebody waits. */
static void tell(struct vcpu *v, const char *fmt, ...) PRINTF(2, 3);
static void tell(struct vcpu *v, const char *fmt, ...)
{
    struct partition *p = v->part;
    u32 len = p->report_len;
    char line[224];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = fmt_vstr(line, sizeof(line), fmt, ap);
    va_end(ap);
    log_error("%s: %s", p->name, line);
    if (__atomic_load_n(&p->reporter, __ATOMIC_RELAXED) != v || n + 1 > sizeof(p->report) - len)
        return;
    line[n] = '\n';
    memcpy(p->report + len, line, n + 1);
    __atomic_store_n(&p->report_len, len + (u32)n + 1, __ATOMIC_RELEASE); /* to hc_part_report(): with its text */
}

static const char *reason(const struct vcpu *v, const struct vm_exit *exit)
{
    const char *spoilt = arch_vcpu_spoilt(&v->arch);

    if (spoilt || v->why)
        return spoilt ? spoilt : v->why;
    switch (exit->kind) {
    case VM_EXIT_SHUTDOWN:
        return "triple fault";
    case VM_EXIT_ENTRY_FAILED:
        return exit->failed.what ? exit->failed.what : "the processor refused the guest's state";
    default:
        return "nothing handles this exit";
    }
}

void report_vcpu(struct vcpu *v, const struct vm_exit *exit)
{
    struct vcpu *none = NULL;
    struct x86_segment cs;

    __atomic_compare_exchange_n(&v->part->reporter, &none, v, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED); /* one at a time is kept */
    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    tell(v, "vCPU %u failed: %s", v->index, reason(v, exit));
    tell(v, "  exit %s, hardware reason %x, cs:rip %x:%lx", exit_names[exit->kind], exit->hw_reason,
         cs.selector, arch_vcpu_reg(&v->arch, X86_RIP));
    if (exit->kind == VM_EXIT_S2_FAULT)
        tell(v, "  guest-physical %lx, %s", exit->s2.gpa, exit->s2.write ? "write" : "read");
    report_registers(v);
    if (!none)
        __atomic_store_n(&v->part->reporter, NULL, __ATOMIC_RELEASE);
}

static void segments(struct vcpu *v)
{
    static const char *const names[X86_SEGS] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr" };
    struct x86_segment s[2];

    for (enum x86_seg i = 0; i < X86_SEGS; i += 2) {
        arch_vcpu_seg(&v->arch, i, &s[0]);
        arch_vcpu_seg(&v->arch, i + 1, &s[1]);
        tell(v, "  %s %x base %lx limit %x attr %x, %s %x base %lx limit %x attr %x", names[i],
             s[0].selector, s[0].base, s[0].limit, s[0].attr, names[i + 1], s[1].selector, s[1].base, s[1].limit, s[1].attr);
    }
}

static void pending(struct vcpu *v)
{
    static const char *const waits[] = { "none", "HLT", "WAIT", "SIPI", "turn" };
    const struct x86_event *ev = &v->arch.interrupted;

    tell(v, "  waits for %s, delivery %s%x error %x, highest interrupt %d, NMI %u, asked for %lx%s", waits[v->arch.wait],
         ev->valid ? "of vector " : "none ", ev->valid ? ev->vector : 0, ev->valid ? ev->error : 0,
         vlapic_highest_irr(&v->lapic), v->nmi_pending, __atomic_load_n(&v->inbox.pending, __ATOMIC_RELAXED), v->paused ? ", paused" : "");
}

void report_registers(struct vcpu *v)
{
    const struct x86_gprs *g = &v->arch.gpr;

    tell(v, "vCPU %u: rip %lx rsp %lx rflags %lx", v->index, arch_vcpu_reg(&v->arch, X86_RIP),
         arch_vcpu_reg(&v->arch, X86_RSP), arch_vcpu_reg(&v->arch, X86_RFLAGS));
    tell(v, "  rax %lx rbx %lx rcx %lx rdx %lx", g->rax, g->rbx, g->rcx, g->rdx);
    tell(v, "  rsi %lx rdi %lx rbp %lx", g->rsi, g->rdi, g->rbp);
    tell(v, "  r8 %lx r9 %lx r10 %lx r11 %lx", g->r8, g->r9, g->r10, g->r11);
    tell(v, "  r12 %lx r13 %lx r14 %lx r15 %lx", g->r12, g->r13, g->r14, g->r15);
    tell(v, "  cr0 %lx cr2 %lx cr3 %lx cr4 %lx cr8 %lx efer %lx", arch_vcpu_reg(&v->arch, X86_CR0),
         arch_vcpu_reg(&v->arch, X86_CR2),
         arch_vcpu_reg(&v->arch, X86_CR3), arch_vcpu_reg(&v->arch, X86_CR4), arch_vcpu_reg(&v->arch, X86_CR8),
         arch_vcpu_reg(&v->arch, X86_EFER));
    segments(v);
    pending(v);
}
