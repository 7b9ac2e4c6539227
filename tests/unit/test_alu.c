/* SPDX-License-Identifier: MIT */
/*
 * Emulated arithmetic against the processor that runs the test.
 * LINK: hv/alu.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hv/alu.h"

static const u64 values[] = { 0, 1, 2, 0xf, 0x10, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
                              0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, 0x123456789abcdef0 };

/* One instruction on the real processor: dst and flags in and out. */
#define REAL(name, type, insn)                                                                                     \
    static u64 real_##name(u64 d, u64 s, u64 *flags)                                                               \
    {                                                                                                              \
        type dst = (type)d, src = (type)s;                                                                         \
        u64 f = (*flags & ALU_FLAGS) | 2;                                                                          \
        /* below the red zone, which the compiler may be using */                                                   \
        __asm__ volatile("lea -128(%%rsp), %%rsp; push %1; popfq; " insn "; pushfq; pop %1; lea 128(%%rsp), %%rsp"   \
                         : "+q"(dst), "+r"(f) : "q"(src) : "cc", "memory");                                        \
        *flags = f & ALU_FLAGS;                                                                                    \
        return dst;                                                                                                \
    }
#define SIZES2(op, mn)                     \
    REAL(op##1, u8, mn "b %2, %0")         \
    REAL(op##2, u16, mn "w %2, %0")        \
    REAL(op##4, u32, mn "l %2, %0")        \
    REAL(op##8, u64, mn "q %2, %0")
#define SIZES1(op, mn)                     \
    REAL(op##1, u8, mn "b %0")             \
    REAL(op##2, u16, mn "w %0")            \
    REAL(op##4, u32, mn "l %0")            \
    REAL(op##8, u64, mn "q %0")
SIZES2(add, "add") SIZES2(adc, "adc") SIZES2(sub, "sub") SIZES2(sbb, "sbb") SIZES2(cmp, "cmp")
SIZES2(and, "and") SIZES2(or, "or") SIZES2(xor, "xor") SIZES2(test, "test")
SIZES1(inc, "inc") SIZES1(dec, "dec") SIZES1(neg, "neg") SIZES1(not, "not")

typedef u64 real_fn(u64 d, u64 s, u64 *flags);
static const struct { enum insn_op op; real_fn *fn[4]; bool no_af; } cases[] = {
#define C(OP, n, af) { INSN_##OP, { real_##n##1, real_##n##2, real_##n##4, real_##n##8 }, af }
    C(ADD, add, false), C(ADC, adc, false), C(SUB, sub, false), C(SBB, sbb, false), C(CMP, cmp, false),
    C(AND, and, true), C(OR, or, true), C(XOR, xor, true), C(TEST, test, true), /* AF is undefined after logic */
    C(INC, inc, false), C(DEC, dec, false), C(NEG, neg, false), C(NOT, not, false),
};

static u64 size_mask(u8 size)
{
    return size == 8 ? ~0ull : BIT(size * 8) - 1;
}

static void check(enum insn_op op, real_fn *fn, bool no_af, u8 size, u64 d, u64 s, u64 flags_in)
{
    u64 expect_flags = flags_in, flags = flags_in | 2, got = 0;
    u64 expect = fn(d, s, &expect_flags);
    u64 compare = no_af ? ALU_FLAGS & ~0x10ull : ALU_FLAGS;

    assert_true(alu(op, size, d, s, &got, &flags));
    if (op != INSN_CMP && op != INSN_TEST)
        assert_int_equal(got & size_mask(size), expect & size_mask(size));
    assert_int_equal(flags & compare, expect_flags & compare);
    assert_int_equal(flags & ~ALU_FLAGS, 2);
}

static void arithmetic_is_the_processors(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(cases); c++)
        for (u32 k = 0; k < 4; k++)
            for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                for (size_t j = 0; j < ARRAY_SIZE(values); j++)
                    for (u64 f = 0; f < 2; f++)
                        check(cases[c].op, cases[c].fn[k], cases[c].no_af, (u8)(1u << k), values[i], values[j],
                              f ? ALU_FLAGS : 0);
}

static void bit_tests(void **state)
{
    u64 flags = 2, r;

    (void)state;
    assert_true(alu(INSN_BTS, 4, 0x10, 4, &r, &flags));
    assert_int_equal(r, 0x10);
    assert_int_equal(flags, 3); /* it was set */
    assert_true(alu(INSN_BTR, 4, 0x10, 4, &r, &flags));
    assert_int_equal(r, 0);
    assert_true(alu(INSN_BTC, 8, 0, 63, &r, &flags));
    assert_int_equal(r, BIT(63));
    assert_int_equal(flags, 2);
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
        cmocka_unit_test(arithmetic_is_the_processors),
        cmocka_unit_test(bit_tests),
        cmocka_unit_test(others_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
