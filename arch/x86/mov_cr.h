/* SPDX-License-Identifier: MIT */
/* The general register of MOV to and from control and debug registers: pure. */
#pragma once

#include "arch/x86/decode.h"

/* False: the bytes are not such an instruction. @gpr in struct x86_gprs order. */
bool mov_cr_decode(const u8 *bytes, u8 len, enum insn_mode mode, u8 *gpr);
