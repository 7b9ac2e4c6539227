/* SPDX-License-Identifier: MIT */
/* Meaning of VM exits: SDM 3, VM-Exit Information Fields; Exit Qualification tables. */
#include "arch/x86/vmx/vmx_decode.h"

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "hv/lib/types.h"

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
    exit->pio.string = raw->qual & IOQ_STRING;
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

void vmx_decode_failed(const struct vmx_raw *raw, struct vm_exit *exit)
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

    exit->failed.what = ept ? "EPT misconfiguration" : "VM exit that the controls rule out";
    exit->failed.detail = ept ? raw->gpa : raw->qual;
}

static void decode_msr(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->msr.index = raw->rcx;
    exit->msr.write = (raw->reason & 0xffff) == VMX_WRMSR;
}

static void decode_hypercall(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->insn_len = VM_HYPERCALL_LEN;
    if (exit->cpl || !(raw->cr0 & CR0_PE)) {
        exit->kind = VM_EXIT_INSN;
        exit->insn.which = X86_INSN_VIRT;
    }
}

static void decode_task(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->task.selector = (u16)raw->qual;
    exit->task.by = raw->qual >> 30 & 3; /* numbered as enum task_by */
}

static void decode_insn(const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->insn.which = vmx_reason_info(raw->reason)->which;
}

enum { LEN = VMX_NEED_LEN, QUAL = VMX_NEED_QUAL, INFO = VMX_NEED_INFO, GPA = VMX_NEED_GPA,
       INTR = VMX_NEED_INTR, CPL = VMX_NEED_CPL, CR0 = VMX_NEED_CR0, CARE = VMX_NEED_CARE,
       IDTV = VMX_NEED_VECTORING | VMX_NEED_CARE };

#define VIRT  { CPL, VM_EXIT_INSN, X86_INSN_VIRT, decode_insn } /* never skipped: the length is of no use */
#define OTHER { QUAL, VM_EXIT_OTHER, 0, decode_other }          /* what the controls do not let happen */

const struct vmx_reason_info vmx_reasons[VMX_REASONS + 1] = {
    [VMX_EXCEPTION_OR_NMI] = { INTR | QUAL | IDTV, VM_EXIT_EXCEPTION, 0, decode_exception },
    [VMX_EXTINT] = { 0, VM_EXIT_HOST_IRQ, 0, NULL },
    [VMX_TRIPLE_FAULT] = { 0, VM_EXIT_SHUTDOWN, 0, NULL },
    [VMX_INIT] = { 0, VM_EXIT_NMI, 0, NULL }, /* not the guest's doing: as an NMI, it only ends the run */
    [VMX_INTR_WINDOW] = { CARE, VM_EXIT_WINDOW, 0, NULL },
    [VMX_NMI_WINDOW] = { CARE, VM_EXIT_WINDOW, 0, NULL },
    [VMX_TASK_SWITCH] = { LEN | QUAL | IDTV, VM_EXIT_TASK_SWITCH, 0, decode_task },
    [VMX_CPUID] = { LEN, VM_EXIT_CPUID, 0, NULL },
    [VMX_GETSEC] = VIRT,
    [VMX_HLT] = { LEN, VM_EXIT_HLT, 0, NULL },
    [VMX_INVD] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_INVD, decode_insn },
    [VMX_RDPMC] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_RDPMC, decode_insn },
    [VMX_RSM] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_RSM, decode_insn },
    [VMX_VMCALL] = { CPL | CR0, VM_EXIT_HYPERCALL, 0, decode_hypercall },
    [VMX_VMCLEAR] = VIRT,
    [VMX_VMLAUNCH] = VIRT,
    [VMX_VMPTRLD] = VIRT,
    [VMX_VMPTRST] = VIRT,
    [VMX_VMREAD] = VIRT,
    [VMX_VMRESUME] = VIRT,
    [VMX_VMWRITE] = VIRT,
    [VMX_VMXOFF] = VIRT,
    [VMX_VMXON] = VIRT,
    [VMX_CR_ACCESS] = { LEN | QUAL, VM_EXIT_CR, 0, decode_cr },
    [VMX_MOV_DR] = { LEN | QUAL | CPL, VM_EXIT_DR, 0, decode_dr }, /* comes before the check of the CPL */
    [VMX_IO] = { LEN | QUAL | INFO, VM_EXIT_PIO, 0, decode_pio },
    [VMX_RDMSR] = { LEN, VM_EXIT_MSR, 0, decode_msr },
    [VMX_WRMSR] = { LEN, VM_EXIT_MSR, 0, decode_msr },
    [VMX_INVALID_GUEST] = { QUAL, VM_EXIT_OTHER, 0, decode_other },
    [VMX_MSR_LOADING] = { QUAL, VM_EXIT_OTHER, 0, decode_other },
    [VMX_MWAIT] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_MWAIT, decode_insn },
    [VMX_MONITOR] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_MONITOR, decode_insn },
    [VMX_PAUSE] = { LEN, VM_EXIT_PAUSE, 0, NULL },
    [VMX_ENTRY_MACHINE_CHECK] = { QUAL | CARE, VM_EXIT_OTHER, 0, decode_other },
    [VMX_TPR_BELOW] = { 0, VM_EXIT_WINDOW, 0, NULL },
    [VMX_EPT_VIOLATION] = { QUAL | GPA | IDTV, VM_EXIT_S2_FAULT, 0, decode_s2_fault },
    [VMX_EPT_MISCONFIG] = { GPA, VM_EXIT_OTHER, 0, decode_other },
    [VMX_INVEPT] = VIRT,
    [VMX_PREEMPTION] = { 0, VM_EXIT_PREEMPT, 0, NULL },
    [VMX_INVVPID] = VIRT,
    [VMX_WBINVD] = { LEN | CPL, VM_EXIT_INSN, X86_INSN_WBINVD, decode_insn },
    [VMX_XSETBV] = { LEN | CPL, VM_EXIT_XSETBV, 0, NULL },
    [VMX_VMFUNC] = VIRT,
    /* I/O SMI, SMI, SIPI, INVLPG, RDTSC, MTF, APIC and table accesses, RDTSCP, RDRAND, INVPCID, ... */
    [4] = OTHER,  [5] = OTHER,  [6] = OTHER,  [14] = OTHER, [16] = OTHER, [35] = OTHER, [37] = OTHER, [38] = OTHER,
    [42] = OTHER, [44] = OTHER, [45] = OTHER, [46] = OTHER, [47] = OTHER, [51] = OTHER, [56] = OTHER, [57] = OTHER,
    [58] = OTHER, [VMX_REASONS] = OTHER,
};

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

bool vmx_is_int1(const struct vmx_raw *raw)
{
    return raw->reason == VMX_EXCEPTION_OR_NMI && (u8)raw->intr == X86_DB && (raw->intr >> 8 & 7) == X86_EV_ICEBP;
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
