/* SPDX-License-Identifier: MIT */
/* Instructions that touched memory which is a device, or nothing at all. */
#pragma once

#include "arch/x86/decode.h"
#include "hv/exit.h"

/* Fetches and decodes what RIP points to. False: *act is what to do instead (a fault was injected, or FAIL). */
bool emulate_decode(struct vcpu *v, struct insn *in, enum exit_action *act);
/* Carries it out with its memory operand at exit->s2.gpa; SKIP's length is filled in. */
enum exit_action emulate_mmio(struct vcpu *v, struct vm_exit *exit);
/* Linear address of [seg:offset] under the instruction's address size. */
u64 emulate_linear(const struct vcpu *v, const struct insn *in, u8 seg, u64 offset);
/* RSI, RDI and RCX after one element of a string instruction. True: more elements are to come. */
bool emulate_advance(struct vcpu *v, const struct insn *in, bool si, bool di, u8 size);
bool emulate_rep_done(const struct vcpu *v, const struct insn *in); /* REP with a count of zero */
