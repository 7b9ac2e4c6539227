/* SPDX-License-Identifier: MIT */
/* The instruction decoder: pure, never reads past the bytes it is given. Lengths for every form, operands for those that touch memory. */
#pragma once

#include "hv/lib/types.h"

enum insn_op {
    INSN_OTHER,            /* length only */
    INSN_MOV, INSN_MOVZX, INSN_MOVSX, INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP, INSN_TEST,
    INSN_XCHG, INSN_CMPXCHG, INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG, INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC,
    INSN_MOVS, INSN_STOS, INSN_LODS, INSN_SCAS, INSN_CMPS, INSN_INS, INSN_OUTS, INSN_PUSH, INSN_POP,
    INSN_MOVBE, INSN_XADD, INSN_CMPXCHG8B /* or 16B */, INSN_IMUL, INSN_SETCC, INSN_CMOVCC,
    INSN_ROL, INSN_ROR, INSN_RCL, INSN_RCR, INSN_SHL, INSN_SHR, INSN_SAR,
    INSN_VMOV,             /* a plain load or store of a vector register: MOVAPS, MOVQ, VMOVDQU, ... */
};
enum insn_mode { INSN_16, INSN_32, INSN_64 };    /* from CS.L and CS.D; real and virtual-8086 mode: INSN_16 */

struct insn {
    u8 len;                /* 1-15; with the prefixes */
    u8 op;                 /* enum insn_op */
    u8 mode;               /* enum insn_mode */
    u8 opcode;             /* its last byte: the condition of SETCC and CMOVCC */
    u8 op_size;            /* bytes of the memory operand: 1, 2, 4, 8, 16, 32; means nothing with INSN_OTHER */
    u8 reg_size;           /* bytes of the register operand (MOVZX/MOVSX: the destination) */
    u8 addr_size;          /* 2, 4, 8 */
    u8 seg;                /* enum x86_seg of the memory operand, after overrides */
    bool rep, repne, lock, rex, opsize;
    bool has_mem;          /* a ModRM memory operand, MOV moffs, or the DI/SI of a string instruction; of VEX, EVEX and XOP for VMOV only */
    bool mem_dst;          /* memory is the first operand: the destination, but CMP, TEST and BT only read it */
    bool has_imm;          /* the other operand is imm (sign-extended to op_size); else it is reg */
    bool high_byte;        /* reg names AH CH DH BH: bits 15:8 of registers 0-3 */
    bool rip_relative;     /* disp is relative to the end of the instruction */
    bool vex, high, merge; /* VMOV: VEX-encoded; bits 127:64 of the register; a load keeps the rest of it, else clears it */
    u8 reg;                /* 0-15 in struct x86_gprs order: rax rcx rdx rbx rsp rbp rsi rdi r8.. */
    u8 base, index, scale; /* 0xff: none; scale 1, 2, 4, 8. Without has_mem, base is the register that ModRM.rm names */
    s64 disp;
    u64 imm;
};
/*
 * String instructions: base and seg are SI's where there is one (MOVS, LODS, OUTS), else DI's (STOS, INS); DI is always in ES.
 * Opcodes that no processor has may be accepted: none of them reaches an exit. Near branches with 66 in 64-bit mode have
 * four bytes, as Intel reads them.
 * False: not a valid instruction within @len bytes (more bytes could make it one when len < 15).
 */
bool insn_decode(const u8 *bytes, u8 len, enum insn_mode mode, struct insn *out);
