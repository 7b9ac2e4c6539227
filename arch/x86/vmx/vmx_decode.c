/* SPDX-License-Identifier: MIT */
/* Meaning of VM exits: SDM 3, VM-Exit Information Fields; Exit Qualification tables. */
#include "arch/x86/vmx/vmx_decode.h"

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "hv/lib/types.h"

enum { LEN = VMX_NEED_LEN, QUAL = VMX_NEED_QUAL, INFO = VMX_NEED_INFO, GPA = VMX_NEED_GPA, INTR = VMX_NEED_INTR,
       IDTV = VMX_NEED_VECTORING | VMX_NEED_CARE, CPL = VMX_NEED_CPL, CARE = VMX_NEED_CARE };

/* What is not here, the controls do not let happen: VM_EXIT_OTHER. VMX, SMX: never skipped, so their length is of no use. */
static const struct { u8 listed, kind, which, needs; } reasons[VMX_REASONS] = {
    [VMX_EXCEPTION_OR_NMI]    = { 1, VM_EXIT_EXCEPTION, 0, INTR | QUAL | IDTV },
    [VMX_EXTINT]              = { 1, VM_EXIT_HOST_IRQ, 0, 0 },
    [VMX_TRIPLE_FAULT]        = { 1, VM_EXIT_SHUTDOWN, 0, 0 },
    [VMX_INIT]                = { 1, VM_EXIT_NMI, 0, 0 }, /* not the guest's doing: as an NMI, it only ends the run */
    [VMX_INTR_WINDOW]         = { 1, VM_EXIT_WINDOW, 0, CARE },
    [VMX_NMI_WINDOW]          = { 1, VM_EXIT_WINDOW, 0, CARE },
    [VMX_TASK_SWITCH]         = { 1, VM_EXIT_TASK_SWITCH, 0, QUAL | IDTV },
    [VMX_CPUID]               = { 1, VM_EXIT_CPUID, 0, LEN },
    [VMX_GETSEC]              = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_HLT]                 = { 1, VM_EXIT_HLT, 0, LEN },
    [VMX_INVD]                = { 1, VM_EXIT_INSN, X86_INSN_INVD, LEN | CPL },
    [VMX_RDPMC]               = { 1, VM_EXIT_INSN, X86_INSN_RDPMC, LEN | CPL },
    [VMX_RSM]                 = { 1, VM_EXIT_INSN, X86_INSN_RSM, LEN | CPL },
    [VMX_VMCALL]              = { 1, VM_EXIT_HYPERCALL, 0, LEN | CPL },
    [VMX_VMCLEAR]             = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMLAUNCH]            = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMPTRLD]             = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMPTRST]             = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMREAD]              = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMRESUME]            = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMWRITE]             = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMXOFF]              = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_VMXON]               = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_CR_ACCESS]           = { 1, VM_EXIT_CR, 0, LEN | QUAL },
    [VMX_MOV_DR]              = { 1, VM_EXIT_DR, 0, LEN | QUAL },
    [VMX_IO]                  = { 1, VM_EXIT_PIO, 0, LEN | QUAL | INFO | CPL },
    [VMX_RDMSR]               = { 1, VM_EXIT_MSR, 0, LEN },
    [VMX_WRMSR]               = { 1, VM_EXIT_MSR, 1, LEN },
    [VMX_INVALID_GUEST]       = { 1, VM_EXIT_ENTRY_FAILED, 0, QUAL },
    [VMX_MSR_LOADING]         = { 1, VM_EXIT_ENTRY_FAILED, 0, QUAL },
    [VMX_MWAIT]               = { 1, VM_EXIT_INSN, X86_INSN_MWAIT, LEN | CPL },
    [VMX_MONITOR]             = { 1, VM_EXIT_INSN, X86_INSN_MONITOR, LEN | CPL },
    [VMX_PAUSE]               = { 1, VM_EXIT_PAUSE, 0, LEN },
    [VMX_ENTRY_MACHINE_CHECK] = { 1, VM_EXIT_ENTRY_FAILED, 0, CARE },
    [VMX_TPR_BELOW]           = { 1, VM_EXIT_WINDOW, 0, 0 },
    [VMX_EPT_VIOLATION]       = { 1, VM_EXIT_S2_FAULT, 0, QUAL | GPA | IDTV | CPL },
    [VMX_EPT_MISCONFIG]       = { 1, VM_EXIT_OTHER, 0, GPA },
    [VMX_INVEPT]              = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_PREEMPTION]          = { 1, VM_EXIT_PREEMPT, 0, 0 },
    [VMX_INVVPID]             = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
    [VMX_WBINVD]              = { 1, VM_EXIT_INSN, X86_INSN_WBINVD, LEN | CPL },
    [VMX_XSETBV]              = { 1, VM_EXIT_XSETBV, 0, LEN | CPL },
    [VMX_VMFUNC]              = { 1, VM_EXIT_INSN, X86_INSN_VIRT, CPL },
};

unsigned vmx_needs(u32 reason)
{
    u32 basic = reason & 0xffff;

    return basic < VMX_REASONS && reasons[basic].listed ? reasons[basic].needs : (unsigned)QUAL;
}

static void decode_exception(const struct vmx_raw *raw, struct vm_exit *exit)
{
    u8 vector = (u8)raw->intr;

    if ((raw->intr >> 8 & 7) == X86_EV_NMI) {
        exit->kind = VM_EXIT_NMI;
        return;
    }
    if (vector == X86_MC) {
        exit->kind = VM_EXIT_OTHER;
        exit->failed.what = "machine check while the guest ran";
        exit->failed.detail = 0;
        return;
    }
    exit->exception.vector = vector;
    exit->exception.has_error = raw->intr & INTR_ERROR_CODE;
    exit->exception.error = exit->exception.has_error ? raw->intr_error : 0;
    exit->exception.info = raw->qual;
}

/*
 * Only MOV comes here. CLTS changes TS and LMSW changes PE, MP, EM and TS; both exit only where such a bit is in the CR0
 * guest/host mask, and none is.
 */
static void decode_cr(const struct vmx_raw *raw, struct vm_exit *exit)
{
    u64 access = raw->qual >> 4 & 3;

    exit->cr.cr = raw->qual & 15;
    exit->cr.write = access != 1;
    exit->cr.gpr = raw->qual >> 8 & 15;
    exit->cr.known = access <= 1;
}

static void decode_dr(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->dr.dr = raw->qual & 7;
    exit->dr.write = !(raw->qual & BIT(4));
    exit->dr.gpr = raw->qual >> 8 & 15;
    exit->dr.known = true;
}

static void decode_pio(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->pio.port = (u16)(raw->qual >> 16);
    exit->pio.size = (u8)((raw->qual & 7) + 1);
    exit->pio.in = raw->qual & BIT(3);
    exit->pio.string = raw->qual & BIT(4);
    exit->pio.rep = raw->qual & BIT(5);
    exit->pio.addr_size = 0;
    exit->pio.seg = 0xff;
    if (!exit->pio.string || !raw->io_info)
        return;

    exit->pio.addr_size = (u8)(2u << (raw->info >> 7 & 3));
    exit->pio.seg = exit->pio.in ? (u8)X86_ES : (raw->info >> 15 & 7); /* INS knows no override */
}

static void decode_s2_fault(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->s2.gpa = raw->gpa;
    exit->s2.write = raw->qual & EPTQ_WRITE;
    exit->s2.fetch = raw->qual & EPTQ_FETCH;
    exit->s2.mapped = raw->qual & EPTQ_RIGHTS;
    /* No linear address: the processor was loading PDPTEs for MOV CR3. */
    exit->s2.walk = (raw->qual & (EPTQ_LINEAR_VALID | EPTQ_TRANSLATED)) != (EPTQ_LINEAR_VALID | EPTQ_TRANSLATED);
}

static void decode_failed(const struct vmx_raw *raw, struct vm_exit *exit)
{
    static const char *const words[] = {
        [VMX_INVALID_GUEST]       = "VM-entry failure due to invalid guest state",
        [VMX_MSR_LOADING]         = "VM-entry failure due to MSR loading",
        [VMX_ENTRY_MACHINE_CHECK] = "VM-entry failure due to machine-check event",
    };

    u32 basic = raw->reason & 0xffff;

    exit->kind = VM_EXIT_ENTRY_FAILED;
    exit->failed.what = basic < ARRAY_SIZE(words) && words[basic] ? words[basic] : "VM-entry failure";
    exit->failed.detail = raw->qual;
}

static void decode_other(const struct vmx_raw *raw, struct vm_exit *exit)
{
    bool ept = (raw->reason & 0xffff) == VMX_EPT_MISCONFIG;

    exit->kind = VM_EXIT_OTHER;
    exit->failed.what = ept ? "EPT misconfiguration" : "VM exit that the controls rule out";
    exit->failed.detail = ept ? raw->gpa : raw->qual;
}

void vmx_decode(const struct vmx_raw *raw, struct vm_exit *exit)
{
    u32 basic = raw->reason & 0xffff;
    unsigned needs = vmx_needs(raw->reason);
    bool listed = basic < VMX_REASONS && reasons[basic].listed;

    exit->hw_reason = raw->reason;
    exit->kind = listed ? reasons[basic].kind : (u8)VM_EXIT_OTHER;
    exit->insn_len = needs & LEN ? (u8)raw->len : 0;
    exit->cpl = needs & CPL ? raw->ss_rights >> 5 & 3 : 0;
    if (raw->reason & VMX_REASON_ENTRY_FAILED) {
        decode_failed(raw, exit);
        return;
    }
    switch (exit->kind) {
    case VM_EXIT_EXCEPTION:
        decode_exception(raw, exit);
        return;
    case VM_EXIT_MSR:
        exit->msr.index = raw->rcx;
        exit->msr.write = reasons[basic].which;
        return;
    case VM_EXIT_CR:
        decode_cr(raw, exit);
        return;
    case VM_EXIT_DR:
        decode_dr(raw, exit);
        return;
    case VM_EXIT_PIO:
        decode_pio(raw, exit);
        return;
    case VM_EXIT_S2_FAULT:
        decode_s2_fault(raw, exit);
        return;
    case VM_EXIT_INSN:
        exit->insn.which = reasons[basic].which;
        return;
    case VM_EXIT_ENTRY_FAILED: /* without the flag of an entry failure: no such exit */
    case VM_EXIT_OTHER:
        decode_other(raw, exit);
        return;
    default:
        return;
    }
}

bool vmx_decode_vectoring(const struct vmx_raw *raw, struct x86_event *ev)
{
    if (!(raw->vectoring & INTR_VALID))
        return false;

    *ev = (struct x86_event){
        .vector = (u8)raw->vectoring,
        .type = raw->vectoring >> 8 & 7,
        .valid = true,
        .has_error = raw->vectoring & INTR_ERROR_CODE,
        .error = raw->vectoring & INTR_ERROR_CODE ? raw->vectoring_error : 0,
        .insn_len = (raw->vectoring >> 8 & 7) >= X86_EV_SOFT_INT ? (u8)raw->len : 0,
    };
    return true;
}

/* SDM 3, Information for VM Exits Due to Vectored Events: undefined for #DF, and when a delivery was cut short. */
bool vmx_nmi_unblocked(const struct vmx_raw *raw)
{
    if (raw->vectoring & INTR_VALID)
        return false;
    if ((raw->reason & 0xffff) == VMX_EPT_VIOLATION)
        return raw->qual & EPTQ_NMI_UNBLOCKED;
    return raw->reason == VMX_EXCEPTION_OR_NMI && (raw->intr & INTR_NMI_UNBLOCKED) && (u8)raw->intr != X86_DF;
}

const char *vmx_instruction_error(u64 number)
{
    static const char *const words[] = {
        [1] = "VMCALL executed in VMX root operation", [2] = "VMCLEAR with invalid physical address",
        [3] = "VMCLEAR with VMXON pointer", [4] = "VMLAUNCH with non-clear VMCS",
        [5] = "VMRESUME with non-launched VMCS", [6] = "VMRESUME after VMXOFF",
        [7] = "VM entry with invalid control field(s)", [8] = "VM entry with invalid host-state field(s)",
        [9] = "VMPTRLD with invalid physical address", [10] = "VMPTRLD with VMXON pointer",
        [11] = "VMPTRLD with incorrect VMCS revision identifier",
        [12] = "VMREAD/VMWRITE from/to unsupported VMCS component", [13] = "VMWRITE to read-only VMCS component",
        [15] = "VMXON executed in VMX root operation", [16] = "VM entry with invalid executive-VMCS pointer",
        [17] = "VM entry with non-launched executive VMCS",
        [18] = "VM entry with executive-VMCS pointer not VMXON pointer", [19] = "VMCALL with non-clear VMCS",
        [20] = "VMCALL with invalid VM-exit control fields", [22] = "VMCALL with incorrect MSEG revision identifier",
        [23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
        [24] = "VMCALL with invalid SMM-monitor features",
        [25] = "VM entry with invalid VM-execution control fields in executive VMCS",
        [26] = "VM entry with events blocked by MOV SS", [28] = "Invalid operand to INVEPT/INVVPID",
    };

    return number < ARRAY_SIZE(words) && words[number] ? words[number] : "VM-instruction error";
}
