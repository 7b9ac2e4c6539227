/* SPDX-License-Identifier: MIT */
/*
 * Emulated arithmetic, which is the processor's own, against a model written from the manual.
 * LINK: hv/alu.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

/* A bit at a time. SDM 2, SAL/SAR/SHL/SHR and RCL/RCR/ROL/ROR: OF is defined for a count of one only, AF never after shifts. */
static u64 shift(enum insn_op op, u8 size, u64 a, u64 count, u64 *rflags)
{
    u64 top = BIT(size * 8 - 1), cf = *rflags & F_CF, old = 0;

    count &= size == 8 ? 63 : 31;
    for (u64 i = 0; i < count; i++) {
        bool left = op == INSN_ROL || op == INSN_RCL || op == INSN_SHL;
        u64 out = left ? !!(a & top) : a & 1, in = op == INSN_ROL || op == INSN_ROR ? out : op == INSN_RCL || op == INSN_RCR ? cf : 0;

        if (op == INSN_SAR)
            in = !!(a & top);
        old = a;
        a = (left ? a << 1 | in : a >> 1 | in * top) & mask_of(size);
        cf = out;
    }
    if (count) {
        *rflags = (*rflags & ~(u64)(F_CF | F_OF)) | cf | ((a ^ old) & top ? F_OF : 0);
        if (op >= INSN_SHL)
            *rflags = (*rflags & ~(u64)(F_ZF | F_SF | F_PF)) | zsp(a, size);
    }
    return a;
}

static bool model(enum insn_op op, u8 size, u64 dst, u64 src, u64 *result, u64 *rflags)
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
    case INSN_IMUL:
        *result = a * b & mask_of(size);
        return true; /* flags: see imul() */
    default:
        if (op >= INSN_ROL && op <= INSN_SAR) {
            *result = shift(op, size, a, src, rflags);
            return true;
        }
        if (!logic(op, size, a, b, result, &f))
            return false;
        break;
    }
    *rflags = (*rflags & (~ALU_FLAGS | keep)) | (f & ~keep);
    return true;
}

static const u64 values[] = { 0, 1, 2, 7, 8, 9, 0xf, 0x10, 0x1f, 0x20, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
                              0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, 0x123456789abcdef0 };

static u64 defined(enum insn_op op, u8 size, u64 src)
{
    u64 count = src & (size == 8 ? 63 : 31);

    if (op == INSN_IMUL)
        return 0;
    if (op >= INSN_ROL && op <= INSN_SAR) {
        u64 flags = ALU_FLAGS & ~(u64)(F_AF | (count == 1 ? 0 : F_OF));

        if (op >= INSN_SHL && count >= size * 8u)
            flags &= ~(u64)F_CF;
        return count ? flags : ALU_FLAGS;
    }
    if (op >= INSN_BT && op <= INSN_BTC)
        return F_CF | F_ZF;
    return op == INSN_AND || op == INSN_OR || op == INSN_XOR || op == INSN_TEST ? ALU_FLAGS & ~(u64)F_AF : ALU_FLAGS;
}

static void check(enum insn_op op, u8 size, u64 d, u64 s, u64 flags_in)
{
    u64 want_flags = flags_in | 2, flags = flags_in | 2, got = 0, want = 0, bit = s & (size * 8u - 1);
    bool bits = op >= INSN_BT && op <= INSN_BTC;

    assert_true(alu(op, size, d, s, &got, &flags));
    assert_true(model(op, size, d, bits ? bit : s, &want, &want_flags));
    if (op != INSN_CMP && op != INSN_TEST && ((got ^ want) & mask_of(size)))
        fail_msg("op %d size %d: %lx, %lx: %lx, not %lx", op, size, d, s, got, want);
    if ((flags ^ want_flags) & defined(op, size, s))
        fail_msg("op %d size %d: %lx, %lx, flags %lx: flags %lx, not %lx", op, size, d, s, flags_in, flags, want_flags);
    assert_int_equal(flags & ~ALU_FLAGS, 2);
}

static void as_the_manual_says(void **state)
{
    static const enum insn_op ops[] = { INSN_ADD, INSN_ADC, INSN_SUB, INSN_SBB, INSN_CMP, INSN_AND, INSN_OR, INSN_XOR, INSN_TEST,
                                        INSN_INC, INSN_DEC, INSN_NEG, INSN_NOT, INSN_ROL, INSN_ROR, INSN_RCL, INSN_RCR, INSN_SHL,
                                        INSN_SHR, INSN_SAR, INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC, INSN_IMUL };

    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(ops); c++)
        for (u32 k = (ops[c] >= INSN_BT && ops[c] <= INSN_BTC) || ops[c] == INSN_IMUL; k < 4; k++)
            for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                for (size_t j = 0; j < ARRAY_SIZE(values); j++)
                    for (u64 f = 0; f < 4; f++)
                        check(ops[c], (u8)(1u << k), values[i], values[j], (f & 1 ? F_CF : 0) | (f & 2 ? ALU_FLAGS & ~1ull : 0));
}

/* CF and OF: the product does not fit. */
static void imul(void **state)
{
    u64 flags = 2, r;

    (void)state;
    assert_true(alu(INSN_IMUL, 2, 0x100, 0x7f, &r, &flags));
    assert_int_equal(r, 0x7f00);
    assert_int_equal(flags & (F_CF | F_OF), 0);
    assert_true(alu(INSN_IMUL, 2, 0x100, 0x80, &r, &flags));
    assert_int_equal(r & 0xffff, 0x8000);
    assert_int_equal(flags & (F_CF | F_OF), F_CF | F_OF);
}

static void others_are_refused(void **state)
{
    u64 flags = 0, r;

    (void)state;
    assert_false(alu(INSN_MOV, 4, 0, 0, &r, &flags));
    assert_false(alu(INSN_OTHER, 4, 0, 0, &r, &flags));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_manual_says),
        cmocka_unit_test(imul),
        cmocka_unit_test(others_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
