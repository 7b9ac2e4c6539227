/* SPDX-License-Identifier: MIT */
/* From a VM exit's raw fields to struct vm_exit: pure. */
#pragma once

#include "arch/x86/vm.h"

/* Basic exit reasons, SDM 3, VMX Basic Exit Reasons. */
enum vmx_reason {
    VMX_EXCEPTION_OR_NMI = 0, VMX_EXTINT = 1, VMX_TRIPLE_FAULT = 2, VMX_INIT = 3, VMX_INTR_WINDOW = 7,
    VMX_NMI_WINDOW = 8, VMX_TASK_SWITCH = 9, VMX_CPUID = 10, VMX_GETSEC = 11, VMX_HLT = 12, VMX_INVD = 13,
    VMX_RDPMC = 15, VMX_RSM = 17, VMX_VMCALL = 18, VMX_VMCLEAR = 19, VMX_VMLAUNCH = 20, VMX_VMPTRLD = 21,
    VMX_VMPTRST = 22, VMX_VMREAD = 23, VMX_VMRESUME = 24, VMX_VMWRITE = 25, VMX_VMXOFF = 26, VMX_VMXON = 27,
    VMX_CR_ACCESS = 28, VMX_MOV_DR = 29, VMX_IO = 30, VMX_RDMSR = 31, VMX_WRMSR = 32, VMX_INVALID_GUEST = 33,
    VMX_MSR_LOADING = 34, VMX_MWAIT = 36, VMX_MONITOR = 39, VMX_PAUSE = 40, VMX_ENTRY_MACHINE_CHECK = 41,
    VMX_TPR_BELOW = 43, VMX_EPT_VIOLATION = 48, VMX_EPT_MISCONFIG = 49, VMX_INVEPT = 50, VMX_PREEMPTION = 52,
    VMX_INVVPID = 53, VMX_WBINVD = 54, VMX_XSETBV = 55, VMX_VMFUNC = 59, VMX_REASONS = 60
};
#define VMX_REASON_ENTRY_FAILED BIT(31)

/* Each VMREAD costs: which fields an exit reason has a use for. */
enum vmx_need {
    VMX_NEED_LEN = 1, VMX_NEED_QUAL = 2, VMX_NEED_INFO = 4, VMX_NEED_GPA = 8, VMX_NEED_INTR = 16,
    VMX_NEED_VECTORING = 32, /* only these exits can come in the middle of an event's delivery */
    VMX_NEED_CPL = 64,
    VMX_NEED_CR0 = 256,
    VMX_NEED_CARE = 128    /* no field: the exit leaves something to be put right before hv/ sees it */
};

struct vmx_raw {
    u64 qual, gpa, cr0;
    u32 reason, len, info;
    u32 intr, intr_error, vectoring, vectoring_error;
    u32 ss_rights;     /* its DPL is the CPL, in every mode */
    u32 rcx;
    bool io_info;      /* the processor describes INS and OUTS in info */
};

struct vmx_reason_info {
    u16 needs;         /* enum vmx_need */
    u8 kind;           /* enum vm_exit_kind */
    u8 which;          /* of VM_EXIT_INSN */
    void (*decode)(const struct vmx_raw *raw, struct vm_exit *exit); /* the kind's own part, or NULL */
};
extern const struct vmx_reason_info vmx_reasons[VMX_REASONS + 1]; /* the last: every reason beyond */

static inline const struct vmx_reason_info *vmx_reason_info(u32 reason)
{
    return &vmx_reasons[MIN(reason & 0xffff, (u32)VMX_REASONS)];
}

void vmx_decode_failed(const struct vmx_raw *raw, struct vm_exit *exit);
static inline void vmx_decode(const struct vmx_reason_info *r, const struct vmx_raw *raw, struct vm_exit *exit)
{
    exit->hw_reason = raw->reason;
    exit->kind = r->kind;
    exit->insn_len = r->needs & VMX_NEED_LEN ? (u8)raw->len : 0;
    if (r->needs & VMX_NEED_CPL)
        exit->cpl = raw->ss_rights >> 5 & 3;
    if (raw->reason & VMX_REASON_ENTRY_FAILED)
        vmx_decode_failed(raw, exit);
    else if (r->decode)
        r->decode(raw, exit);
}
/* The delivery that the exit cut short, for v->interrupted; CR2 is the caller's. False: none. */
bool vmx_decode_vectoring(const struct vmx_raw *raw, struct x86_event *ev);
/* The exit came out of an IRET that had already unblocked NMIs and will run again: they must be blocked again. */
bool vmx_nmi_unblocked(const struct vmx_raw *raw);
/* The #DB of INT1: RIP is still at the instruction, unlike after a trap. */
bool vmx_is_int1(const struct vmx_raw *raw);
/* SDM 3, VM-Instruction Error Numbers. */
const char *vmx_instruction_error(u64 number);
