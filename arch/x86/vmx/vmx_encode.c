/* SPDX-License-Identifier: MIT */
/* Pure encodings: EPT entries and the MSR bitmap. SDM 3, EPT Paging Structures; MSR-Bitmap Address. */
#include "arch/x86/vmx/vmx.h"

static void set_bit(u8 *bitmap, u32 bit, bool on)
{
    u8 mask = (u8)(1u << (bit & 7));

    if (on)
        bitmap[bit / 8] |= mask;
    else
        bitmap[bit / 8] &= (u8)~mask;
}

/* Four bitmaps of 1 KiB: read low, read high, write low, write high. An MSR outside both ranges always exits. */
void vmx_trap_msr(u8 *bitmap, u32 msr, bool on_read, bool on_write)
{
    u32 bit;

    if (msr < 0x2000)
        bit = msr;
    else if (msr >= 0xc0000000 && msr < 0xc0002000)
        bit = 0x2000 + (msr - 0xc0000000);
    else
        return;

    set_bit(bitmap, bit, on_read);
    set_bit(bitmap + 2048, bit, on_write);
}

/* EPT knows no entry that is writable or (without a further capability) executable but not readable. */
u64 vmx_s2_leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type)
{
    u64 rights = (prot & S2_W ? EPT_WRITE : 0) | (prot & S2_X ? EPT_EXEC : 0);

    if (prot == S2_NONE)
        return 0;

    return hpa | EPT_READ | rights | (type == S2_WB ? EPT_WB : EPT_UC) | (level > 1 ? EPT_LARGE : 0);
}

u64 vmx_s2_table(hpa_t next)
{
    return next | EPT_READ | EPT_WRITE | EPT_EXEC;
}
