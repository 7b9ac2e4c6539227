/* SPDX-License-Identifier: MIT */
/* Arithmetic with flags, as SDM 2 describes each instruction. */
#include "hv/alu.h"

enum { F_CF = 1, F_PF = 4, F_AF = 0x10, F_ZF = 0x40, F_SF = 0x80, F_OF = 0x800 };

static u64 mask_of(u8 size)
{
    return size >= 8 ? ~0ull : BIT(size * 8) - 1;
}

static u64 zsp(u64 r, u8 size)
{
    u64 f = 0;

    if (!(r & mask_of(size)))
        f |= F_ZF;
    if (r & BIT(size * 8 - 1))
        f |= F_SF;
    if (!__builtin_parity((u8)r))
        f |= F_PF;
    return f;
}

static u64 add(u64 a, u64 b, u64 carry, u8 size, u64 *flags)
{
    u64 m = mask_of(size);
    u64 r = (a + b + carry) & m;
    u64 f = zsp(r, size);

    if (r < a || (carry && r == a))
        f |= F_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= F_AF;
    if ((~(a ^ b) & (a ^ r)) & BIT(size * 8 - 1))
        f |= F_OF;
    *flags = f;
    return r;
}

static u64 sub(u64 a, u64 b, u64 borrow, u8 size, u64 *flags)
{
    u64 m = mask_of(size);
    u64 r = (a - b - borrow) & m;
    u64 f = zsp(r, size);

    if (a < b || (borrow && a == b))
        f |= F_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= F_AF;
    if (((a ^ b) & (a ^ r)) & BIT(size * 8 - 1))
        f |= F_OF;
    *flags = f;
    return r;
}

static u64 bit_op(enum insn_op op, u64 dst, u64 bit)
{
    switch (op) {
    case INSN_BTS:
        return dst | bit;
    case INSN_BTR:
        return dst & ~bit;
    case INSN_BTC:
        return dst ^ bit;
    default:
        return dst;
    }
}

static bool logic(enum insn_op op, u8 size, u64 a, u64 b, u64 *r, u64 *f)
{
    switch (op) {
    case INSN_OR:
        *r = a | b;
        break;
    case INSN_AND:
    case INSN_TEST:
        *r = a & b;
        break;
    case INSN_XOR:
        *r = a ^ b;
        break;
    default:
        return false;
    }
    *f = zsp(*r, size); /* CF and OF are cleared */
    return true;
}

bool alu(enum insn_op op, u8 size, u64 dst, u64 src, u64 *result, u64 *rflags)
{
    u64 cf = *rflags & F_CF;
    u64 a = dst & mask_of(size);
    u64 b = src & mask_of(size);
    u64 keep = 0;
    u64 f = 0;

    switch (op) {
    case INSN_ADD:
        *result = add(a, b, 0, size, &f);
        break;
    case INSN_ADC:
        *result = add(a, b, cf, size, &f);
        break;
    case INSN_SUB:
    case INSN_CMP:
        *result = sub(a, b, 0, size, &f);
        break;
    case INSN_SBB:
        *result = sub(a, b, cf, size, &f);
        break;
    case INSN_NEG:
        *result = sub(0, a, 0, size, &f);
        break;
    case INSN_INC:
        *result = add(a, 1, 0, size, &f);
        keep = F_CF;
        break;
    case INSN_DEC:
        *result = sub(a, 1, 0, size, &f);
        keep = F_CF;
        break;
    case INSN_NOT:
        *result = ~a & mask_of(size);
        return true;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        *result = bit_op(op, a, BIT(src));
        f = a & BIT(src) ? F_CF : 0;
        keep = ALU_FLAGS & ~(u64)F_CF;
        break;
    default:
        if (!logic(op, size, a, b, result, &f))
            return false;
        break;
    }
    *rflags = (*rflags & (~ALU_FLAGS | keep)) | (f & ~keep);
    return true;
}
