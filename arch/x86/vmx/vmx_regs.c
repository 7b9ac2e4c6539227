/* SPDX-License-Identifier: MIT */
/*
 * Registers and segments of the resident vCPU. In CR0 and CR4 the guest owns the bits outside the guest/host masks: they are read
 * from the hardware field; masked bits are what the guest last wrote, in the read shadow.
 */
#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/vmx/vmx.h"

#define VAPIC_TPR 0x80 /* SDM 3, Virtualized APIC Registers */

/* What a guest may change in CR4 with no harm to anybody else: all of it is switched with the guest. */
#define CR4_GUEST_OWNED (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | \
                         CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_NXE)

/* The others are not plain VMCS fields; vm.c keeps XCR0. */
static const u16 plain[X86_REGS] = {
    [X86_RIP] = VMCS_GUEST_RIP, [X86_RSP] = VMCS_GUEST_RSP, [X86_RFLAGS] = VMCS_GUEST_RFLAGS,
    [X86_CR3] = VMCS_GUEST_CR3, [X86_EFER] = VMCS_GUEST_EFER, [X86_PAT] = VMCS_GUEST_PAT,
    [X86_TSC_OFFSET] = VMCS_TSC_OFFSET, [X86_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
    [X86_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP, [X86_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
};

/* Hardware keeps the caches on and #MC enabled whatever the guest says. */
static u64 cr0_mask(void)
{
    return CR0_CD | CR0_NW | vmx_hw.cr0_must;
}

/* Bits that the processor lacks stay unmasked: then its own #GP meets a guest that sets them. */
static u64 cr4_mask(void)
{
    return (vmx_hw.cr4_can & ~CR4_GUEST_OWNED) | vmx_hw.cr4_must;
}

void vmx_init_masks(struct arch_vcpu *v)
{
    (void)v;
    vmwrite(VMCS_CR0_MASK, cr0_mask());
    vmwrite(VMCS_CR4_MASK, cr4_mask());
}

void vmx_set_controls(struct arch_vcpu *v, u32 pin, u32 proc)
{
    struct vmx_state *s = vmx_state(v);

    if (s->pin != pin)
        vmwrite(VMCS_PIN_CONTROLS, pin);
    if (s->proc != proc)
        vmwrite(VMCS_PROC_CONTROLS, proc);
    s->pin = pin;
    s->proc = proc;
}

/*
 * One control is for reads and writes of debug registers alike: from here on the guest may arm what it likes. VM exits disarm
 * everything (SDM 3, "Loading Host Control Registers, Debug Registers, MSRs"), so that nothing fires in the hypervisor.
 */
void vmx_show_dr(struct arch_vcpu *v)
{
    struct vmx_state *s = vmx_state(v);

    write_dr6(v->dr6);
    vmx_set_controls(v, s->pin, s->proc & ~(u32)PROC_MOV_DR_EXITING);
    s->dr_shown = true;
}

void vmx_hide_dr(struct arch_vcpu *v)
{
    struct vmx_state *s = vmx_state(v);

    v->dr[0] = read_dr0();
    v->dr[1] = read_dr1();
    v->dr[2] = read_dr2();
    v->dr[3] = read_dr3();
    v->dr6 = read_dr6();
    s->dr_shown = false;
    vmx_set_reg(v, X86_DR7, vmread(VMCS_GUEST_DR7));
    vmx_set_controls(v, s->pin, s->proc | (u32)PROC_MOV_DR_EXITING);
}

static u64 guest_cr0(const struct arch_vcpu *v)
{
    return (vmread(VMCS_GUEST_CR0) & ~cr0_mask()) | (v->cr0_shadow & cr0_mask());
}

static u64 guest_cr4(void)
{
    return (vmread(VMCS_GUEST_CR4) & ~cr4_mask()) | (vmread(VMCS_CR4_SHADOW) & cr4_mask());
}

void vmx_mode(const struct arch_vcpu *v, struct vm_mode *mode)
{
    mode->rip = vmread(VMCS_GUEST_RIP);
    mode->cr0 = guest_cr0(v);
    mode->cr3 = vmread(VMCS_GUEST_CR3);
    mode->cr4 = guest_cr4();
    mode->efer = vmread(VMCS_GUEST_EFER);
    mode->rflags = vmread(VMCS_GUEST_RFLAGS);
    mode->cs_attr = (u32)vmread(VMCS_GUEST_RIGHTS + 2 * X86_CS);
    mode->cpl = vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3; /* SS.DPL is the CPL in every mode */
}

u8 vmx_cr8(const struct arch_vcpu *v)
{
    return (u8)(*(const u32 *)((const u8 *)v->vapic + VAPIC_TPR) >> 4);
}

u64 vmx_reg(const struct arch_vcpu *v, enum x86_reg reg)
{
    switch (reg) {
    case X86_CR0:
        return guest_cr0(v);
    case X86_CR4:
        return guest_cr4();
    case X86_CR8:
        return vmx_cr8(v);
    case X86_DR6:
        return vmx_state(v)->dr_shown ? read_dr6() : v->dr6;
    case X86_CR2:
        return read_cr2();
    case X86_DR7:
        return vmx_state(v)->dr_shown ? vmread(VMCS_GUEST_DR7) : v->dr7;
    default:
        return vmread(plain[reg]);
    }
}

/* EFER.LMA follows from LME and PG; the entry control must say the same (the processor keeps both itself while it runs). */
static void update_lma(void)
{
    u64 efer = vmread(VMCS_GUEST_EFER) & ~EFER_LMA, entry = vmread(VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E_GUEST;

    if ((efer & EFER_LME) && (vmread(VMCS_GUEST_CR0) & CR0_PG)) {
        efer |= EFER_LMA;
        entry |= ENTRY_IA32E_GUEST;
    }
    vmwrite(VMCS_GUEST_EFER, efer);
    vmwrite(VMCS_ENTRY_CONTROLS, entry);
}

/* With EPT, VM entry loads the PDPTEs of PAE paging from the VMCS: SDM 3, Loading Guest Page-Directory-Pointer-Table Entries. */
static void update_pdptes(const struct arch_vcpu *v)
{
    u64 pdpte[4] = { 0 };

    if (!(vmread(VMCS_GUEST_CR0) & CR0_PG) || !(vmread(VMCS_GUEST_CR4) & CR4_PAE) || (vmread(VMCS_GUEST_EFER) & EFER_LMA))
        return;

    if (arch_vm_read(v->vm, vmread(VMCS_GUEST_CR3) & 0xffffffe0, pdpte, sizeof(pdpte)) != PITH_OK)
        pdpte[0] = 0; /* no table there: nothing is present, and the guest gets its page fault */
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i] & 1 ? pdpte[i] : 0);
}

static void set_cr0(struct arch_vcpu *v, u64 val)
{
    v->cr0_shadow = val;
    vmwrite(VMCS_CR0_SHADOW, val);
    vmwrite(VMCS_GUEST_CR0, (val & ~(CR0_CD | CR0_NW)) | vmx_hw.cr0_must);
}

static void set_cr4(u64 val)
{
    vmwrite(VMCS_CR4_SHADOW, val);
    vmwrite(VMCS_GUEST_CR4, (val & vmx_hw.cr4_can) | vmx_hw.cr4_must | CR4_MCE);
}

/* Control registers decide what translations mean, so those of before are flushed, as MOV to CR would have done. */
static void set_paging(struct arch_vcpu *v, enum x86_reg reg, u64 val)
{
    if (reg == X86_CR0)
        set_cr0(v, val);
    else if (reg == X86_CR3)
        vmwrite(VMCS_GUEST_CR3, val);
    else if (reg == X86_CR4)
        set_cr4(val);
    else
        vmwrite(VMCS_GUEST_EFER, val & EFER_GUEST);
    update_lma();
    if (reg != X86_EFER)
        update_pdptes(v);
    vmx_state(v)->flush_linear = true;
    v->plain_epoch = 0;
}

/* What DR7 arms gets to the hardware at entry: that depends on the breakpoint addresses. */
void vmx_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val)
{
    switch (reg) {
    case X86_CR0:
    case X86_CR3:
    case X86_CR4:
    case X86_EFER:
        set_paging(v, reg, val);
        return;
    case X86_CR8:
        *(u32 *)((u8 *)v->vapic + VAPIC_TPR) = (u32)(val & 15) << 4;
        vmx_tpr_update(v);
        return;
    case X86_DR6:
        v->dr6 = val;
        if (vmx_state(v)->dr_shown)
            write_dr6(val);
        return;
    case X86_CR2:
        write_cr2(val);
        return;
    case X86_DR7:
        v->plain_epoch = 0;
        v->dr7 = val;
        vmwrite(VMCS_GUEST_DR7, vmx_state(v)->dr_shown ? val : val & ~DR7_ENABLES);
        return;
    default:
        vmwrite(plain[reg], val);
    }
}

/* The VMCS has GDTR and IDTR in line behind TR, without selector and rights. */
void vmx_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out)
{
    (void)v;
    *out = (struct x86_segment){ .base = vmread(VMCS_GUEST_BASE + 2 * (u64)seg),
                                 .limit = (u32)vmread(VMCS_GUEST_LIMIT + 2 * (u64)seg) };
    if (seg >= X86_GDTR)
        return;

    out->selector = (u16)vmread(VMCS_GUEST_SELECTOR + 2 * (u64)seg);
    out->attr = (u32)vmread(VMCS_GUEST_RIGHTS + 2 * (u64)seg);
}

void vmx_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in)
{
    (void)v;
    vmwrite(VMCS_GUEST_BASE + 2 * (u64)seg, in->base);
    vmwrite(VMCS_GUEST_LIMIT + 2 * (u64)seg, in->limit);
    if (seg >= X86_GDTR)
        return;

    vmwrite(VMCS_GUEST_SELECTOR + 2 * (u64)seg, in->selector);
    vmwrite(VMCS_GUEST_RIGHTS + 2 * (u64)seg, in->attr);
}
