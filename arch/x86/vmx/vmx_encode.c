/* SPDX-License-Identifier: MIT */
/* Pure: EPT entries and the MSR bitmap (SDM 3, EPT Paging Structures; MSR-Bitmap Address), and whether two cores are alike. */
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

#define EPT_CAPS_USED (EPT_CAP_WALK4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_1G | EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE | \
                       EPT_CAP_INVEPT_ALL | EPT_CAP_INVVPID | EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL)

static bool controls_suit(const struct vmx_hw *first, const struct vmx_hw *mine)
{
    for (unsigned i = 0; i < VMX_CONTROLS; i++) {
        u32 must = (u32)mine->allowed[i], can = (u32)(mine->allowed[i] >> 32);

        if ((first->control[i] & ~can) || (must & ~first->control[i]))
            return false;
    }
    return !first->timer || (mine->timer && mine->timer_shift == first->timer_shift);
}

/* What this core has besides does not matter: the kinds of core of one processor differ in that. */
bool vmx_suits(const struct vmx_hw *first, const struct vmx_hw *mine)
{
    return controls_suit(first, mine) && mine->revision == first->revision &&
           !(first->ept_vpid & EPT_CAPS_USED & ~mine->ept_vpid) && mine->cr0_must == first->cr0_must &&
           mine->cr4_must == first->cr4_must && !(first->cr4_can & ~mine->cr4_can) &&
           (mine->io_info || !first->io_info) && (mine->tsc_aux || !first->tsc_aux);
}
