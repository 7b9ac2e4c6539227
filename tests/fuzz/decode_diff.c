/* SPDX-License-Identifier: MIT */
/*
 * insn_decode() against Capstone 4 (Debian: libcapstone-dev): lengths of random encodings.
 * LINK: arch/x86/decode.c arch/x86/decode_tables.c
 *
 * Only encodings that both accept are compared: Capstone knows which opcodes are assigned, and our decoder accepts any that
 * has a length. An encoding that Capstone accepts and we do not is a difference too. Known ones, left out:
 *   - Capstone reads segment, REX, 66, F2, F3 and F0 prefixes before VEX, EVEX and XOP; processors raise #UD.
 *   - Capstone takes the address of MOV CR and MOV DR for memory when ModRM.mod is not 3; processors ignore mod.
 *   - 66 before near branches in 64-bit mode: Intel reads four bytes, AMD two; we do as Intel, Capstone is not consistent.
 *   - 66 together with F2, F3 or REX: Capstone sometimes forgets it, or counts an immediate as more than there is.
 *   - 67 before REX: Capstone reads RET imm16 and CALL two bytes off; some EVEX with static rounding one byte off.
 *   - UD0 and UD1 (0F FF, 0F B9) have a ModRM byte in SDM 2, none in Capstone; 0F A6 and A7 are VIA's; Capstone reads EXTRQ and
 *     INSERTQ (66 or F2 0F 78) with memory as VMREAD.
 * And of operands, which are compared for all instructions with memory, where Capstone tells them:
 *   - It counts CS, DS, ES and SS prefixes in 64-bit mode, where they mean nothing, even after FS or GS.
 *   - It calls the register of MOVSXD a 64-bit one without REX.W too, and its memory 32 bits with 66 too.
 *   - It takes the 66, F2 and F3 that belong to SSE opcodes for something else in 16-bit mode, or when other prefixes are near, REX too.
 */
#include <capstone/capstone.h>

#include "arch/x86/decode.h"
#include "tests/fuzz/fuzz.h"

static csh handles[3];
static cs_insn *theirs;

/* Random bytes behind likely beginnings, so that prefixes and escapes meet often. */
static void make_bytes(uint8_t bytes[15])
{
    static const uint8_t likely[] = { 0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41, 0x4f, 0x0f, 0x0f, 0x0f, 0xc4, 0xc5, 0x62, 0x8f };
    u64 n = fuzz_below(4), random[2] = { fuzz_next(), fuzz_next() };

    memcpy(bytes, random, 15);
    for (u64 i = 0; i < n; i++)
        bytes[i] = likely[fuzz_below(ARRAY_SIZE(likely))];
    if (n && bytes[n - 1] == 0x0f && fuzz_below(2))
        bytes[n] = fuzz_below(2) ? 0x38 : 0x3a;
}

static bool one_of(const char *set, uint8_t byte)
{
    return byte && strchr(set, byte);
}

static bool is_prefix(uint8_t byte)
{
    return one_of("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", byte);
}

static bool known(const uint8_t *b, const struct insn *in, enum insn_mode mode)
{
    unsigned i = 0;
    bool prefixed = false;

    while (i < 9 && (is_prefix(b[i]) || (mode == INSN_64 && (b[i] & 0xf0) == 0x40))) {
        prefixed = true;
        i++;
    }
    if (b[i] == 0xc4 || b[i] == 0xc5 || b[i] == 0x62 || b[i] == 0x8f)
        return prefixed || (b[i] == 0x62 && (b[i + 3] & 0x10) && b[i + 5] >= 0xc0);
    if (b[i] == 0x0f && ((b[i + 1] & 0xf8) == 0x20 || one_of("\xff\xb9\xa6\xa7\x78", b[i + 1])))
        return true;
    if ((in->opsize && (in->rex || in->rep || in->repne)) || (in->rex && in->addr_size == 4))
        return true;
    if (mode == INSN_64 && in->opsize)
        return b[i] == 0xe8 || b[i] == 0xe9 || (b[i] == 0x0f && (b[i + 1] & 0xf0) == 0x80);
    return false;
}

/* --- operands --- */

#define NONE 0xffu

/* In the order of struct x86_gprs, by size; the last row: names without REX. */
static const u16 names[5][16] = {
    { X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL, X86_REG_SIL, X86_REG_DIL, X86_REG_R8B, X86_REG_R9B,
      X86_REG_R10B, X86_REG_R11B, X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B },
    { X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI, X86_REG_DI, X86_REG_R8W, X86_REG_R9W,
      X86_REG_R10W, X86_REG_R11W, X86_REG_R12W, X86_REG_R13W, X86_REG_R14W, X86_REG_R15W },
    { X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP, X86_REG_ESI, X86_REG_EDI, X86_REG_R8D, X86_REG_R9D,
      X86_REG_R10D, X86_REG_R11D, X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D },
    { X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI, X86_REG_R8, X86_REG_R9,
      X86_REG_R10, X86_REG_R11, X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15 },
    { X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH },
};
static const u16 segments[6] = { X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS };

static unsigned row(unsigned size)
{
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

static unsigned name_of(const struct insn *in)
{
    if (in->op == INSN_VMOV)
        return (in->op_size == 32 ? X86_REG_YMM0 : X86_REG_XMM0) + in->reg;
    return names[in->high_byte ? 4 : row(in->reg_size)][in->reg];
}

static bool same_address(const struct insn *in, const x86_op_mem *m)
{
    const u16 *gpr = names[row(in->addr_size)];
    u64 mask = in->addr_size == 8 ? ~0ull : BIT(8 * in->addr_size) - 1;
    unsigned base = in->base == NONE ? X86_REG_INVALID : gpr[in->base], index = in->index == NONE ? X86_REG_INVALID : gpr[in->index];

    if (in->rip_relative)
        base = in->addr_size == 8 ? X86_REG_RIP : X86_REG_EIP;
    if (m->index == X86_REG_RIZ || m->index == X86_REG_EIZ) /* their names for no index, where a SIB byte says so */
        index = (unsigned)m->index;
    return m->base == (x86_reg)base && m->index == (x86_reg)index && (in->index == NONE || m->scale == in->scale) &&
           !(((u64)m->disp ^ (u64)in->disp) & mask) &&
           (m->segment == X86_REG_INVALID || m->segment == segments[in->seg] ||
            (in->mode == INSN_64 && m->segment != X86_REG_FS && m->segment != X86_REG_GS));
}

/* What they say about the operands of an instruction that we would emulate, against what we say. */
static bool same_operands(const uint8_t *b, const struct insn *in, const cs_x86 *x)
{
    bool by_bits = (in->op >= INSN_ROL && in->op <= INSN_SAR) || (in->op >= INSN_BT && in->op <= INSN_BTC);
    unsigned imm_size = by_bits ? 1 : in->op_size; /* they do not extend its sign, which nobody looks at */
    bool same = true, shifts = in->op >= INSN_ROL && in->op <= INSN_SAR;
    bool string = in->op >= INSN_MOVS && in->op <= INSN_OUTS;
    const cs_x86_op *mem = NULL;

    for (unsigned i = 0; i < x->op_count; i++) {
        const cs_x86_op *op = &x->operands[i];

        if (op->type == X86_OP_MEM && (!mem || !string || op->mem.base == names[row(in->addr_size)][in->base]))
            mem = op;
    }
    if (!mem || (in->op == INSN_VMOV && (in->mode == INSN_16 || (is_prefix(b[0]) && (in->rex || is_prefix(b[1]))))))
        return true;
    if (in->opcode == 0x63 && in->opsize)
        return true;
    if (in->op == INSN_OTHER && !in->has_mem)
        return b[0] == 0xc4 || b[0] == 0xc5 || b[0] == 0x62 || b[0] == 0x8f;
    same &= in->has_mem && same_address(in, &mem->mem);
    if (in->op == INSN_OTHER || !same)
        return same;
    same &= mem->size == in->op_size;
    for (unsigned i = 0; i < x->op_count; i++) {
        const cs_x86_op *op = &x->operands[i];

        if (op->type == X86_OP_MEM)
            same &= string || (i == 0) == in->mem_dst || in->op == INSN_PUSH;
        if (op->type == X86_OP_IMM)
            same &= in->has_imm && !(((u64)op->imm ^ in->imm) & (imm_size >= 8 ? ~0ull : BIT(8 * imm_size) - 1));
        if (op->type == X86_OP_REG && in->opcode == 0x63)
            same &= op->reg == (x86_reg)names[3][in->reg];
        else if (op->type == X86_OP_REG && !string)
            same &= op->reg == (shifts ? X86_REG_CL : (x86_reg)name_of(in));
    }
    return same;
}

static void one(void)
{
    enum insn_mode mode = (enum insn_mode)fuzz_below(3);
    uint8_t bytes[15];
    const uint8_t *p = bytes;
    size_t left = sizeof(bytes);
    uint64_t address = 0;
    struct insn ours;
    bool ok;

    make_bytes(bytes);
    if (!cs_disasm_iter(handles[mode], &p, &left, &address, theirs))
        return;
    ok = insn_decode(bytes, sizeof(bytes), mode, &ours);
    fuzz_accepted += ok && ours.len == theirs->size;
    if (known(bytes, &ours, mode) || (ok && ours.len == theirs->size && same_operands(bytes, &ours, &theirs->detail->x86)))
        return;
    FUZZ_CHECK(ok && ours.len == theirs->size);
    FUZZ_CHECK(same_operands(bytes, &ours, &theirs->detail->x86));
    printf("mode %d:", 16 << mode);
    for (unsigned k = 0; k < 15; k++)
        printf(" %02x", bytes[k]);
    printf("  ours %d, Capstone %u: %s %s\n", ok ? ours.len : -1, theirs->size, theirs->mnemonic, theirs->op_str);
    printf("    op %d size %d/%d reg %d seg %d base %d index %d scale %d disp %lx imm %lx dst %d\n", ours.op, ours.op_size,
           ours.reg_size, ours.reg, ours.seg, ours.base, ours.index, ours.scale, ours.disp, ours.imm, ours.mem_dst);
}

int main(int argc, char **argv)
{
    static const cs_mode modes[] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    for (unsigned m = 0; m < 3; m++) {
        if (cs_open(CS_ARCH_X86, modes[m], &handles[m]) != CS_ERR_OK)
            return 2;
        cs_option(handles[m], CS_OPT_DETAIL, CS_OPT_ON);
    }
    theirs = cs_malloc(handles[0]);
    return fuzz_main(argc, argv, one, 500000, 10000000);
}
