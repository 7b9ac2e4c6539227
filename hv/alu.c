/* SPDX-License-Identifier: MIT */
/* Arithmetic with flags: the processor's own, on registers. */
#include "hv/alu.h"

#define RFLAGS_OF_SHIFT 11

/*
 * Flags go in and out through AH (SF ZF AF PF CF) and AL (OF: 7FH + 1 overflows), which needs no stack. %1 is the destination,
 * %2 the source and CL; their types give the instruction its size.
 */
#define RUN(type, insn)                                                                                  \
    do {                                                                                                 \
        type d = (type)dst;                                                                              \
        __asm__("addb $0x7f, %%al; sahf; " insn "; lahf; seto %%al"                                      \
                : "+a"(flags), "+q"(d) : "c"((type)src) : "cc");                                         \
        *result = d;                                                                                     \
    } while (0)
#define WIDE(insn) /* there is no form for bytes */                                                      \
    do {                                                                                                 \
        if (size == 8)                                                                                   \
            RUN(u64, insn);                                                                              \
        else if (size == 4)                                                                              \
            RUN(u32, insn);                                                                              \
        else                                                                                             \
            RUN(u16, insn);                                                                              \
    } while (0)
#define ANY(insn)                                                                                        \
    do {                                                                                                 \
        if (size == 1)                                                                                   \
            RUN(u8, insn);                                                                               \
        else                                                                                             \
            WIDE(insn);                                                                                  \
    } while (0)

bool alu(enum insn_op op, u8 size, u64 dst, u64 src, u64 *result, u64 *rflags)
{
    u16 flags = (u16)(*rflags << 8 | (*rflags >> RFLAGS_OF_SHIFT & 1));

    switch (op) {
    case INSN_ADD: ANY("add %2, %1"); break;
    case INSN_ADC: ANY("adc %2, %1"); break;
    case INSN_SUB: ANY("sub %2, %1"); break;
    case INSN_SBB: ANY("sbb %2, %1"); break;
    case INSN_CMP: ANY("cmp %2, %1"); break;
    case INSN_AND: ANY("and %2, %1"); break;
    case INSN_OR: ANY("or %2, %1"); break;
    case INSN_XOR: ANY("xor %2, %1"); break;
    case INSN_TEST: ANY("test %2, %1"); break;
    case INSN_INC: ANY("inc %1"); break;
    case INSN_DEC: ANY("dec %1"); break;
    case INSN_NEG: ANY("neg %1"); break;
    case INSN_NOT: ANY("not %1"); break;
    case INSN_ROL: ANY("rol %%cl, %1"); break;
    case INSN_ROR: ANY("ror %%cl, %1"); break;
    case INSN_RCL: ANY("rcl %%cl, %1"); break;
    case INSN_RCR: ANY("rcr %%cl, %1"); break;
    case INSN_SHL: ANY("shl %%cl, %1"); break;
    case INSN_SHR: ANY("shr %%cl, %1"); break;
    case INSN_SAR: ANY("sar %%cl, %1"); break;
    case INSN_BT: WIDE("bt %2, %1"); break;
    case INSN_BTS: WIDE("bts %2, %1"); break;
    case INSN_BTR: WIDE("btr %2, %1"); break;
    case INSN_BTC: WIDE("btc %2, %1"); break;
    case INSN_IMUL: WIDE("imul %2, %1"); break;
    default: return false;
    }
    *rflags = (*rflags & ~ALU_FLAGS) | ((flags >> 8 | (u64)(flags & 1) << RFLAGS_OF_SHIFT) & ALU_FLAGS);
    return true;
}
