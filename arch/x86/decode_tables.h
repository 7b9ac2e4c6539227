/* SPDX-License-Identifier: MIT */
/* What follows an opcode, and what it does: one word each. SDM 2, Opcode Map; APM 3, Opcode and Operand Encodings. */
#pragma once

#include "arch/x86/decode.h"

enum decode_imm { /* what follows the operands */
    IMM_NONE,
    IMM_B,       /* 1 byte */
    IMM_W,       /* 2 */
    IMM_D,       /* 4 */
    IMM_Z,       /* 1 for byte operands, 2 for 16-bit ones, else 4 */
    IMM_V,       /* the operand size, 8 included */
    IMM_JZ,      /* 2 or 4; in 64-bit mode always 4, as Intel does */
    IMM_FAR,     /* an offset of 2 or 4 and a selector */
    IMM_ENTER,   /* 2 and 1 */
    IMM_MOFFS,   /* the address size: the memory operand itself */
    IMM_EXTRQ,   /* 2 with 66 or F2, which make it EXTRQ or INSERTQ */
    IMM_ONE,     /* nothing, and means 1 */
};

enum decode_attr {
    ATTR_IMM = 0xf,        /* enum decode_imm */
    ATTR_MODRM = 1 << 4,
    ATTR_BAD = 1 << 5,     /* no instruction */
    ATTR_BAD64 = 1 << 6,   /* no instruction in 64-bit mode */
    ATTR_MEM = 1 << 7,     /* not with registers */
    ATTR_REG = 1 << 8,     /* not with memory */
    ATTR_MOVCR = 1 << 9,   /* registers, whatever ModRM.mod says */
    ATTR_D64 = 1 << 10,    /* 64-bit operands by default in 64-bit mode */
    ATTR_BYTE = 1 << 11,   /* size of the memory operand; without any of these: the operand size */
    ATTR_WORD = 1 << 12,
    ATTR_MAX4 = 1 << 13,   /* the operand size, but no more than 4 */
    ATTR_DST = 1 << 14,    /* memory is the first operand */
    ATTR_OTHER = 1 << 15,  /* the immediate is the other operand */
    ATTR_EXTEND = 1 << 16, /* the register has the operand size, whatever memory has */
    ATTR_STRING = 1 << 17,
    ATTR_OP_SHIFT = 18,    /* enum insn_op: 6 bits */
    ATTR_GROUP_SHIFT = 24, /* enum decode_group, 4 bits: ModRM.reg selects the rest of the word */
    ATTR_CL = 1 << 28,     /* the other operand is CL */
    ATTR_MIN4 = 1 << 29,   /* the operand size, but no less than 4 */
};

enum decode_group {
    GROUP_NONE, GROUP_ALU, GROUP_POP, GROUP_MOV, GROUP_F6, GROUP_FE, GROUP_FF, GROUP_BT, GROUP_SHIFT, GROUP_C7, GROUPS
};
/* Plain moves of vector registers, by opcode and by prefix: none, 66, F3, F2 (as VEX.pp counts them). 0: no such move. */
enum decode_vmov {
    VMOV_SIZE = 0x1f,  /* bytes in memory: 16 are 32 with VEX.L */
    VMOV_W = 1,        /* 4 bytes, or 8 with REX.W */
    VMOV_MERGE = 0x20, /* a load keeps the rest of the register */
    VMOV_HIGH = 0x40,  /* bits 127:64 */
    VMOV_STORE = 0x80,
};
enum decode_map { MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3, MAPS = 11 }; /* numbers as VEX, EVEX and XOP count them */

#define ATTR_OP(attr)    ((attr) >> ATTR_OP_SHIFT & 0x3f)
#define ATTR_GROUP(attr) ((attr) >> ATTR_GROUP_SHIFT & 0xf)

extern const u32 decode_one_byte[256];
extern const u32 decode_0f[256];
extern const u32 decode_groups[GROUPS][8];
extern const u32 decode_maps[MAPS]; /* same for all opcodes of a map; that of 0F is more varied */
extern const u8 decode_vmov[256][4]; /* of map 0F; row 2A is that of map 0F38 */
