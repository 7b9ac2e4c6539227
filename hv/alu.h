/* SPDX-License-Identifier: MIT */
/* Arithmetic of emulated instructions with their flags. Pure. */
#pragma once

#include "arch/x86/decode.h"
#include "hv/lib/types.h"

#define ALU_FLAGS 0x8d5ull /* OF SF ZF AF PF CF */

/*
 * dst op src on @size bytes; *rflags in and out (only what the instruction defines changes). @op is one of INSN_ADD ... INSN_NEG,
 * INSN_CMP and INSN_TEST (their result is not to be stored), INSN_BT ... INSN_BTC (src a bit number, which wraps), INSN_ROL ...
 * INSN_SAR (src the count) or INSN_IMUL. The last two kinds but one and the last have no form for bytes. False: not such an operation.
 */
bool alu(enum insn_op op, u8 size, u64 dst, u64 src, u64 *result, u64 *rflags);
