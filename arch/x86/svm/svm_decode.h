/* SPDX-License-Identifier: MIT */
/* From a VMCB's raw fields to names, and events to and from their encoding: pure. */
#pragma once

#include "arch/x86/cpu/regs.h"
#include "arch/x86/svm/svm.h"

struct svm_row {
    u8 kind, len; /* len: as far as the exit code alone tells it */
    u8 which;
    bool nrip; /* at the intercept of an instruction nRIP says where that ends (APM 2, "State Saved on Exit") */
    void (*detail)(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f);
};
#define SVM_ROWS (SVM_EXIT_RDPRU + 1u)
extern const struct svm_row svm_rows[SVM_ROWS]; /* by exit code, up to where these are dense */

/*
 * @rcx: the guest's; @f: what this processor fills in. Reads only the fields that the exit code
 * defines.
 */
void svm_decode(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f);

/* Where VMMCALL is a hypercall: protected mode, CPL 0. */
static inline bool svm_may_call(const struct vmcb *vmcb)
{
    return !vmcb->cpl && (vmcb->cr0 & CR0_PE);
}

/* The same for who has found the row of @code. */
static inline void svm_decode_row(const struct svm_row *row, u32 code, const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx,
                                  const struct svm_features *f)
{
    __asm__("" : "+r"(row)); /* the compiler would find it anew for every field */
    exit->kind = row->kind;
    exit->insn_len = row->len;
    exit->hw_reason = code;
    if (f->nrips && row->nrip)
        exit->insn_len = (u8)(vmcb->nrip - vmcb->rip);
    if (row->detail)
        row->detail(vmcb, exit, rcx, f);
}

/* In @real mode no exception pushes an error code. */
u64 svm_event_encode(const struct x86_event *ev, bool real);
/*
 * What to deliver again after an exit that cut @exit_int_info short; false: nothing, or the
 * instruction does it again.
 */
bool svm_event_decode(u64 exit_int_info, u64 cr2, struct x86_event *ev);
