/* SPDX-License-Identifier: MIT */
/* What a guest's exit leads to: ONE array of handlers for both vendors. */
#pragma once

#include "hv/vcpu.h"

/* Of a resident vCPU, for arch_vcpu_run(): counts the exit and handles it. With EXIT_FAIL, v->why. */
enum exit_action exit_handle(struct arch_vcpu *arch, struct vm_exit *exit);
extern const char *const exit_names[VM_EXIT_KINDS];

/* The larger handlers stand in files of their own. */
enum exit_action on_msr(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_pio(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_s2_fault(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_cr(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_dr(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_task_switch(struct vcpu *v, struct vm_exit *exit);
enum exit_action on_hypercall(struct vcpu *v, struct vm_exit *exit);
/* Raise an exception in the guest instead of completing the instruction. */
enum exit_action exit_fault(struct vcpu *v, u8 vector);          /* #UD, ... */
enum exit_action exit_fault_code(struct vcpu *v, u8 vector, u32 error);
/* What a local-APIC access led to: IPIs, EOI, timer. */
void exit_lapic_effect(struct vcpu *v, const struct vlapic_effect *e);
