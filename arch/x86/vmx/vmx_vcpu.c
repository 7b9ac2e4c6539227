/* SPDX-License-Identifier: MIT */
/* Life of a virtual processor on VT-x: its VMCS, what the host needs in it, its state after reset. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/fpu.h"
#include "arch/x86/host.h"
#include "arch/x86/host_desc.h"
#include "arch/x86/vmx/vmx.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"

static enum pith_status vmx_vcpu_init(struct arch_vcpu *v)
{
    v->hw_hpa = frames_alloc(v->vm->frames, VMX_FRAMES, 1);
    if (!v->hw_hpa)
        return PITH_E_MEM;

    v->hw = phys_to_virt(v->hw_hpa);
    memset(v->hw, 0, VMX_FRAMES * PAGE_SIZE);
    *(u32 *)v->hw = vmx_hw.revision;
    v->vapic = (u8 *)v->hw + PAGE_SIZE;
    return PITH_OK;
}

static void vmclear(hpa_t vmcs)
{
    bool bad;

    __asm__ volatile("vmclear %1" : "=@ccbe"(bad) : "m"(vmcs) : "memory");
    ASSERT(!bad);
}

static inline void vmptrld(const hpa_t *vmcs)
{
    bool bad;

    __asm__ volatile("vmptrld %1" : "=@ccbe"(bad) : "m"(*vmcs) : "memory");
    ASSERT(!bad);
}

/*
 * It counts at the TSC's rate divided by 2^shift while the guest runs; 0 exits before the first instruction. Exits save it where
 * the processor can, so it comes for a guest that exits all the time too, only later.
 */
static void vmx_backstop(struct arch_vcpu *v, u64 ticks)
{
    (void)v;
    if (vmx_hw.timer)
        vmwrite(VMCS_PREEMPTION_TIMER, MIN(ticks >> vmx_hw.timer_shift, 0xffffffffull));
}

/* What never changes in the life of a VMCS. Fields that are not written here or in reset are not used by these controls. */
static void write_controls(struct arch_vcpu *v)
{
    struct vmx_state *s = vmx_state(v);
    const struct { u64 field, val; } init[] = {
        { VMCS_PIN_CONTROLS, vmx_hw.control[VMX_PIN] },
        { VMCS_PROC_CONTROLS, vmx_hw.control[VMX_PROC] },
        { VMCS_SECONDARY_CONTROLS, vmx_hw.control[VMX_SECONDARY] },
        { VMCS_EXIT_CONTROLS, vmx_hw.control[VMX_EXIT] },
        { VMCS_ENTRY_CONTROLS, vmx_hw.control[VMX_ENTRY] },
        { VMCS_EXCEPTION_BITMAP, BIT(X86_DB) | BIT(X86_AC) | BIT(X86_MC) },
        { VMCS_PF_ERROR_MASK, 0 },
        { VMCS_PF_ERROR_MATCH, 0 },
        { VMCS_CR3_TARGET_COUNT, 0 },
        { VMCS_EXIT_MSR_STORE_COUNT, 0 },
        { VMCS_EXIT_MSR_LOAD_COUNT, 0 },
        { VMCS_ENTRY_MSR_LOAD_COUNT, 0 },
        { VMCS_IO_BITMAP_A, virt_to_phys(v->vm->io_bitmap) },
        { VMCS_IO_BITMAP_B, virt_to_phys(v->vm->io_bitmap) + PAGE_SIZE },
        { VMCS_MSR_BITMAP, virt_to_phys(v->vm->msr_bitmap) },
        { VMCS_EPTP, vmx_eptp(v) },
        { VMCS_LINK_POINTER, ~0ull },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(init); i++)
        vmwrite(init[i].field, init[i].val);
    if (vmx_hw.tpr_shadow) {
        vmwrite(VMCS_VIRTUAL_APIC, virt_to_phys(v->vapic));
        vmwrite(VMCS_TPR_THRESHOLD, 0);
    }
    vmx_backstop(v, ~0ull);
    s->pin = vmx_hw.control[VMX_PIN];
    s->proc = vmx_hw.control[VMX_PROC];
    s->vpid = 0; /* no vCPU's tag: the first entry writes it */
    vmx_init_masks(v);
}

/* Tables and stacks are per core; the rest is the same everywhere, but cheap beside the move to another core. */
static void write_host(void)
{
    struct host_desc d;

    arch_host_desc(&d);
    const struct { u64 field, val; } host[] = {
        { VMCS_HOST_CR0, read_cr0() }, { VMCS_HOST_CR3, read_cr3() }, { VMCS_HOST_CR4, read_cr4() },
        { VMCS_HOST_CS, d.cs }, { VMCS_HOST_SS, d.ds }, { VMCS_HOST_DS, d.ds }, { VMCS_HOST_ES, d.ds },
        { VMCS_HOST_FS, 0 }, { VMCS_HOST_GS, 0 }, { VMCS_HOST_TR, d.tr },
        { VMCS_HOST_FS_BASE, rdmsr(MSR_FS_BASE) }, { VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE) },
        { VMCS_HOST_TR_BASE, d.tss_base }, { VMCS_HOST_GDTR_BASE, d.gdt_base }, { VMCS_HOST_IDTR_BASE, d.idt_base },
        { VMCS_HOST_SYSENTER_CS, 0 }, { VMCS_HOST_SYSENTER_ESP, 0 }, { VMCS_HOST_SYSENTER_EIP, 0 },
        { VMCS_HOST_PAT, rdmsr(MSR_PAT) }, { VMCS_HOST_EFER, rdmsr(MSR_EFER) },
        { VMCS_HOST_RIP, (u64)vmx_exit_point },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(host); i++)
        vmwrite(host[i].field, host[i].val);
}

/* The guest reads these without an exit, and the hypervisor has no use for them: switched only here. */
static u64 *kept_msr(struct arch_vcpu *v, u32 msr)
{
    switch (msr) {
    case MSR_STAR: return &v->star;
    case MSR_LSTAR: return &v->lstar;
    case MSR_CSTAR: return &v->cstar;
    case MSR_FMASK: return &v->fmask;
    case MSR_TSC_AUX: return &v->tsc_aux;
    default: return NULL;
    }
}

static bool vmx_msr_kept(u32 msr)
{
    static struct arch_vcpu any;

    return kept_msr(&any, msr);
}

static bool vmx_set_msr(struct arch_vcpu *v, u32 msr, u64 val)
{
    u64 *kept = kept_msr(v, msr);

    if (!kept || (msr == MSR_TSC_AUX && !vmx_hw.tsc_aux))
        return false;
    *kept = val;
    wrmsr(msr, val);
    return true;
}

static __attribute__((noinline)) void load_msrs(struct arch_vcpu *v)
{
    wrmsr(MSR_STAR, v->star);
    wrmsr(MSR_LSTAR, v->lstar);
    wrmsr(MSR_CSTAR, v->cstar);
    wrmsr(MSR_FMASK, v->fmask);
    if (vmx_hw.tsc_aux)
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    v->cpu->msrs = v->msrs;
}

/* SWAPGS writes one without asking anybody. */
static inline void save_registers(struct arch_vcpu *v)
{
    v->cr2 = read_cr2();
    v->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

static void vmx_vcpu_save(struct arch_vcpu *v)
{
    if (vmx_state(v)->dr_shown)
        vmx_hide_dr(v);
    save_registers(v);
}

/* The hypervisor has no page faults: CR2 stays there until the unload. */
static inline void load_registers(const struct arch_vcpu *v, const struct arch_vcpu *before)
{
    if (!before || before->kernel_gs_base != v->kernel_gs_base)
        wrmsr(MSR_KERNEL_GS_BASE, v->kernel_gs_base);
    write_cr2(v->cr2);
}

static __attribute__((noinline)) struct arch_vcpu *load_with_care(struct arch_vcpu *v, struct arch_cpu *cpu, struct arch_vcpu *before)
{
    struct vmx_state *s = vmx_state(v);

    if (before)
        vmx_vcpu_save(before);

    if (v->fresh)
        vmclear(v->hw_hpa); /* makes a VMCS of what was a page of zeros */
    vmptrld(&v->hw_hpa);
    if (s->host != cpu) {
        ASSERT(!v->launched);
        s->host = cpu;
        s->host_rsp = 0;
        write_host();
    }
    if (v->fresh)
        write_controls(v); /* vm.c resets it next */
    if (v->msrs || cpu->msrs)
        load_msrs(v);
    load_registers(v, before);
    return before ? fpu_switch(before, v) : v;
}

/* Nearly always it was here before, and neither has anything unusual. */
static struct arch_vcpu *vmx_vcpu_load(struct arch_vcpu *v, struct arch_cpu *cpu, struct arch_vcpu *before)
{
    if (!before || vmx_state(v)->host != cpu || vmx_state(before)->dr_shown || v->fresh || v->msrs || cpu->msrs)
        return load_with_care(v, cpu, before);
    save_registers(before);
    vmptrld(&v->hw_hpa);
    load_registers(v, before);
    return fpu_switch(before, v);
}

/* Until here its VMCS stayed active on this core, and launched, whichever was current. */
static void vmx_vcpu_release(struct arch_vcpu *v)
{
    vmclear(v->hw_hpa);
    v->launched = false;
}

static void reset_segments(struct arch_vcpu *v)
{
    const struct x86_segment data = { .limit = 0xffff, .attr = 0x93 };
    const struct x86_segment code = { .base = 0xffff0000, .selector = 0xf000, .limit = 0xffff, .attr = 0x9b };
    const struct x86_segment ldt = { .limit = 0xffff, .attr = 0x82 }, tss = { .limit = 0xffff, .attr = 0x8b };

    for (enum x86_seg seg = X86_ES; seg <= X86_GS; seg++)
        vmx_set_seg(v, seg, seg == X86_CS ? &code : &data);
    vmx_set_seg(v, X86_LDTR, &ldt);
    vmx_set_seg(v, X86_TR, &tss);
    vmx_set_seg(v, X86_GDTR, &data);
    vmx_set_seg(v, X86_IDTR, &data);
}

/* MSRs that INIT leaves alone. The TSC keeps running: where a machine's clock starts is for its owner to say (X86_TSC_OFFSET). */
static void reset_msrs(struct arch_vcpu *v)
{
    v->star = v->lstar = v->cstar = v->fmask = v->kernel_gs_base = v->tsc_aux = 0;
    v->msrs = false;
    load_msrs(v);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    vmwrite(VMCS_GUEST_PAT, PAT_RESET);
    vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
    vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
    vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
    vmwrite(VMCS_TSC_OFFSET, 0);
}

/* SDM 3, Processor State After Reset; vm.c has done what is not in the VMCS. */
static void vmx_vcpu_reset(struct arch_vcpu *v, bool init_only)
{
    u64 cache_bits = init_only ? v->cr0_shadow & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

    if (!init_only)
        reset_msrs(v);
    vmx_state(v)->dr_shown = false; /* its control is on again, below */
    vmwrite(VMCS_ENTRY_INTR_INFO, 0);
    vmwrite(VMCS_GUEST_EFER, 0);
    vmx_set_reg(v, X86_CR0, cache_bits | CR0_ET);
    vmx_set_reg(v, X86_CR3, 0);
    vmx_set_reg(v, X86_CR4, 0);
    vmx_set_reg(v, X86_CR8, 0);
    vmx_set_reg(v, X86_DR7, DR7_RESET);
    vmx_set_reg(v, X86_RIP, 0xfff0);
    vmx_set_reg(v, X86_RSP, 0);
    vmx_set_reg(v, X86_RFLAGS, RFLAGS_FIXED);
    reset_segments(v);
    vmwrite(VMCS_GUEST_DEBUGCTL, 0);
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    vmx_set_controls(v, vmx_hw.control[VMX_PIN], vmx_hw.control[VMX_PROC]);
    vmx_tpr_window(v, 0);
}

const struct vm_ops vmx_ops = {
    .probe = vmx_probe,
    .cpu_enable = vmx_cpu_enable,
    .cpu_disable = vmx_cpu_disable,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_load = vmx_vcpu_load,
    .vcpu_save = vmx_vcpu_save,
    .vcpu_release = vmx_vcpu_release,
    .vcpu_reset = vmx_vcpu_reset,
    .vcpu_run = vmx_vcpu_run,
    .reg = vmx_reg,
    .cr8 = vmx_cr8,
    .mode = vmx_mode,
    .msr_kept = vmx_msr_kept,
    .set_msr = vmx_set_msr,
    .set_reg = vmx_set_reg,
    .seg = vmx_seg,
    .set_seg = vmx_set_seg,
    .ready = vmx_ready,
    .accept = vmx_accept,
    .window = vmx_window,
    .tpr_window = vmx_tpr_window,
    .backstop = vmx_backstop,
    .show_dr = vmx_show_dr,
    .skip = vmx_skip,
    .trap_msr = vmx_trap_msr,
    .s2_leaf = vmx_s2_leaf,
    .s2_table = vmx_s2_table,
};
