/* SPDX-License-Identifier: MIT */
/*
 * What VMX and SVM each provide. Private to arch/x86: only vm.c, s2.c, vmx/ and svm/ include this. No entry is optional.
 * They differ in encoding, never in policy. vm.c asserts residency and composes events before it calls down.
 */
#pragma once

#include "arch/x86/vm.h"

#define VM_IO_BITMAP_PAGES  3 /* VMX uses two of them */
#define VM_MSR_BITMAP_PAGES 2 /* VMX uses one of them */

struct vm_ops {
    enum pith_status (*probe)(struct vm_caps *caps);          /* PITH_E_HW with caps->why; caps->name NULL: not this vendor at all */
    enum pith_status (*cpu_enable)(struct arch_cpu *cpu);
    void (*cpu_disable)(struct arch_cpu *cpu);

    enum pith_status (*vcpu_init)(struct arch_vcpu *v);       /* vm.c has done xsave; memory only */
    /* In place of @before, which it saves; the last thing is fpu_switch(). Or @before is NULL, and vm.c does that. It sets
     * cpu->loaded and v->cpu before. Returns @v, for whoever calls this last. */
    struct arch_vcpu *(*vcpu_load)(struct arch_vcpu *v, struct arch_cpu *cpu, struct arch_vcpu *before);
    void (*vcpu_save)(struct arch_vcpu *v);
    void (*vcpu_release)(struct arch_vcpu *v);                /* after that: the core forgets it */
    void (*vcpu_reset)(struct arch_vcpu *v, bool init_only);
    /* Writes v->interrupted (if valid) as the event of this entry and clears it; enters; decodes; sets v->interrupted when
     * the exit cut a delivery short. Calls tags_prepare() and does the flushes it asks for. Hardware NMIs are consumed here.
     * Then handle(v, exit), and once more, as arch_vcpu_run() says. */
    enum exit_action (*vcpu_run)(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn);

    u64  (*reg)(const struct arch_vcpu *v, enum x86_reg reg);
    u8   (*cr8)(const struct arch_vcpu *v);
    void (*mode)(const struct arch_vcpu *v, struct vm_mode *mode); /* the same of several, on hot paths */
    void (*set_reg)(struct arch_vcpu *v, enum x86_reg reg, u64 val);
    bool (*msr_kept)(u32 msr);
    bool (*set_msr)(struct arch_vcpu *v, u32 msr, u64 val);
    void (*seg)(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out);
    void (*set_seg)(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in);

    bool (*ready)(const struct arch_vcpu *v, enum x86_event_type type); /* EXTINT, NMI: could it be taken now? (IF, shadow, NMI mask) */
    bool (*accept)(struct arch_vcpu *v, u8 vector); /* as arch_vcpu_accept() */
    void (*window)(struct arch_vcpu *v, enum x86_event_type type);      /* exit VM_EXIT_WINDOW as soon as it could */
    void (*tpr_window)(struct arch_vcpu *v, u8 threshold);
    void (*backstop)(struct arch_vcpu *v, u64 ticks);
    void (*show_dr)(struct arch_vcpu *v);                     /* vm.c has loaded DR0-3, and none of them is enabled */
    enum pith_status (*skip)(struct arch_vcpu *v, const struct vm_exit *exit); /* skip.h decides; STI and MOV SS blocking end */

    const char *(*spoilt)(const struct arch_vcpu *v);         /* its CR3 is the hypervisor's: how that came; NULL: it cannot */

    void (*trap_msr)(u8 *bitmap, u32 msr, bool on_read, bool on_write);
    u64  (*s2_leaf)(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type); /* level 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
    u64  (*s2_table)(hpa_t next);                             /* all rights; leaves decide */
};

extern const struct vm_ops vmx_ops;
extern const struct vm_ops svm_ops;
/* Where the processor did not say which register MOV CR or MOV DR uses (known is false): asks the instruction itself. */
void vm_resolve_mov_cr(struct arch_vcpu *v, struct vm_exit *exit);
const struct vm_ops *vm_ops_get(void); /* the one that arch_vm_probe() picked */
