/* SPDX-License-Identifier: MIT */
/* Memory operands of emulated instructions: checked and translated first, page by page; then read or written, RAM or bus. */
#pragma once

#include "arch/x86/decode.h"
#include "hv/vcpu.h"

struct operand {
    gpa_t gpa[2];   /* where it begins, and where it goes on when it crosses a page */
    u8 size, first; /* bytes, 1 to 32; how many of them before the crossing */
    bool device;    /* not RAM, aligned, 8 bytes at most: one access of the bus */
};

/* [seg:offset] in the instruction's mode; @offset is within the address size. */
u64 operand_linear(const struct vcpu *v, const struct insn *in, u8 seg, u64 offset);
/* Segment, paging and alignment checks of all of it. False: *fault is what the processor would have raised, nothing was touched. */
bool operand_map(struct vcpu *v, const struct insn *in, u8 seg, u64 offset, u8 size, bool write, struct operand *op,
                 struct x86_event *fault);
/* What is no RAM is read and written as on a bus: in aligned powers of two up to 8 bytes, ascending. @val as in memory. */
void operand_read(struct vcpu *v, const struct operand *op, u64 *val);
void operand_write(struct vcpu *v, const struct operand *op, const u64 *val);
