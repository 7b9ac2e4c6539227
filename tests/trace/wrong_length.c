/* SPDX-License-Identifier: MIT */
/*
 * A mistake for the differential test to find, linked by ld --wrap into a hypervisor that nobody ships: WBINVD with two prefixes
 * is a byte longer on VT-x. The guest survives it.
 */
#include "arch/x86/vmx/vmx.h"

void __real_vmx_left(struct arch_vcpu *v, struct vm_exit *exit);
void __wrap_vmx_left(struct arch_vcpu *v, struct vm_exit *exit);

void __wrap_vmx_left(struct arch_vcpu *v, struct vm_exit *exit)
{
    __real_vmx_left(v, exit);
    if (exit->kind == VM_EXIT_INSN && exit->insn.which == X86_INSN_WBINVD && exit->insn_len == 4)
        exit->insn_len++;
}
