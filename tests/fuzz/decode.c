/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder on random bytes that end where memory ends, in all modes: it reads no byte past them, what it
 * answers is in range, and the same bytes mean the same with others behind them and nothing with one less.
 * LINK: arch/x86/decode.c arch/x86/decode_tables.c
 */
#include "arch/x86/decode.h"
#include "arch/x86/vm.h"
#include "tests/fuzz/fuzz.h"

static u8 *memory_end; /* what follows cannot be read */

/* @len bytes at the end of memory. */
static bool decode(const u8 *bytes, u8 len, enum insn_mode mode, struct insn *in)
{
    memcpy(memory_end - len, bytes, len);
    return insn_decode(memory_end - len, len, mode, in);
}

static bool one_of(u8 val, u8 a, u8 b, u8 c, u8 d)
{
    return val == a || val == b || val == c || val == d;
}

static void check_fields(const struct insn *in, enum insn_mode mode)
{
    FUZZ_CHECK(in->mode == mode && in->op <= INSN_VMOV && in->seg <= X86_GS && in->reg < 16);
    FUZZ_CHECK(in->base < 16 || in->base == 0xff);
    FUZZ_CHECK(in->index < 16 || in->index == 0xff);
    FUZZ_CHECK((in->index == 0xff) == (in->scale == 0xff));
    FUZZ_CHECK(in->scale == 0xff || one_of(in->scale, 1, 2, 4, 8));
    FUZZ_CHECK(one_of(in->op_size, 1, 2, 4, 8) || in->op == INSN_VMOV || in->op == INSN_CMPXCHG8B);
    FUZZ_CHECK(one_of(in->op_size, 1, 2, 4, 8) || one_of(in->op_size, 16, 32, 32, 32));
    FUZZ_CHECK(one_of(in->reg_size, 1, 2, 4, 8));
    FUZZ_CHECK(one_of(in->addr_size, 2, 4, 8, 8) && (in->addr_size == 8) <= (mode == INSN_64));
    FUZZ_CHECK(!in->rep || !in->repne);
    FUZZ_CHECK(!in->high_byte || (in->reg < 4 && !in->rex && in->reg_size == 1));
    FUZZ_CHECK(!in->rip_relative || (mode == INSN_64 && in->has_mem && in->base == 0xff && in->index == 0xff));
    FUZZ_CHECK(mode == INSN_64 || (!in->rex && in->reg < 8 && (in->base < 8 || in->base == 0xff)));
    if (in->op != INSN_OTHER && in->op_size < 8)
        FUZZ_CHECK(in->imm >> (8 * in->op_size) == 0);
}

static bool same(const struct insn *a, const struct insn *b)
{
    return a->len == b->len && a->op == b->op && a->op_size == b->op_size && a->seg == b->seg && a->reg == b->reg &&
           a->base == b->base && a->index == b->index && a->has_mem == b->has_mem && a->disp == b->disp && a->imm == b->imm;
}

/* Random bytes behind likely beginnings: prefixes, escapes, opcodes that touch memory. */
static void make_bytes(u8 bytes[15])
{
    static const u8 likely[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x40, 0x48, 0x4f, 0x0f, 0x0f, 0xc4, 0xc5, 0x62, 0x8f,
                                 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa3, 0xa4, 0xaa, 0xc6, 0xc7, 0xf6, 0xf7, 0x80, 0x81, 0x83, 0xff };
    u64 n = fuzz_below(16) ? fuzz_below(5) : 15, random[2] = { fuzz_next(), fuzz_next() };

    memcpy(bytes, random, 15);
    for (u64 i = 0; i < n; i++)
        bytes[i] = likely[fuzz_below(ARRAY_SIZE(likely))];
}

static void one(void)
{
    enum insn_mode mode = (enum insn_mode)fuzz_below(3);
    u8 bytes[15], len = (u8)(fuzz_below(4) ? 15 : fuzz_below(16));
    struct insn in, again;

    make_bytes(bytes);
    if (!decode(bytes, len, mode, &in))
        return;
    fuzz_accepted++;
    FUZZ_CHECK(in.len >= 1 && in.len <= len);
    check_fields(&in, mode);
    FUZZ_CHECK(decode(bytes, in.len, mode, &again) && same(&in, &again));
    FUZZ_CHECK(!decode(bytes, in.len - 1, mode, &again));
    FUZZ_CHECK(decode(bytes, 15, mode, &again) && same(&in, &again));
}

int main(int argc, char **argv)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    u8 *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0)
        return 2;
    memory_end = memory + page;
    return fuzz_main(argc, argv, one, 500000, 50000000);
}
