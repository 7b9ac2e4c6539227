/* SPDX-License-Identifier: MIT */
/* What this processor's VT-x can do, and turning it on: SDM 3, VMX Capability Reporting Facility; Enabling and Entering VMX Operation. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/vmx/vmx.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"

struct vmx_hw vmx_hw;

#define PROC_MUST (PROC_HLT_EXITING | PROC_MWAIT_EXITING | PROC_RDPMC_EXITING | PROC_MOV_DR_EXITING | \
                   PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_MONITOR_EXITING | PROC_TSC_OFFSETTING | PROC_SECONDARY)

/* must: there or no VT-x for us. later: possible, but switched at run time. never: must be possible to leave off. */
static const struct { u32 msr, must, want, later, never; } controls[VMX_CONTROLS] = {
    [VMX_PIN] = { MSR_VMX_TRUE_PIN, PIN_EXTINT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, PIN_PREEMPTION_TIMER, 0, 0 },
    [VMX_PROC] = { MSR_VMX_TRUE_PROC, PROC_MUST, PROC_TPR_SHADOW, PROC_INTR_WINDOW | PROC_NMI_WINDOW,
                   PROC_CR3_LOAD | PROC_CR3_STORE | PROC_INVLPG_EXITING },
    [VMX_SECONDARY] = { MSR_VMX_SECONDARY, SEC_EPT | SEC_VPID | SEC_UNRESTRICTED | SEC_WBINVD_EXITING,
                        SEC_RDTSCP | SEC_INVPCID, 0, 0 },
    [VMX_EXIT] = { MSR_VMX_TRUE_EXIT, EXIT_HOST_64 | EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
                                      EXIT_SAVE_DEBUG, EXIT_SAVE_TIMER, 0, 0 },
    [VMX_ENTRY] = { MSR_VMX_TRUE_ENTRY, ENTRY_LOAD_EFER | ENTRY_LOAD_PAT | ENTRY_LOAD_DEBUG, 0, ENTRY_IA32E_GUEST, 0 },
};

/* Low half of a capability MSR: bits that must be 1; high half: bits that may be 1. */
static bool read_controls(struct vmx_hw *hw)
{
    for (unsigned i = 0; i < VMX_CONTROLS; i++) {
        u64 cap = rdmsr(controls[i].msr);
        u32 must = (u32)cap, can = (u32)(cap >> 32);

        if ((controls[i].must | controls[i].later) & ~can || controls[i].never & must)
            return false;
        hw->allowed[i] = cap;
        hw->control[i] = ((controls[i].must | controls[i].want) & can) | must;
    }
    hw->tpr_shadow = hw->control[VMX_PROC] & PROC_TPR_SHADOW;
    if (!hw->tpr_shadow)
        hw->control[VMX_PROC] |= (u32)(PROC_CR8_LOAD | PROC_CR8_STORE);
    hw->timer = hw->control[VMX_PIN] & PIN_PREEMPTION_TIMER;
    if (!hw->timer) /* SDM 3, "Checks on VMX Controls": neither goes without it */
        hw->control[VMX_EXIT] &= ~(u32)EXIT_SAVE_TIMER;
    return true;
}

static bool read_ept(struct vmx_hw *hw)
{
    hw->ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
    return (hw->ept_vpid & EPT_CAP_WALK4) && (hw->ept_vpid & EPT_CAP_WB) && (hw->ept_vpid & EPT_CAP_INVEPT) &&
           (hw->ept_vpid & EPT_CAP_INVEPT_ALL) && (hw->ept_vpid & EPT_CAP_INVVPID) &&
           (hw->ept_vpid & EPT_CAP_INVVPID_ALL);
}

static bool has_tsc_aux(void)
{
    u32 a, b, c, d;

    cpuid(0x80000001, 0, &a, &b, &c, &d);
    return d & BIT(27); /* RDTSCP */
}

/* NULL, or what is missing. Every field of *hw is set. */
static const char *read_hw(struct vmx_hw *hw)
{
    u64 basic = rdmsr(MSR_VMX_BASIC), misc = rdmsr(MSR_VMX_MISC);

    memset(hw, 0, sizeof(*hw));
    if (!(basic & VMX_BASIC_TRUE_CONTROLS))
        return "this processor's VT-x is too old - no setting helps";
    if (!read_controls(hw) || !read_ept(hw))
        return "this processor's VT-x lacks a control that Pith needs (VPID, EPT, unrestricted guest, EFER or PAT switching)"
               " - no setting helps; under another hypervisor: give the machine a newer CPU model";

    hw->revision = (u32)basic & 0x7fffffff;
    hw->io_info = basic & VMX_BASIC_INS_OUTS_INFO;
    hw->timer_shift = misc & 31;
    hw->tsc_aux = has_tsc_aux();
    hw->cr0_must = rdmsr(MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG);
    hw->cr4_must = rdmsr(MSR_VMX_CR4_FIXED0);
    hw->cr4_can = rdmsr(MSR_VMX_CR4_FIXED1);
    return NULL;
}

/* Whether the processor says that changing a page's size while it is executed is safe. A hypervisor below us may not know. */
static bool itlb_safe(void)
{
    u32 a, b, c, d, max;

    cpuid(1, 0, &a, &b, &c, &d);
    if (c & BIT(31))
        return false;
    cpuid(0, 0, &max, &b, &c, &d);
    if (max < 7)
        return false;
    cpuid(7, 0, &a, &b, &c, &d);
    return (d & BIT(29)) && (rdmsr(MSR_ARCH_CAPS) & ARCH_CAPS_PSCHANGE_MC_NO);
}

static bool locked_off(void)
{
    u64 control = rdmsr(MSR_FEATURE_CONTROL);

    return (control & FEATURE_CONTROL_LOCK) && !(control & FEATURE_CONTROL_VMX);
}

enum pith_status vmx_probe(struct vm_caps *caps)
{
    u32 a, b, c, d;

    memset(caps, 0, sizeof(*caps));
    cpuid(1, 0, &a, &b, &c, &d);
    if (!(c & BIT(5)) || locked_off()) /* on the boot core the loader has said so */
        return PITH_E_HW;
    caps->name = "VT-x";
    caps->why = read_hw(&vmx_hw);
    if (caps->why)
        return PITH_E_HW;

    caps->page_2m = vmx_hw.ept_vpid & EPT_CAP_2M;
    caps->page_1g = vmx_hw.ept_vpid & EPT_CAP_1G;
    caps->itlb_safe = itlb_safe();
    caps->nr_tags = VMX_NR_VPIDS;
    return PITH_OK;
}

static bool vmxon(hpa_t region)
{
    bool bad;

    __asm__ volatile("vmxon %1" : "=@ccbe"(bad) : "m"(region) : "memory");
    return !bad;
}

enum pith_status vmx_cpu_enable(struct arch_cpu *cpu)
{
    u64 control = rdmsr(MSR_FEATURE_CONTROL);
    struct vmx_hw mine;

    if (locked_off() || read_hw(&mine) || !vmx_suits(&vmx_hw, &mine))
        return PITH_E_HW;
    cpu->area = frames_alloc(cpu->frames, 1, 1);
    if (!cpu->area)
        return PITH_E_MEM;

    memset(phys_to_virt(cpu->area), 0, PAGE_SIZE);
    *(u32 *)phys_to_virt(cpu->area) = vmx_hw.revision;
    if (!(control & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
    write_cr0(read_cr0() | vmx_hw.cr0_must);
    write_cr4(read_cr4() | vmx_hw.cr4_must | CR4_VMXE);
    if (vmxon(cpu->area))
        return PITH_OK;

    write_cr4(read_cr4() & ~CR4_VMXE);
    frames_free(cpu->frames, cpu->area, 1);
    cpu->area = 0;
    return PITH_E_HW;
}

void vmx_cpu_disable(struct arch_cpu *cpu)
{
    __asm__ volatile("vmxoff" : : : "cc", "memory");
    write_cr4(read_cr4() & ~CR4_VMXE);
    frames_free(cpu->frames, cpu->area, 1);
    cpu->area = 0;
}

void vmx_field_failed(const char *insn, u64 field)
{
    panic("%s of VMCS field %lx failed", insn, (unsigned long)field);
}
