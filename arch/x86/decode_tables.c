/* SPDX-License-Identifier: MIT */
/* The opcode maps. Short names, since these are tables to be compared with the manuals'. */
#include "arch/x86/decode_tables.h"

#define X8(a)    a, a, a, a, a, a, a, a
#define X16(a)   X8(a), X8(a)
#define OP(name) (u32) INSN_##name << ATTR_OP_SHIFT
#define G(name)  (u32) GROUP_##name << ATTR_GROUP_SHIFT

#define M    (u32) ATTR_MODRM
#define BAD  (u32) ATTR_BAD
#define NO64 (u32) ATTR_BAD64
#define MEM  (M | ATTR_MEM)
#define D64  (u32) ATTR_D64
#define DST  (M | ATTR_DST)
#define B    (u32) ATTR_BYTE
#define IB   (u32) IMM_B
#define IW   (u32) IMM_W
#define IZ   (u32) IMM_Z
#define JZ   (u32) IMM_JZ
#define OIB  (IMM_B | (u32) ATTR_OTHER)
#define OIZ  (IMM_Z | (u32) ATTR_OTHER)
#define STR  (u32) ATTR_STRING
#define IO   (STR | ATTR_MAX4)
#define MOFF (u32) IMM_MOFFS
#define ONE  (IMM_ONE | (u32) ATTR_OTHER)
#define CL   (u32) ATTR_CL
#define VMOV OP(VMOV) | M

/* r/m8,r8  r/m,r  r8,r/m8  r,r/m  AL,imm8  eAX,imm */
#define ALU(name) OP(name) | DST | B, OP(name) | DST, OP(name) | M | B, OP(name) | M, IB, IZ

const u32 decode_one_byte[256] = {
    /* 00 */ ALU(ADD), NO64, NO64, ALU(OR), NO64, 0,
    /* 10 */ ALU(ADC), NO64, NO64, ALU(SBB), NO64, NO64,
    /* 20 */ ALU(AND), 0, NO64, ALU(SUB), 0, NO64,
    /* 30 */ ALU(XOR), 0, NO64, ALU(CMP), 0, NO64,
    /* 40 */ X16(0),
    /* 50 */ X16(0),
    /* 60 */ NO64, NO64, NO64 | MEM, OP(MOVSX) | M | ATTR_MAX4 | ATTR_EXTEND, 0, 0, 0, 0,
    /* 68 */ IZ, OP(IMUL) | M | OIZ, IB, OP(IMUL) | M | OIB, OP(INS) | STR | B, OP(INS) | IO, OP(OUTS) | STR | B, OP(OUTS) | IO,
    /* 70 */ X16(IB),
    /* 80 */ G(ALU) | DST | B | OIB, G(ALU) | DST | OIZ, G(ALU) | DST | B | OIB | NO64, G(ALU) | DST | OIB,
    /* 84 */ OP(TEST) | DST | B, OP(TEST) | DST, OP(XCHG) | DST | B, OP(XCHG) | DST,
    /* 88 */ OP(MOV) | DST | B, OP(MOV) | DST, OP(MOV) | M | B, OP(MOV) | M, M, MEM, M, G(POP) | DST | D64,
    /* 90 */ X8(0), 0, 0, NO64 | IMM_FAR, 0, 0, 0, 0, 0,
    /* a0 */ OP(MOV) | B | MOFF, OP(MOV) | MOFF, OP(MOV) | ATTR_DST | B | MOFF, OP(MOV) | ATTR_DST | MOFF,
    /* a4 */ OP(MOVS) | STR | B, OP(MOVS) | STR, OP(CMPS) | STR | B, OP(CMPS) | STR,
    /* a8 */ IB, IZ, OP(STOS) | STR | B, OP(STOS) | STR, OP(LODS) | STR | B, OP(LODS) | STR,
    /* ae */ OP(SCAS) | STR | B, OP(SCAS) | STR,
    /* b0 */ X8(IB), X8(IMM_V),
    /* c0 */ G(SHIFT) | DST | B | OIB, G(SHIFT) | DST | OIB, IW, 0, NO64 | MEM, NO64 | MEM,
    /* c6 */ G(MOV) | DST | B | OIZ, G(MOV) | DST | OIZ,
    /* c8 */ IMM_ENTER, 0, IW, 0, 0, IB, NO64, 0,
    /* d0 */ G(SHIFT) | DST | B | ONE, G(SHIFT) | DST | ONE, G(SHIFT) | DST | B | CL, G(SHIFT) | DST | CL,
    /* d4 */ NO64 | IB, NO64 | IB, NO64, 0, X8(M),
    /* e0 */ X8(IB), JZ, JZ, NO64 | IMM_FAR, IB, 0, 0, 0, 0,
    /* f0 */ 0, 0, 0, 0, 0, 0, G(F6) | DST | B, G(F6) | DST, 0, 0, 0, 0, 0, 0, G(FE) | M | B, G(FF) | M,
};

const u32 decode_0f[256] = {
    /* 00 */ M, M, M, M, BAD, 0, 0, 0, 0, 0, BAD, 0, BAD, M, 0, M | IB, /* the last: 3DNow!, opcode last */
    /* 10 */ VMOV, VMOV, VMOV, VMOV, M, M, VMOV, VMOV, X8(M),
    /* 20 */ M | ATTR_MOVCR, M | ATTR_MOVCR, M | ATTR_MOVCR, M | ATTR_MOVCR, BAD, BAD, BAD, BAD,
    /* 28 */ VMOV, VMOV, M, VMOV, M, M, M, M,
    /* 30 */ 0, 0, 0, 0, 0, 0, BAD, 0, X8(BAD),
    /* 40 */ X16(OP(CMOVCC) | M),
    /* 50 */ X16(M),
    /* 60 */ X8(M), M, M, M, M, M, M, VMOV, VMOV,
    /* 70 */ M | IB, M | IB, M | IB, M | IB, M, M, M, 0, M | IMM_EXTRQ, M, BAD, BAD, M, M, VMOV, VMOV,
    /* 80 */ X16(JZ),
    /* 90 */ X16(OP(SETCC) | DST | B),
    /* a0 */ 0, 0, 0, OP(BT) | DST, M | IB, M, BAD, BAD, 0, 0, 0, OP(BTS) | DST, M | IB, M, M, OP(IMUL) | M,
    /* b0 */ OP(CMPXCHG) | DST | B, OP(CMPXCHG) | DST, MEM, OP(BTR) | DST, MEM, MEM,
    /* b6 */ OP(MOVZX) | M | B | ATTR_EXTEND, OP(MOVZX) | M | ATTR_WORD | ATTR_EXTEND,
    /* b8 */ M, M, G(BT) | DST | OIB, OP(BTC) | DST, M, M,
    /* be */ OP(MOVSX) | M | B | ATTR_EXTEND, OP(MOVSX) | M | ATTR_WORD | ATTR_EXTEND,
    /* c0 */ OP(XADD) | DST | B, OP(XADD) | DST, M | IB, OP(MOV) | DST | MEM | ATTR_MIN4, M | IB, M | IB, M | IB,
    /* c7 */ G(C7) | DST, X8(0),
    /* d0 */ M, M, M, M, M, M, VMOV, M, X8(M),
    /* e0 */ M, M, M, M, M, M, M, VMOV, X8(M),
    /* f0 */ VMOV, M, M, M, M, M, M, M, X8(M),
};

const u32 decode_groups[GROUPS][8] = {
    [GROUP_ALU] = { OP(ADD), OP(OR), OP(ADC), OP(SBB), OP(AND), OP(SUB), OP(XOR), OP(CMP) },
    [GROUP_POP] = { OP(POP), BAD, BAD, BAD, BAD, BAD, BAD, BAD },
    [GROUP_MOV] = { OP(MOV), BAD, BAD, BAD, BAD, BAD, BAD, ATTR_REG }, /* the last: XABORT, XBEGIN */
    [GROUP_F6] = { OP(TEST) | OIZ, OP(TEST) | OIZ, OP(NOT), OP(NEG), 0, 0, 0, 0 },
    [GROUP_FE] = { OP(INC) | DST, OP(DEC) | DST, BAD, BAD, BAD, BAD, BAD, BAD },
    [GROUP_FF] = { OP(INC) | DST, OP(DEC) | DST, D64, MEM, D64, MEM, OP(PUSH) | D64, BAD },
    [GROUP_BT] = { BAD, BAD, BAD, BAD, OP(BT), OP(BTS), OP(BTR), OP(BTC) },
    [GROUP_SHIFT] = { OP(ROL), OP(ROR), OP(RCL), OP(RCR), OP(SHL), OP(SHR), OP(SHL), OP(SAR) },
    [GROUP_C7] = { 0, OP(CMPXCHG8B), 0, 0, 0, 0, 0, 0 },
};

const u32 decode_maps[MAPS] = {
    [MAP_0F38] = M, [MAP_0F3A] = M | IB, [5] = M, [6] = M, /* EVEX */
    [8] = M | IB, [9] = M, [10] = M | IMM_D,               /* XOP */
};

#define S  VMOV_STORE
#define LO VMOV_MERGE | 8
#define HI VMOV_MERGE | VMOV_HIGH | 8
/* MMX registers, and moves that shuffle, are not among them. */
const u8 decode_vmov[256][4] = {
    [0x10] = { 16, 16, 4, 8 },           [0x11] = { S | 16, S | 16, S | 4, S | 8 },
    [0x12] = { LO, LO },                 [0x13] = { S | LO, S | LO },
    [0x16] = { HI, HI },                 [0x17] = { S | HI, S | HI },
    [0x28] = { 16, 16 },                 [0x29] = { S | 16, S | 16 },
    [0x2b] = { S | 16, S | 16 },         [0x2a] = { 0, 16 },
    [0x6e] = { 0, VMOV_W },              [0x7e] = { 0, S | VMOV_W, 8 },
    [0x6f] = { 0, 16, 16 },              [0x7f] = { 0, S | 16, S | 16 },
    [0xd6] = { 0, S | 8 },               [0xe7] = { 0, S | 16 },
    [0xf0] = { 0, 0, 0, 16 },
};
