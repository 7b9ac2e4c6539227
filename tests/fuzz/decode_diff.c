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

static bool known(const uint8_t *b, const struct insn *in, enum insn_mode mode)
{
    unsigned i = 0;
    bool prefixed = false;

    while (i < 9 && (one_of("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", b[i]) || (mode == INSN_64 && (b[i] & 0xf0) == 0x40))) {
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
    if ((ok && ours.len == theirs->size) || known(bytes, &ours, mode))
        return;
    FUZZ_CHECK(ok && ours.len == theirs->size);
    printf("mode %d:", 16 << mode);
    for (unsigned k = 0; k < 15; k++)
        printf(" %02x", bytes[k]);
    printf("  ours %d, Capstone %u: %s %s\n", ok ? ours.len : -1, theirs->size, theirs->mnemonic, theirs->op_str);
}

int main(int argc, char **argv)
{
    static const cs_mode modes[] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    for (unsigned m = 0; m < 3; m++) {
        if (cs_open(CS_ARCH_X86, modes[m], &handles[m]) != CS_ERR_OK)
            return 2;
    }
    theirs = cs_malloc(handles[0]);
    return fuzz_main(argc, argv, one, 500000, 10000000);
}
