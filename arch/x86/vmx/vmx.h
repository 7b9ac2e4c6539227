/* SPDX-License-Identifier: MIT */
/* What the files of this room share: the processor's abilities, a vCPU's software state, VMREAD and VMWRITE. */
#pragma once

#include "arch/x86/vm_ops.h"
#include "arch/x86/vmx/vmcs.h"

/* Control words as every VMCS starts with them, in the order of the table in vmx_probe.c. */
enum vmx_control { VMX_PIN, VMX_PROC, VMX_SECONDARY, VMX_EXIT, VMX_ENTRY, VMX_CONTROLS };

struct vmx_hw {                  /* read once, on the boot core; other cores must suit it */
    u32 control[VMX_CONTROLS];
    u64 allowed[VMX_CONTROLS];   /* the capability MSRs: bits that must be 1, bits that may be 1 */
    u32 revision;
    u64 ept_vpid;                /* IA32_VMX_EPT_VPID_CAP */
    u64 cr0_must, cr4_must;      /* bits that are 1 in VMX operation; PE and PG are free (unrestricted guest) */
    u64 cr4_can;
    u8 timer_shift;              /* of the preemption timer against the TSC */
    bool timer, tpr_shadow, io_info, tsc_aux;
};
extern struct vmx_hw vmx_hw;

/* Lives in the frame after the virtual-APIC page. Caches of VMCS fields save VMREADs and VMWRITEs. */
struct vmx_state {
    u64 host_rsp;                /* as last written, by vmx_enter.S too */
    struct arch_cpu *host;       /* the core whose state the VMCS holds as the host's */
    u32 pin, proc, vpid;
    u8 tpr_wanted, tpr_threshold;
    bool dr_shown;               /* DR0-3, DR6 and DR7 are in the processor and the VMCS, MOV DR does not exit */
    bool flush_linear;           /* a control register was changed for the guest in a way that invalidates its TLB */
};

#define VMX_NR_VPIDS 65536
#define VMX_FRAMES 3             /* of a vCPU: VMCS, virtual-APIC page, struct vmx_state */

static inline struct vmx_state *vmx_state(const struct arch_vcpu *v)
{
    return (struct vmx_state *)((u8 *)v->hw + 2 * PAGE_SIZE);
}

static inline u64 vmx_eptp(const struct arch_vcpu *v)
{
    return v->vm->s2_root | EPTP_WALK4 | EPTP_WB;
}

NORETURN void vmx_field_failed(const char *insn, u64 field);

static inline u64 vmread(u64 field)
{
    u64 val;

    __asm__ goto("vmread %1, %0; jbe %l[failed]" : "=r"(val) : "r"(field) : "cc" : failed);
    return val;
failed:
    vmx_field_failed("VMREAD", field);
}

static inline void vmwrite(u64 field, u64 val)
{
    __asm__ goto("vmwrite %0, %1; jbe %l[failed]" : : "r"(val), "r"(field) : "cc" : failed);
    return;
failed:
    vmx_field_failed("VMWRITE", field);
}

/* vmx_probe.c */
enum pith_status vmx_probe(struct vm_caps *caps) MUST_CHECK;
enum pith_status vmx_cpu_enable(struct arch_cpu *cpu) MUST_CHECK;
void vmx_cpu_disable(struct arch_cpu *cpu);

/* vmx_enter.S, and what it calls: before an entry that is not plain, after one that failed (1: VMfailInvalid, 2: VMfailValid),
 * after an exit. */
enum exit_action vmx_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn);
extern const u8 vmx_exit_point[];
void vmx_prepare(struct arch_vcpu *v);
void vmx_refused(struct arch_vcpu *v, struct vm_exit *exit, unsigned how);
void vmx_left(struct arch_vcpu *v, struct vm_exit *exit);

/* vmx_regs.c */
void vmx_set_controls(struct arch_vcpu *v, u32 pin, u32 proc);
u64  vmx_reg(const struct arch_vcpu *v, enum x86_reg reg);
u8   vmx_cr8(const struct arch_vcpu *v);
void vmx_mode(const struct arch_vcpu *v, struct vm_mode *mode);
void vmx_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val);
void vmx_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out);
void vmx_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in);
void vmx_init_masks(struct arch_vcpu *v);
void vmx_show_dr(struct arch_vcpu *v);
void vmx_hide_dr(struct arch_vcpu *v); /* takes them back */

/* vmx_events.c */
bool vmx_ready(const struct arch_vcpu *v, enum x86_event_type type);
bool vmx_accept(struct arch_vcpu *v, u8 vector);
void vmx_window(struct arch_vcpu *v, enum x86_event_type type);
void vmx_tpr_window(struct arch_vcpu *v, u8 threshold);
void vmx_tpr_update(struct arch_vcpu *v);
void vmx_end_shadow(struct arch_vcpu *v);
enum pith_status vmx_skip(struct arch_vcpu *v, const struct vm_exit *exit) MUST_CHECK;
void vmx_write_event(struct arch_vcpu *v);

/* vmx_tlb.c */
void vmx_tlb_update(struct arch_vcpu *v, unsigned flush); /* enum tags_flush */

/* vmx_encode.c: pure */
void vmx_trap_msr(u8 *bitmap, u32 msr, bool on_read, bool on_write);
u64 vmx_s2_leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type);
u64 vmx_s2_table(hpa_t next);
/* Can a core that has @mine run what was set up for a core that has @first? */
bool vmx_suits(const struct vmx_hw *first, const struct vmx_hw *mine);
