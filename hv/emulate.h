/* SPDX-License-Identifier: MIT */
/* Instructions that touched memory which is a device, or nothing at all. */
#pragma once

#include "arch/x86/decode.h"
#include "hv/exit.h"

/* Fetches and decodes what RIP points to: valid until the next call. NULL: *act is what to do instead, since a fault was injected. */
const struct insn *emulate_decode(struct vcpu *v, enum exit_action *act);
/*
 * The instruction of an S2_FAULT exit; SKIP's length is filled in. Whatever the exit was about, memory, the way there or the
 * instruction itself: where nothing is, all ones are read. RESUME: a fault was injected, or more elements of a string are to come.
 */
enum exit_action emulate_mmio(struct vcpu *v, struct vm_exit *exit);
/* A string instruction, up to a bounded number of its elements; INS and OUTS included. */
enum exit_action emulate_string(struct vcpu *v, const struct insn *in);
/* Raises what the processor would have. */
enum exit_action emulate_fault(struct vcpu *v, const struct x86_event *fault);
