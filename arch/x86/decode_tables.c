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
    /* 68 */ IZ, M | IZ, IB, M | IB, OP(INS) | STR | B, OP(INS) | IO, OP(OUTS) | STR | B, OP(OUTS) | IO,
    /* 70 */ X16(IB),
    /* 80 */ G(ALU) | DST | B | OIB, G(ALU) | DST | OIZ, G(ALU) | DST | B | OIB | NO64, G(ALU) | DST | OIB,
    /* 84 */ OP(TEST) | DST | B, OP(TEST) | DST, OP(XCHG) | DST | B, OP(XCHG) | DST,
    /* 88 */ OP(MOV) | DST | B, OP(MOV) | DST, OP(MOV) | M | B, OP(MOV) | M, M, MEM, M, G(POP) | DST | D64,
    /* 90 */ X8(0), 0, 0, NO64 | IMM_FAR, 0, 0, 0, 0, 0,
    /* a0 */ OP(MOV) | B | MOFF, OP(MOV) | MOFF, OP(MOV) | ATTR_DST | B | MOFF, OP(MOV) | ATTR_DST | MOFF,
    /* a4 */ OP(MOVS) | STR | B, OP(MOVS) | STR, 0, 0,
    /* a8 */ IB, IZ, OP(STOS) | STR | B, OP(STOS) | STR, OP(LODS) | STR | B, OP(LODS) | STR, 0, 0,
    /* b0 */ X8(IB), X8(IMM_V),
    /* c0 */ M | IB, M | IB, IW, 0, NO64 | MEM, NO64 | MEM, G(MOV) | DST | B | OIZ, G(MOV) | DST | OIZ,
    /* c8 */ IMM_ENTER, 0, IW, 0, 0, IB, NO64, 0,
    /* d0 */ M, M, M, M, NO64 | IB, NO64 | IB, NO64, 0, X8(M),
    /* e0 */ X8(IB), JZ, JZ, NO64 | IMM_FAR, IB, 0, 0, 0, 0,
    /* f0 */ 0, 0, 0, 0, 0, 0, G(F6) | DST | B, G(F6) | DST, 0, 0, 0, 0, 0, 0, G(FE) | M | B, G(FF) | M,
};

const u32 decode_0f[256] = {
    /* 00 */ M, M, M, M, BAD, 0, 0, 0, 0, 0, BAD, 0, BAD, M, 0, M | IB, /* the last: 3DNow!, opcode last */
    /* 10 */ X16(M),
    /* 20 */ M | ATTR_MOVCR, M | ATTR_MOVCR, M | ATTR_MOVCR, M | ATTR_MOVCR, BAD, BAD, BAD, BAD, X8(M),
    /* 30 */ 0, 0, 0, 0, 0, 0, BAD, 0, X8(BAD),
    /* 40 */ X16(M),
    /* 50 */ X16(M),
    /* 60 */ X16(M),
    /* 70 */ M | IB, M | IB, M | IB, M | IB, M, M, M, 0, M | IMM_EXTRQ, M, BAD, BAD, M, M, M, M,
    /* 80 */ X16(JZ),
    /* 90 */ X16(M),
    /* a0 */ 0, 0, 0, OP(BT) | DST, M | IB, M, BAD, BAD, 0, 0, 0, OP(BTS) | DST, M | IB, M, M, M,
    /* b0 */ OP(CMPXCHG) | DST | B, OP(CMPXCHG) | DST, MEM, OP(BTR) | DST, MEM, MEM,
    /* b6 */ OP(MOVZX) | M | B | ATTR_EXTEND, OP(MOVZX) | M | ATTR_WORD | ATTR_EXTEND,
    /* b8 */ M, M, G(BT) | DST | OIB, OP(BTC) | DST, M, M,
    /* be */ OP(MOVSX) | M | B | ATTR_EXTEND, OP(MOVSX) | M | ATTR_WORD | ATTR_EXTEND,
    /* c0 */ M, M, M | IB, MEM, M | IB, M | IB, M | IB, M, X8(0),
    /* d0 */ X16(M),
    /* e0 */ X16(M),
    /* f0 */ X16(M),
};

const u32 decode_groups[GROUPS][8] = {
    [GROUP_ALU] = { OP(ADD), OP(OR), OP(ADC), OP(SBB), OP(AND), OP(SUB), OP(XOR), OP(CMP) },
    [GROUP_POP] = { OP(POP), BAD, BAD, BAD, BAD, BAD, BAD, BAD },
    [GROUP_MOV] = { OP(MOV), BAD, BAD, BAD, BAD, BAD, BAD, ATTR_REG }, /* the last: XABORT, XBEGIN */
    [GROUP_F6] = { OP(TEST) | OIZ, OP(TEST) | OIZ, OP(NOT), OP(NEG), 0, 0, 0, 0 },
    [GROUP_FE] = { OP(INC) | DST, OP(DEC) | DST, BAD, BAD, BAD, BAD, BAD, BAD },
    [GROUP_FF] = { OP(INC) | DST, OP(DEC) | DST, D64, MEM, D64, MEM, OP(PUSH) | D64, BAD },
    [GROUP_BT] = { BAD, BAD, BAD, BAD, OP(BT), OP(BTS), OP(BTR), OP(BTC) },
};

const u32 decode_maps[MAPS] = {
    [MAP_0F38] = M, [MAP_0F3A] = M | IB, [5] = M, [6] = M, /* EVEX */
    [8] = M | IB, [9] = M, [10] = M | IMM_D,               /* XOP */
};
