/* SPDX-License-Identifier: MIT */
/* MSR policy: one sorted table. SDM 4, Model-Specific Registers; APM 2, MSR Cross-Reference. */
#include "hv/vdev/vmsr.h"

#include "arch/x86/cpu/regs.h"

enum check {
    CHECK_NONE,
    CHECK_CANONICAL,
    CHECK_LOW32,
    CHECK_EFER,
    CHECK_PAT,
    CHECK_MTRR_TYPE,
};
enum store { STORE_MISC_ENABLE, STORE_MTRR_DEF_TYPE, STORES };
_Static_assert(STORES <= VMSR_STORES, "room for what is remembered");

#define MISC_FAST_STRINGS    BIT(0)
#define MISC_BTS_UNAVAILABLE BIT(11)
#define MISC_PEBS_UNAVAILABLE BIT(12)
#define MTRR_CAP_WC          BIT(10) /* but no ranges, fixed or variable: the PAT says it all */
#define MTRR_DEF_ENABLE      BIT(11)
#define MTRR_DEF_FIXED       BIT(10)
#define MEM_TYPES            0x73u   /* set of types: UC WC WT WP WB */
#define MEM_TYPE_WB          6u
#define MEM_TYPES_PAT        0xf3u   /* and UC- */
#define FEATURE_CONTROL_LOCK BIT(0)
#define MICROCODE_REVISION   BIT(32) /* 1, in the upper half */
#define HWCR_TSC_AT_P0       BIT(24) /* else Linux reports a firmware bug */
#define DE_CFG_LFENCE        BIT(1)  /* LFENCE is serializing */

struct row { u32 first, last; u8 kind, check; u64 value; };

static const struct row rows[] = {
    { 0x0, 0x1, VMSR_CONST, 0, 0 },                        /* P5_MC_ADDR, P5_MC_TYPE */
    { MSR_TSC, MSR_TSC, VMSR_TSC, 0, 0 },
    { 0x11, 0x11, VMSR_KVM_WALL, 0, 0 },
    { 0x12, 0x12, VMSR_KVM_CLOCK, 0, 0 },
    { 0x17, 0x17, VMSR_RO, 0, 0 },                         /* PLATFORM_ID */
    { MSR_APIC_BASE, MSR_APIC_BASE, VMSR_LAPIC, 0, 0 },
    { 0x2a, 0x2a, VMSR_CONST, 0, 0 },                      /* EBL_CR_POWERON */
    { 0x34, 0x34, VMSR_RO, 0, 0 },                         /* SMI_COUNT */
    { MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, VMSR_RO, 0, FEATURE_CONTROL_LOCK },
    { MSR_TSC_ADJUST, MSR_TSC_ADJUST, VMSR_TSC_ADJUST, 0, 0 },
    { 0x79, 0x79, VMSR_CONST, 0, 0 },                      /* BIOS_UPDT_TRIG: nothing to update */
    { 0x8b, 0x8b, VMSR_CONST, 0, MICROCODE_REVISION },     /* BIOS_SIGN_ID; Linux writes 0 first */
    { 0xce, 0xce, VMSR_RO, 0, 0 },                         /* PLATFORM_INFO */
    { 0xfe, 0xfe, VMSR_RO, 0, MTRR_CAP_WC },               /* MTRRCAP */
    { MSR_SYSENTER_CS, MSR_SYSENTER_CS, VMSR_PASS, 0, 0 },
    { MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, VMSR_PASS, CHECK_CANONICAL, 0 },
    { 0x179, 0x179, VMSR_RO, 0, 0 },                       /* MCG_CAP: no banks */
    { 0x17a, 0x17a, VMSR_CONST, 0, 0 },                    /* MCG_STATUS */
    { MSR_MISC_ENABLE, MSR_MISC_ENABLE, VMSR_STORE, 0, STORE_MISC_ENABLE },
    { 0x1d9, 0x1d9, VMSR_CONST, 0, 0 },                    /* DEBUGCTL: no branch records */
    { 0x1db, 0x1de, VMSR_RO, 0, 0 },                       /* last branch and exception */
    { MSR_PAT, MSR_PAT, VMSR_REG, CHECK_PAT, VMSR_X86_PAT },
    { 0x2ff, 0x2ff, VMSR_STORE, CHECK_MTRR_TYPE, STORE_MTRR_DEF_TYPE },
    { MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, VMSR_LAPIC, 0, 0 },
    { MSR_X2APIC, MSR_X2APIC + 0xff, VMSR_LAPIC, 0, 0 },
    { 0x4b564d00, 0x4b564d00, VMSR_KVM_WALL, 0, 0 },
    { 0x4b564d01, 0x4b564d01, VMSR_KVM_CLOCK, 0, 0 },
    { 0x4b564d03, 0x4b564d03, VMSR_KVM_STEAL, 0, 0 },
    { MSR_EFER, MSR_EFER, VMSR_REG, CHECK_EFER, VMSR_X86_EFER },
    { MSR_STAR, MSR_STAR, VMSR_PASS, 0, 0 },
    { MSR_LSTAR, MSR_CSTAR, VMSR_PASS, CHECK_CANONICAL, 0 },
    { MSR_FMASK, MSR_FMASK, VMSR_PASS, CHECK_LOW32, 0 },
    { MSR_FS_BASE, MSR_KERNEL_GS_BASE, VMSR_PASS, CHECK_CANONICAL, 0 },
    { MSR_TSC_AUX, MSR_TSC_AUX, VMSR_PASS, CHECK_LOW32, 0 },
    { 0xc0010010, 0xc0010010, VMSR_CONST, 0, 0 },          /* SYSCFG */
    { 0xc0010015, 0xc0010015, VMSR_CONST, 0, HWCR_TSC_AT_P0 },
    { 0xc001001a, 0xc001001a, VMSR_CONST, 0, 0 },          /* TOP_MEM */
    { 0xc001001d, 0xc001001d, VMSR_CONST, 0, 0 },          /* TOM2 */
    { 0xc001001f, 0xc0010020, VMSR_CONST, 0, 0 },          /* NB_CFG, patch loader */
    { 0xc0010055, 0xc0010055, VMSR_CONST, 0, 0 },          /* INTERRUPT_PENDING: no C1E */
    { 0xc0010058, 0xc0010058, VMSR_CONST, 0, 0 },          /* MMIO_CFG_BASE: none */
    { 0xc0011022, 0xc0011023, VMSR_CONST, 0, 0 },          /* DC_CFG, TW_CFG */
    { 0xc0011029, 0xc0011029, VMSR_CONST, 0, DE_CFG_LFENCE },
    { 0xc001102a, 0xc001102a, VMSR_CONST, 0, 0 },          /* BU_CFG2 */
};

static const u64 store_reset[STORES] = {
    [STORE_MISC_ENABLE] = MISC_FAST_STRINGS | MISC_BTS_UNAVAILABLE | MISC_PEBS_UNAVAILABLE,
    [STORE_MTRR_DEF_TYPE] = MTRR_DEF_ENABLE | MEM_TYPE_WB,
};

static const struct row *find_row(u32 msr)
{
    size_t low = 0, high = ARRAY_SIZE(rows);

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (msr < rows[mid].first)
            high = mid;
        else if (msr > rows[mid].last)
            low = mid + 1;
        else
            return &rows[mid];
    }
    return NULL;
}

struct vmsr vmsr_lookup(u32 msr)
{
    const struct row *row = find_row(msr);

    if (!row)
        return (struct vmsr){ .kind = VMSR_GP };
    return (struct vmsr){ .kind = row->kind, .value = row->value };
}

u64 vmsr_store_reset(u32 i)
{
    return i < STORES ? store_reset[i] : 0;
}

/* 48-bit linear addresses: LA57 is not offered. */
static bool is_canonical(u64 val)
{
    return (u64)((s64)(val << 16) >> 16) == val;
}

static bool is_pat(u64 val)
{
    for (u32 i = 0; i < 64; i += 8)
        if ((val >> i & 0xff) > 7 || !(MEM_TYPES_PAT >> (val >> i & 7) & 1))
            return false;
    return true;
}

static bool is_mtrr_def_type(u64 val)
{
    u64 type = val & 0xff;

    if (val & ~(0xffull | MTRR_DEF_ENABLE | MTRR_DEF_FIXED))
        return false;
    return type < 8 && (MEM_TYPES >> type & 1);
}

bool vmsr_check(u32 msr, u64 val, u64 efer_mask)
{
    const struct row *row = find_row(msr);

    if (!row)
        return false;
    switch ((enum check)row->check) {
    case CHECK_NONE: return row->kind != VMSR_RO;
    case CHECK_CANONICAL: return is_canonical(val);
    case CHECK_LOW32: return !(val >> 32);
    case CHECK_EFER: return !(val & ~efer_mask);
    case CHECK_PAT: return is_pat(val);
    case CHECK_MTRR_TYPE: return is_mtrr_def_type(val);
    }
    return false;
}

void vmsr_each_pass(void (*fn)(void *ctx, u32 msr), void *ctx)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (u32 msr = rows[i].first; rows[i].kind == VMSR_PASS && msr <= rows[i].last; msr++)
            fn(ctx, msr);
}
