/* SPDX-License-Identifier: MIT */
/*
 * MOV CR and MOV DR are 0F 20-23 /r, and ModRM always names registers (APM 3, MOV CRn: "the mod
 * field is ignored").
 */
#include "arch/x86/mov_cr.h"

static bool is_prefix(u8 byte)
{
    switch (byte) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
    case 0xf0: case 0xf2: case 0xf3:
        return true;
    default:
        return false;
    }
}

bool mov_cr_decode(const u8 *bytes, u8 len, enum insn_mode mode, u8 *gpr)
{
    u8 i = 0, rex = 0;

    while (i < len && is_prefix(bytes[i]))
        i++;
    if (mode == INSN_64 && i < len && (bytes[i] & 0xf0) == 0x40)
        rex = bytes[i++];
    if (i + 3 > len || bytes[i] != 0x0f || (bytes[i + 1] & 0xfc) != 0x20)
        return false;
    *gpr = (u8)((bytes[i + 2] & 7) | (rex & 1) << 3);
    return true;
}
