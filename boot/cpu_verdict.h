/* SPDX-License-Identifier: MIT */
/*
 * Can this processor run Pith, and if not, what does the user have to do? Pure: tools/pith-check asks, too, in its own way.
 */
#pragma once

#include "hv/lib/types.h"

struct cpu_facts {
    char vendor[13];     /* CPUID.0 */
    char hypervisor[13]; /* CPUID.40000000H when this is a virtual machine, else empty */
    bool nx, xsave, vmx, svm;
    u64 feature_control; /* IA32_FEATURE_CONTROL, if vmx */
    u64 proc_controls;   /* IA32_VMX_PROCBASED_CTLS, if vmx */
    u64 proc_controls2;  /* IA32_VMX_PROCBASED_CTLS2, 0 if proc_controls does not allow it */
    u64 vm_cr;           /* VM_CR, if svm */
    u32 svm_features;    /* CPUID.8000000AH EDX, if svm */
};

/* IA32_FEATURE_CONTROL: SDM, "Enabling and Entering VMX Operation". */
#define FEATURE_CONTROL_LOCK       BIT(0)
#define FEATURE_CONTROL_VMX        BIT(2) /* VMX outside SMX operation */
/*
 * The upper halves of the control MSRs say what may be 1: SDM, "Allowed Settings of VM-Execution
 * Controls".
 */
#define ALLOWED_SECONDARY          BIT(32 + 31)
#define ALLOWED_EPT                BIT(32 + 1)
#define ALLOWED_UNRESTRICTED_GUEST BIT(32 + 7)
/* VM_CR: APM 2, "SVM Related MSRs". */
#define VM_CR_LOCK                 BIT(3)
#define VM_CR_SVMDIS               BIT(4)
#define SVM_FEATURE_NP             BIT(0)

typedef void cpuid_fn(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d); /* subleaf 0 */
typedef u64 rdmsr_fn(u32 msr);

#define MSR_VMX_PROCBASED_CTLS  0x482u
#define MSR_VMX_PROCBASED_CTLS2 0x48bu

/* Asks for an MSR only where there is one. */
void cpu_facts_read(struct cpu_facts *f, cpuid_fn *cpuid, rdmsr_fn *rdmsr);
/* True when it can; else "what is missing - what to do" in @why. */
bool cpu_verdict(const struct cpu_facts *f, char *why, size_t size);
