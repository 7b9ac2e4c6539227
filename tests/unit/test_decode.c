/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder: lengths by form and mode, operands of the instructions that are emulated, and its limits.
 * LINK: arch/x86/decode.c arch/x86/decode_tables.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/decode.h"
#include "arch/x86/vm.h"

#define NONE 0xff

enum { M16 = 1, M32 = 2, M64 = 4, LEGACY = 3, ALL = 7 }; /* sets of modes */

static u8 parse(const char *hex, u8 *bytes)
{
    u8 n = 0;

    for (char *end; *hex; hex = end) {
        bytes[n++] = (u8)strtoul(hex, &end, 16);
        if (*end)
            end++;
    }
    return n;
}

/* Decodes out of memory that ends where the bytes end: the sanitizer watches. */
static bool decode(const char *hex, enum insn_mode mode, struct insn *in)
{
    u8 bytes[64], n = parse(hex, bytes), *exact = malloc(n ? n : 1u);
    bool ok;

    memcpy(exact, bytes, n);
    ok = insn_decode(exact, n, mode, in);
    free(exact);
    return ok;
}

static struct insn must(const char *hex, enum insn_mode mode)
{
    u8 bytes[64], n = parse(hex, bytes);
    struct insn in;

    if (!decode(hex, mode, &in) || in.len != n)
        fail_msg("%s: length %d of %d", hex, in.len, n);
    return in;
}

/* Every form: the whole is accepted with its length in the modes named, no part of it is, and more bytes change nothing. */
static void test_lengths(void **state)
{
    static const struct { u8 modes; const char *hex; } forms[] = {
        { ALL, "90" }, { ALL, "f4" }, { ALL, "f3 90" }, { ALL, "0f a2" }, { ALL, "0f 30" }, { ALL, "0f 01 d9" }, { ALL, "0f 01 c1" },
        { ALL, "0f 01 d1" }, { ALL, "0f 08" }, { ALL, "0f 09" }, { ALL, "0f 0b" }, { ALL, "0f 0f c1 b4" }, { ALL, "0f 22 c0" },
        { ALL, "0f 20 05" }, { M64, "44 0f 20 c0" }, { ALL, "f1" }, { ALL, "cc" }, { ALL, "cd 80" },
        { ALL, "e4 60" }, { ALL, "ec" }, { ALL, "66 ed" }, { ALL, "f3 6c" }, { ALL, "66 f3 67 6f" },
        { M16, "05 34 12" }, { M16, "66 05 78 56 34 12" }, { M32 | M64, "05 78 56 34 12" }, { M32 | M64, "66 05 34 12" },
        { M64, "48 05 78 56 34 12" }, { M64, "48 b8 88 77 66 55 44 33 22 11" }, { M32 | M64, "b8 78 56 34 12" }, { M16, "b8 34 12" },
        { M16, "a1 34 12" }, { M32, "a1 78 56 34 12" }, { M64, "a1 88 77 66 55 44 33 22 11" }, { M64, "67 a1 78 56 34 12" },
        { M32, "67 a0 34 12" }, { M16, "67 a0 78 56 34 12" },
        { M16, "e8 34 12" }, { M32 | M64, "e8 78 56 34 12" }, { M32, "66 e8 34 12" }, { M64, "66 e8 78 56 34 12" },
        { M16, "0f 84 34 12" }, { M32 | M64, "0f 84 78 56 34 12" }, { ALL, "74 fe" }, { ALL, "e3 fe" },
        { M16, "ea 34 12 00 10" }, { M16, "66 ea 78 56 34 12 08 00" }, { M32, "9a 78 56 34 12 08 00" }, { M32, "66 9a 34 12 08 00" },
        { ALL, "c8 10 00 01" }, { ALL, "c2 08 00" }, { ALL, "ca 08 00" }, { M64, "66 48 c2 08 00" },
        { M16, "68 34 12" }, { M32 | M64, "68 78 56 34 12" }, { M64, "66 68 34 12" }, { ALL, "6a 01" },
        { M16, "69 c0 34 12" }, { M32 | M64, "69 c0 78 56 34 12" }, { ALL, "6b c0 01" },
        { M16, "8b 06 34 12" }, { M16, "8b 46 01" }, { M16, "8b 86 34 12" }, { M16, "8b 04" }, { M16, "67 8b 04 24" },
        { M32 | M64, "8b 05 78 56 34 12" }, { M32 | M64, "8b 04 25 78 56 34 12" }, { M32 | M64, "8b 44 24 08" },
        { M32 | M64, "8b 84 24 78 56 34 12" }, { M32, "67 8b 06 34 12" }, { M64, "67 8b 04 24" },
        { ALL, "f6 c0 01" }, { ALL, "f6 d0" }, { ALL, "f7 d8" }, { M16, "f7 c0 34 12" }, { M32 | M64, "f7 c0 78 56 34 12" },
        { M64, "48 f7 c0 78 56 34 12" }, { ALL, "fe c0" }, { ALL, "ff d0" }, { ALL, "80 f8 01" }, { ALL, "83 f8 01" },
        { LEGACY, "82 f8 01" }, { M16, "81 f8 34 12" }, { M32 | M64, "81 f8 78 56 34 12" }, { ALL, "c6 00 01" },
        { ALL, "c6 f8 01" }, { M32 | M64, "c7 f8 78 56 34 12" }, { ALL, "8f c0" }, { ALL, "c1 e0 04" }, { ALL, "d1 e0" },
        { LEGACY, "06" }, { LEGACY, "1f" }, { LEGACY, "27" }, { LEGACY, "37" }, { LEGACY, "60" }, { LEGACY, "61" }, { LEGACY, "ce" },
        { LEGACY, "d4 0a" }, { LEGACY, "d6" }, { LEGACY, "40" }, { LEGACY, "4f" }, { LEGACY, "63 c0" }, { M64, "48 63 c0" },
        { M16, "c4 06 34 12" }, { M32, "c5 00" }, { M32, "62 00" }, { ALL, "0f b2 00" },
        { ALL, "0f ba e0 01" }, { ALL, "0f a4 c0 01" }, { ALL, "0f ac c0 01" }, { ALL, "0f c2 c1 00" }, { ALL, "0f c6 c1 00" },
        { ALL, "66 0f 70 c1 00" }, { ALL, "0f 71 d0 04" }, { ALL, "0f 38 00 c1" }, { ALL, "66 0f 38 17 c1" },
        { ALL, "f2 0f 38 f0 c1" }, { ALL, "66 0f 3a 0f c1 04" }, { M64, "66 48 0f 3a 16 c0 01" },
        { ALL, "66 0f 78 c0 01 02" }, { ALL, "f2 0f 78 c1 01 02" }, { ALL, "0f 78 c1" }, { ALL, "0f 1f 40 00" }, { ALL, "0f ae f0" },
        { ALL, "f3 0f 1e fa" }, { ALL, "0f c7 f0" }, { ALL, "0f c8" }, { ALL, "0f b9 c0" }, { ALL, "dd c0" },
        /* VEX, EVEX, XOP */
        { ALL, "c5 f8 77" }, { ALL, "c5 f8 58 c1" }, { ALL, "c5 f9 70 c1 00" }, { ALL, "c5 f8 c2 c1 00" }, { ALL, "c5 f8 ae d0" },
        { ALL, "c4 e2 79 18 c1" }, { ALL, "c4 e3 79 0f c1 04" }, { ALL, "c4 e1 78 58 c1" }, { M64, "c5 78 58 05 78 56 34 12" },
        { M64, "c4 41 78 58 c1" }, { ALL, "62 f1 7c 48 58 c1" }, { M32 | M64, "62 f1 7c 48 58 44 24 01" },
        { ALL, "62 f3 75 48 03 c1 01" }, { ALL, "62 f1 7d 48 70 c1 00" }, { ALL, "62 f5 7c 48 58 c1" }, { ALL, "62 f6 7d 48 98 c1" },
        { M64, "62 61 7c 48 58 c1" }, { ALL, "8f e8 78 c0 c1 01" }, { ALL, "8f e9 78 90 c1" }, { ALL, "8f ea 78 10 c1 78 56 34 12" },
        /* prefixes, any number and order; REX only where it counts */
        { ALL, "f3 66 f2 67 2e 3e 64 90" }, { M64, "66 48 b8 88 77 66 55 44 33 22 11" }, { M64, "48 66 b8 34 12" },
        { M64, "40 41 b8 78 56 34 12" }, { ALL, "f0 0f b1 00" },
        { M32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90" }, { M64, "66 66 2e 0f 1f 84 00 00 00 00 00" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        for (enum insn_mode mode = INSN_16; mode <= INSN_64; mode++) {
            u8 bytes[32] = { 0 }, n = parse(forms[i].hex, bytes);
            struct insn in;

            if (!(forms[i].modes >> mode & 1))
                continue;
            must(forms[i].hex, mode);
            for (u8 part = 0; part < n; part++) {
                if (insn_decode(bytes, part, mode, &in))
                    fail_msg("%s: accepted with %d bytes", forms[i].hex, part);
            }
            memset(bytes + n, 0xcc, sizeof(bytes) - n);
            assert_true(insn_decode(bytes, 30, mode, &in));
            assert_int_equal(in.len, n);
        }
    }
}

static void test_not_instructions(void **state)
{
    static const struct { enum insn_mode mode; const char *hex; } bad[] = {
        { INSN_64, "" }, { INSN_64, "06" }, { INSN_64, "27" }, { INSN_64, "60" }, { INSN_64, "82 f8 01" }, { INSN_64, "ce" },
        { INSN_64, "9a 00 00 00 00 08 00" }, { INSN_64, "ea 00 00 00 00 08 00" }, { INSN_64, "d4 0a" }, { INSN_64, "d6" },
        { INSN_32, "0f 04" }, { INSN_32, "0f 0a" }, { INSN_32, "0f 24 c0" }, { INSN_32, "0f 3c" }, { INSN_32, "0f a6 c0" },
        { INSN_32, "8d c0" }, { INSN_32, "c6 c8 01" }, { INSN_32, "c6 38 01" }, { INSN_32, "fe d0" }, { INSN_32, "ff f8" },
        { INSN_32, "ff d8" }, { INSN_32, "8f c8" }, { INSN_32, "0f ba c0 01" }, { INSN_32, "0f c3 c0" }, { INSN_32, "0f b2 c0" },
        { INSN_64, "66 c5 f8 77" }, { INSN_64, "48 c5 f8 77" }, { INSN_64, "f0 c5 f8 77" }, { INSN_64, "f3 c4 e1 78 58 c1" },
        { INSN_64, "c4 e0 78 58 c1" }, { INSN_64, "c4 e4 78 58 c1 01" }, { INSN_64, "62 f8 7c 48 58 c1 01" },
        { INSN_64, "62 f1 78 48 58 c1" }, { INSN_64, "8f eb 78 10 c1 00 00 00 00" },
        { INSN_32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90" }, { INSN_64, "66 66 66 66 66 66 66 66 66 66 48 05 01 00 00 00" },
        { INSN_64, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e" },
    };
    struct insn in;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        if (decode(bad[i].hex, bad[i].mode, &in))
            fail_msg("%s: accepted", bad[i].hex);
    }
}

static void expect_mem(const struct insn *in, u8 seg, u8 base, u8 index, u8 scale, s64 disp)
{
    assert_true(in->has_mem);
    assert_int_equal(in->seg, seg);
    assert_int_equal(in->base, base);
    assert_int_equal(in->index, index);
    assert_int_equal(in->scale, scale);
    assert_int_equal(in->disp, disp);
}

static void test_addresses_16(void **state)
{
    static const struct { u8 base, index, seg; } by_rm[8] = {
        { 3, 6, X86_DS }, { 3, 7, X86_DS }, { 5, 6, X86_SS }, { 5, 7, X86_SS },
        { 6, NONE, X86_DS }, { 7, NONE, X86_DS }, { 5, NONE, X86_SS }, { 3, NONE, X86_DS },
    };

    struct insn in;

    (void)state;
    for (u8 rm = 0; rm < 8; rm++) {
        u8 bytes[4] = { 0x8b, (u8)(0x80 | rm), 0xfe, 0xff };

        assert_true(insn_decode(bytes, 4, INSN_16, &in));
        expect_mem(&in, by_rm[rm].seg, by_rm[rm].base, by_rm[rm].index, by_rm[rm].index == NONE ? NONE : 1, -2);
        assert_int_equal(in.addr_size, 2);
        assert_int_equal(in.op_size, 2);
    }
    in = must("8b 0e 34 82", INSN_16);
    expect_mem(&in, X86_DS, NONE, NONE, NONE, -0x7dcc);
    in = must("2e 8b 46 fe", INSN_16);
    expect_mem(&in, X86_CS, 5, NONE, NONE, -2);
}

static void test_addresses_32_and_64(void **state)
{
    struct insn in;

    (void)state;
    in = must("8b 40 80", INSN_32);
    expect_mem(&in, X86_DS, 0, NONE, NONE, -128);
    in = must("8b 45 00", INSN_32);
    expect_mem(&in, X86_SS, 5, NONE, NONE, 0);
    in = must("8b 04 24", INSN_32);
    expect_mem(&in, X86_SS, 4, NONE, NONE, 0);
    in = must("8b 84 cb 78 56 34 82", INSN_32);
    expect_mem(&in, X86_DS, 3, 1, 8, (int)0x82345678);
    in = must("8b 04 8d 00 00 e0 fe", INSN_32);
    expect_mem(&in, X86_DS, NONE, 1, 4, (int)0xfee00000);
    in = must("8b 05 20 00 e0 fe", INSN_32);
    expect_mem(&in, X86_DS, NONE, NONE, NONE, (int)0xfee00020);
    assert_false(in.rip_relative);
    in = must("8b 05 20 00 00 00", INSN_64);
    expect_mem(&in, X86_DS, NONE, NONE, NONE, 0x20);
    assert_true(in.rip_relative);
    in = must("8b 04 25 20 00 e0 fe", INSN_64);
    expect_mem(&in, X86_DS, NONE, NONE, NONE, (int)0xfee00020);
    assert_false(in.rip_relative);
    in = must("47 8b 4c e5 08", INSN_64); /* r13 + r12 * 8: R12 is an index, R13 a base in DS */
    expect_mem(&in, X86_DS, 13, 12, 8, 8);
    assert_int_equal(in.reg, 9);
    in = must("41 8b 04 24", INSN_64);
    expect_mem(&in, X86_DS, 12, NONE, NONE, 0);
    in = must("41 8b 45 00", INSN_64);
    expect_mem(&in, X86_DS, 13, NONE, NONE, 0);
    in = must("67 8b 03", INSN_64);
    assert_int_equal(in.addr_size, 4);
    in = must("67 8b 03", INSN_16);
    assert_int_equal(in.addr_size, 4);
    expect_mem(&in, X86_DS, 3, NONE, NONE, 0);
}

static void test_segments(void **state)
{
    (void)state;
    assert_int_equal(must("26 8b 00", INSN_32).seg, X86_ES);
    assert_int_equal(must("36 8b 00", INSN_32).seg, X86_SS);
    assert_int_equal(must("3e 8b 45 00", INSN_32).seg, X86_DS);
    assert_int_equal(must("64 26 8b 00", INSN_32).seg, X86_ES);
    assert_int_equal(must("65 8b 04 25 00 00 00 00", INSN_64).seg, X86_GS);
    assert_int_equal(must("64 26 8b 00", INSN_64).seg, X86_FS); /* ES, CS, SS, DS mean nothing in 64-bit mode */
    assert_int_equal(must("2e 8b 00", INSN_64).seg, X86_DS);
}

struct form {
    const char *hex;
    enum insn_op op;
    u8 op_size, reg_size, reg;
    bool mem_dst, has_imm;
    u64 imm;
};

static void check_forms(const struct form *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct insn in = must(f[i].hex, INSN_64);

        if (in.op != f[i].op || in.op_size != f[i].op_size || in.reg_size != f[i].reg_size || in.mem_dst != f[i].mem_dst ||
            in.has_imm != f[i].has_imm || !in.has_mem || (f[i].has_imm ? in.imm != f[i].imm : in.reg != f[i].reg))
            fail_msg("%s: op %d size %d/%d reg %d dst %d imm %d %llx", f[i].hex, in.op, in.op_size, in.reg_size, in.reg, in.mem_dst,
                     in.has_imm, (unsigned long long)in.imm);
    }
}

static void test_moves(void **state)
{
    static const struct form forms[] = {
        { "88 08", INSN_MOV, 1, 1, 1, true, false, 0 },
        { "89 08", INSN_MOV, 4, 4, 1, true, false, 0 },
        { "66 89 08", INSN_MOV, 2, 2, 1, true, false, 0 },
        { "4c 89 08", INSN_MOV, 8, 8, 9, true, false, 0 },
        { "8a 08", INSN_MOV, 1, 1, 1, false, false, 0 },
        { "40 8a 30", INSN_MOV, 1, 1, 6, false, false, 0 },
        { "44 8b 08", INSN_MOV, 4, 4, 9, false, false, 0 },
        { "c6 00 80", INSN_MOV, 1, 1, 0, true, true, 0x80 },
        { "66 c7 00 34 92", INSN_MOV, 2, 2, 0, true, true, 0x9234 },
        { "c7 00 78 56 34 92", INSN_MOV, 4, 4, 0, true, true, 0x92345678 },
        { "48 c7 00 78 56 34 92", INSN_MOV, 8, 8, 0, true, true, 0xffffffff92345678 },
        { "a0 00 00 e0 fe 00 00 00 00", INSN_MOV, 1, 1, 0, false, false, 0 },
        { "48 a3 00 00 e0 fe 00 00 00 00", INSN_MOV, 8, 8, 0, true, false, 0 },
        { "0f b6 08", INSN_MOVZX, 1, 4, 1, false, false, 0 },
        { "66 0f b6 28", INSN_MOVZX, 1, 2, 5, false, false, 0 },
        { "4c 0f b7 08", INSN_MOVZX, 2, 8, 9, false, false, 0 },
        { "0f be 28", INSN_MOVSX, 1, 4, 5, false, false, 0 },
        { "0f bf 08", INSN_MOVSX, 2, 4, 1, false, false, 0 },
        { "48 63 08", INSN_MOVSX, 4, 8, 1, false, false, 0 },
        { "63 08", INSN_MOVSX, 4, 4, 1, false, false, 0 },
        { "0f 38 f0 08", INSN_MOVBE, 4, 4, 1, false, false, 0 },
        { "66 0f 38 f1 08", INSN_MOVBE, 2, 2, 1, true, false, 0 },
        { "48 0f c3 08", INSN_MOV, 8, 8, 1, true, false, 0 },
    };
    struct insn in = must("a1 88 77 66 55 44 33 22 f1", INSN_64);

    (void)state;
    check_forms(forms, ARRAY_SIZE(forms));
    expect_mem(&in, X86_DS, NONE, NONE, NONE, (s64)0xf122334455667788);
    in = must("64 a2 34 f2", INSN_16);
    expect_mem(&in, X86_FS, NONE, NONE, NONE, 0xf234);
    assert_int_equal(must("63 08", INSN_32).op, INSN_OTHER);
}

static void test_arithmetic(void **state)
{
    static const struct form forms[] = {
        { "00 08", INSN_ADD, 1, 1, 1, true, false, 0 },      { "01 08", INSN_ADD, 4, 4, 1, true, false, 0 },
        { "02 08", INSN_ADD, 1, 1, 1, false, false, 0 },     { "03 08", INSN_ADD, 4, 4, 1, false, false, 0 },
        { "09 08", INSN_OR, 4, 4, 1, true, false, 0 },       { "11 08", INSN_ADC, 4, 4, 1, true, false, 0 },
        { "19 08", INSN_SBB, 4, 4, 1, true, false, 0 },      { "23 08", INSN_AND, 4, 4, 1, false, false, 0 },
        { "29 08", INSN_SUB, 4, 4, 1, true, false, 0 },      { "31 08", INSN_XOR, 4, 4, 1, true, false, 0 },
        { "39 08", INSN_CMP, 4, 4, 1, true, false, 0 },      { "3b 08", INSN_CMP, 4, 4, 1, false, false, 0 },
        { "80 00 ff", INSN_ADD, 1, 1, 0, true, true, 0xff }, { "80 38 01", INSN_CMP, 1, 1, 0, true, true, 1 },
        { "83 08 fe", INSN_OR, 4, 4, 0, true, true, 0xfffffffe },
        { "48 83 20 fe", INSN_AND, 8, 8, 0, true, true, 0xfffffffffffffffe },
        { "66 83 30 fe", INSN_XOR, 2, 2, 0, true, true, 0xfffe },
        { "66 81 28 34 12", INSN_SUB, 2, 2, 0, true, true, 0x1234 },
        { "48 81 10 00 00 00 80", INSN_ADC, 8, 8, 0, true, true, 0xffffffff80000000 },
        { "81 18 01 00 00 00", INSN_SBB, 4, 4, 0, true, true, 1 },
        { "84 08", INSN_TEST, 1, 1, 1, true, false, 0 },     { "85 08", INSN_TEST, 4, 4, 1, true, false, 0 },
        { "f6 00 80", INSN_TEST, 1, 1, 0, true, true, 0x80 },
        { "f7 00 00 00 00 80", INSN_TEST, 4, 4, 0, true, true, 0x80000000 },
        { "f6 10", INSN_NOT, 1, 1, 2, true, false, 0 },      { "f7 18", INSN_NEG, 4, 4, 3, true, false, 0 },
        { "fe 00", INSN_INC, 1, 1, 0, true, false, 0 },      { "48 ff 08", INSN_DEC, 8, 8, 1, true, false, 0 },
        { "86 08", INSN_XCHG, 1, 1, 1, true, false, 0 },     { "48 87 08", INSN_XCHG, 8, 8, 1, true, false, 0 },
        { "f0 0f b0 08", INSN_CMPXCHG, 1, 1, 1, true, false, 0 },
        { "f0 48 0f b1 08", INSN_CMPXCHG, 8, 8, 1, true, false, 0 },
        { "0f a3 08", INSN_BT, 4, 4, 1, true, false, 0 },    { "0f ab 08", INSN_BTS, 4, 4, 1, true, false, 0 },
        { "0f b3 08", INSN_BTR, 4, 4, 1, true, false, 0 },   { "0f bb 08", INSN_BTC, 4, 4, 1, true, false, 0 },
        { "0f ba 20 1f", INSN_BT, 4, 4, 0, true, true, 0x1f }, { "0f ba 28 1f", INSN_BTS, 4, 4, 0, true, true, 0x1f },
        { "0f ba 30 1f", INSN_BTR, 4, 4, 0, true, true, 0x1f }, { "48 0f ba 38 3f", INSN_BTC, 8, 8, 0, true, true, 0x3f },
        { "ff 30", INSN_PUSH, 8, 8, 6, false, false, 0 },    { "66 ff 30", INSN_PUSH, 2, 2, 6, false, false, 0 },
        { "8f 00", INSN_POP, 8, 8, 0, true, false, 0 },
        { "0f c0 08", INSN_XADD, 1, 1, 1, true, false, 0 },  { "48 0f c1 08", INSN_XADD, 8, 8, 1, true, false, 0 },
        { "0f c7 08", INSN_CMPXCHG8B, 8, 4, 1, true, false, 0 }, { "48 0f c7 08", INSN_CMPXCHG8B, 16, 8, 1, true, false, 0 },
        { "0f af 08", INSN_IMUL, 4, 4, 1, false, false, 0 }, { "6b 08 fe", INSN_IMUL, 4, 4, 1, false, true, 0xfffffffe },
        { "66 69 08 34 12", INSN_IMUL, 2, 2, 1, false, true, 0x1234 },
        { "0f 94 00", INSN_SETCC, 1, 1, 0, true, false, 0 }, { "48 0f 4f 08", INSN_CMOVCC, 8, 8, 1, false, false, 0 },
        { "c0 00 04", INSN_ROL, 1, 1, 0, true, true, 4 },    { "c1 08 04", INSN_ROR, 4, 4, 1, true, true, 4 },
        { "d0 10", INSN_RCL, 1, 1, 2, true, true, 1 },       { "48 d1 18", INSN_RCR, 8, 8, 3, true, true, 1 },
        { "d2 20", INSN_SHL, 1, 1, 1, true, false, 0 },      { "66 d3 28", INSN_SHR, 2, 2, 1, true, false, 0 },
        { "d3 30", INSN_SHL, 4, 4, 1, true, false, 0 },      { "d3 38", INSN_SAR, 4, 4, 1, true, false, 0 },
    };

    (void)state;
    check_forms(forms, ARRAY_SIZE(forms));
    assert_int_equal(must("ff 30", INSN_32).op_size, 4);
    assert_int_equal(must("ff 10", INSN_32).op, INSN_OTHER);
    assert_int_equal(must("f7 20", INSN_32).op, INSN_OTHER);
    assert_true(must("f0 0f b1 08", INSN_32).lock);
}

static void test_registers(void **state)
{
    struct insn in = must("88 20", INSN_64); /* AH */

    (void)state;
    assert_true(in.high_byte);
    assert_int_equal(in.reg, 0);
    in = must("40 88 20", INSN_64); /* SPL */
    assert_false(in.high_byte);
    assert_int_equal(in.reg, 4);
    in = must("8a 38", INSN_32); /* BH */
    assert_true(in.high_byte);
    assert_int_equal(in.reg, 3);
    assert_false(must("0f b6 20", INSN_32).high_byte); /* ESP */
    assert_false(must("80 20 01", INSN_32).high_byte);
    in = must("89 d8", INSN_32); /* both registers: no memory */
    assert_false(in.has_mem);
    assert_int_equal(in.reg, 3);
    assert_int_equal(in.base, 0);
    in = must("45 0f 22 c7", INSN_64); /* MOV CR8, R15 */
    assert_false(in.has_mem);
    assert_int_equal(in.reg, 8);
    assert_int_equal(in.base, 15);
    in = must("0f 20 05", INSN_64); /* ModRM.mod is ignored */
    assert_false(in.has_mem);
    assert_int_equal(in.base, 5);
}

static void test_strings(void **state)
{
    struct insn in;

    (void)state;
    in = must("f3 a5", INSN_64);
    assert_true(in.op == INSN_MOVS && in.has_mem && in.mem_dst && in.rep && !in.repne);
    assert_true(in.op_size == 4 && in.seg == X86_DS && in.base == 6 && in.addr_size == 8);
    in = must("65 48 a5", INSN_64);
    assert_true(in.op_size == 8 && in.seg == X86_GS && !in.rep);
    in = must("26 66 ad", INSN_32);
    assert_true(in.op == INSN_LODS && !in.mem_dst && in.op_size == 2 && in.seg == X86_ES && in.base == 6);
    in = must("64 f2 ab", INSN_32); /* ES:DI whatever the prefix says */
    assert_true(in.op == INSN_STOS && in.mem_dst && in.repne && !in.rep && in.seg == X86_ES && in.base == 7);
    in = must("f3 67 6c", INSN_16);
    assert_true(in.op == INSN_INS && in.mem_dst && in.op_size == 1 && in.addr_size == 4 && in.seg == X86_ES);
    in = must("f3 48 6f", INSN_64); /* no 64-bit ports */
    assert_true(in.op == INSN_OUTS && !in.mem_dst && in.op_size == 4 && in.seg == X86_DS && in.base == 6);
    in = must("2e 6e", INSN_16);
    assert_true(in.op == INSN_OUTS && in.op_size == 1 && in.seg == X86_CS);
    in = must("f3 36 a6", INSN_32);
    assert_true(in.op == INSN_CMPS && in.has_mem && !in.mem_dst && in.rep && in.op_size == 1 && in.base == 6 && in.seg == X86_SS);
    in = must("36 f2 67 af", INSN_32);
    assert_true(in.op == INSN_SCAS && in.has_mem && !in.mem_dst && in.repne && in.op_size == 4 && in.base == 7 && in.seg == X86_ES);
}

/* Plain moves of vector registers, by prefix and by VEX. */
static void test_vectors(void **state)
{
    enum { LOAD = 0,
           STORE = 1,
           HIGH = 2,
           MERGE = 4,
           VEX = 8 };
    static const struct { const char *hex; u8 size, reg, how; } forms[] = {
        { "0f 10 08", 16, 1, LOAD },            { "66 0f 10 08", 16, 1, LOAD },        { "f3 0f 10 08", 4, 1, LOAD },
        { "f2 44 0f 10 08", 8, 9, LOAD },       { "f3 0f 11 08", 4, 1, STORE },        { "f2 0f 11 08", 8, 1, STORE },
        { "0f 12 08", 8, 1, LOAD | MERGE },     { "66 0f 13 08", 8, 1, STORE | MERGE }, { "0f 16 08", 8, 1, LOAD | HIGH | MERGE },
        { "0f 17 08", 8, 1, STORE | HIGH | MERGE }, { "0f 28 08", 16, 1, LOAD },       { "66 44 0f 29 08", 16, 9, STORE },
        { "0f 2b 08", 16, 1, STORE },           { "66 0f 6e 08", 4, 1, LOAD },         { "66 48 0f 6e 08", 8, 1, LOAD },
        { "66 0f 7e 08", 4, 1, STORE },         { "66 48 0f 7e 08", 8, 1, STORE },     { "f3 0f 7e 08", 8, 1, LOAD },
        { "66 0f 6f 08", 16, 1, LOAD },         { "f3 0f 6f 08", 16, 1, LOAD },        { "f3 0f 7f 08", 16, 1, STORE },
        { "66 0f d6 08", 8, 1, STORE },         { "66 0f e7 08", 16, 1, STORE },       { "f2 0f f0 08", 16, 1, LOAD },
        { "66 0f 38 2a 08", 16, 1, LOAD },      { "66 f3 0f 10 08", 4, 1, LOAD },
        { "c5 f8 10 08", 16, 1, LOAD | VEX },   { "c5 fc 11 08", 32, 1, STORE | VEX }, { "c5 fa 10 08", 4, 1, LOAD | VEX },
        { "c4 61 7e 6f 08", 32, 9, LOAD | VEX }, { "c4 e1 f9 6e 08", 8, 1, LOAD | VEX }, { "c4 e1 79 6e 08", 4, 1, LOAD | VEX },
        { "c5 f8 17 08", 8, 1, STORE | HIGH | MERGE | VEX }, { "c4 e2 7d 2a 08", 32, 1, LOAD | VEX },
        { "c5 fb f0 08", 16, 1, LOAD | VEX },
    };
    static const char *const others[] = { "0f 6f 08", "0f 7e 08", "0f e7 08", "f3 0f 12 08", "f2 0f 12 08", "f3 0f 16 08", "f3 0f 28 08",
                                          "0f 58 08", "c5 f0 12 08", "c5 f0 16 08", "62 f1 7c 48 10 08", "0f 38 2a 08" };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        struct insn in = must(forms[i].hex, INSN_64);
        int how = (in.mem_dst ? STORE : 0) | (in.high ? HIGH : 0) | (in.merge ? MERGE : 0) | (in.vex ? VEX : 0);

        if (in.op != INSN_VMOV || !in.has_mem || in.op_size != forms[i].size || in.reg != forms[i].reg || how != forms[i].how)
            fail_msg("%s: op %d size %d reg %d %d", forms[i].hex, in.op, in.op_size, in.reg, how);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(must(others[i], INSN_64).op, INSN_OTHER);
    assert_int_equal(must("c4 e1 f9 6e 08", INSN_32).op_size, 4); /* VEX.W means nothing there */
}

/* Whatever the bytes are, no read beyond them, and a length within them. */
static void test_random_bytes(void **state)
{
    unsigned seed = 5;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        u8 len = (u8)(rand_r(&seed) % 17), *bytes = malloc(len ? len : 1u);
        struct insn in;

        for (u8 k = 0; k < len; k++)
            bytes[k] = (u8)(rand_r(&seed) >> 7);
        if (insn_decode(bytes, len, (enum insn_mode)(i % 3), &in)) {
            assert_in_range(in.len, 1, MIN(len, 15));
            assert_true(!in.has_mem || in.base == NONE || in.base < 16);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_not_instructions),
        cmocka_unit_test(test_addresses_16),
        cmocka_unit_test(test_addresses_32_and_64),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
