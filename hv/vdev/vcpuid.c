/* SPDX-License-Identifier: MIT */
/* CPUID policy: one table of what passes, is set, or is computed. SDM 2, CPUID; APM 3, CPUID. */
#include "hv/vdev/vcpuid.h"

#include "arch/x86/cpu/regs.h"
#include "hv/abi/hypercall.h"

#define MAX_BASIC      0x0000000du
#define MAX_EXTENDED   0x80000008u
#define PITH_TIMING    (PITH_CPUID_BASE + 0x10)
#define KVM_BASE       (PITH_CPUID_BASE + 0x100)
#define KVM_FEATURES   (KVM_BASE + 1)
#define KVM_NOP_IO_DELAY        BIT(1)
#define KVM_CLOCKSOURCE2        BIT(3)
#define KVM_STEAL_TIME          BIT(5)
#define KVM_CLOCKSOURCE_STABLE  BIT(24)
#define ANY            ~0u
#define ALL            ~0u
#define RANGE(first, last) (BIT(last) - BIT(first) + BIT(last))

/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC, MTRR PGE MCA CMOV PAT PSE36: leaves 1 and 80000001 */
#define BASE_EDX (RANGE(0, 9) | RANGE(12, 17))

/* Leaf 1 */
#define L1_ECX_KEEP                                                                         \
    (BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ |  \
     BIT(13) /* CX16 */ | BIT(17) /* PCID */ | RANGE(19, 20) /* SSE4 */ |                   \
     RANGE(22, 23) /* MOVBE POPCNT */ | RANGE(25, 26) /* AES XSAVE */ |                     \
     RANGE(28, 30) /* AVX F16C RDRAND */)
#define L1_ECX_X2APIC       BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_XSAVE        BIT(26)
#define L1_ECX_OSXSAVE      BIT(27)
#define L1_ECX_HYPERVISOR   BIT(31)
#define L1_EDX_KEEP                                                                         \
    (BASE_EDX | BIT(11) /* SEP */ | BIT(19) /* CLFLUSH */ |                                 \
     RANGE(23, 27) /* MMX FXSR SSE SSE2 SS */)
#define L1_EDX_APIC         BIT(9)
#define L1_EDX_HTT          BIT(28)

/* Leaf 7: TSX, MPX, PT, SGX, RDT, PKU, CET, AMX and all that have MSRs of their own stay away. */
#define L7_EBX_KEEP                                                                         \
    (BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ |                        \
     RANGE(6, 8) /* FDP_EXCPTN SMEP BMI2 */ | RANGE(9, 10) /* ERMS INVPCID */ |             \
     BIT(13) /* FCS_FDS */ | RANGE(16, 17) /* AVX512F DQ */ | BIT(18) /* RDSEED */ |        \
     RANGE(19, 20) /* ADX SMAP */ | BIT(21) /* AVX512IFMA */ |                              \
     RANGE(23, 24) /* CLFLUSHOPT CLWB */ | RANGE(26, 28) /* AVX512PF ER CD */ |             \
     BIT(29) /* SHA */ | RANGE(30, 31) /* AVX512BW VL */)
#define L7_EBX_TSC_ADJUST   BIT(1)
#define L7_ECX_KEEP                                                                         \
    (RANGE(0, 2) /* PREFETCHWT1 AVX512VBMI UMIP */ | BIT(6) /* VBMI2 */ |                   \
     RANGE(8, 12) /* GFNI VAES VPCLMULQDQ VNNI BITALG */ | BIT(14) /* VPOPCNTDQ */ |        \
     BIT(22) /* RDPID */)
#define L7_EDX_KEEP                                                                         \
    (RANGE(2, 4) /* AVX512_4VNNIW 4FMAPS FSRM */ | BIT(8) /* VP2INTERSECT */ |              \
     BIT(14) /* SERIALIZE */)

/* Leaf 80000001 */
#define X1_ECX_KEEP                                                                         \
    (BIT(0) /* LAHF */ | RANGE(5, 8) /* LZCNT SSE4A MISALIGNSSE PREFETCHW */ |              \
     BIT(11) /* XOP */ | BIT(16) /* FMA4 */ | BIT(21) /* TBM */)
#define X1_EDX_KEEP                                                                         \
    (BASE_EDX | BIT(11) /* SYSCALL */ | BIT(20) /* NX */ |                                  \
     RANGE(22, 24) /* MMXEXT MMX FXSR */ | RANGE(26, 27) /* PAGE1GB RDTSCP */ |             \
     RANGE(29, 31) /* LM 3DNOWEXT 3DNOW */)

#define CPUID_6_ARAT          BIT(2)
#define XSAVE_1_KEEP          RANGE(0, 2) /* XSAVEOPT XSAVEC XGETBV1; no XSAVES, no XFD */
#define CPUID_X7_INVARIANT_TSC BIT(8)     /* a guest is never moved to another clock */
#define X8_EBX_KEEP           (BIT(0) /* CLZERO */ | BIT(2) /* XSAVEERPTR */)
#define X8_LINEAR_48          0x3000u

struct row {
    u32 leaf, sub;                     /* sub ANY: the leaf has none, or one rule for all */
    u32 keep[4], set[4];               /* eax ebx ecx edx: host & keep | set */
    void (*fix)(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r);
};

/* Core number bits in an APIC id: each vCPU is a core of its own, all in one package. */
static u32 core_bits(const struct vcpuid_env *env)
{
    u32 bits = 0;

    while (1u << bits < env->nr_vcpus)
        bits++;
    return bits;
}

static void fix_features(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    (void)sub;
    r->ebx |= env->apic_id << 24 | (env->nr_vcpus & 0xff) << 16;
    if (env->x2apic)
        r->ecx |= L1_ECX_X2APIC;
    if ((env->cr4 & CR4_OSXSAVE) && (r->ecx & L1_ECX_XSAVE))
        r->ecx |= L1_ECX_OSXSAVE;
    if (env->nr_vcpus > 1)
        r->edx |= L1_EDX_HTT;
}

/* Every cache belongs to one core; EAX[4:0] 0 ends the list. */
static void fix_caches(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    (void)sub;
    if (r->eax & 0x1f)
        r->eax |= ((1u << core_bits(env)) - 1) << 26;
    else
        *r = (struct cpuid_regs){ 0 };
}

static void fix_topology(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    static const u32 types[2] = { 1 /* SMT */, 2 /* core */ };

    *r = (struct cpuid_regs){ .ecx = sub & 0xff, .edx = env->apic_id };
    if (sub >= ARRAY_SIZE(types))
        return;
    r->eax = sub ? core_bits(env) : 0;
    r->ebx = sub ? env->nr_vcpus : 1;
    r->ecx |= types[sub] << 8;
}

/* ECX: the area for all components offered. EBX follows XCR0, the guest's when this runs. */
static void fix_xsave(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    struct cpuid_regs c;

    (void)sub;
    if (!r->eax)
        return;
    r->ecx = 512 + 64;
    for (u32 i = 2; i < 32; i++) {
        if (!(r->eax & BIT(i)))
            continue;
        env->host(0xd, i, &c);
        r->ecx = MAX(r->ecx, c.eax + c.ebx);
    }
}

static void fix_xsave_component(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    (void)env;
    if (sub >= 32 || !(VCPUID_XCR0 & BIT(sub)))
        *r = (struct cpuid_regs){ 0 };
}

static void fix_abi(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    (void)sub;
    r->eax = PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR;
    r->ebx = (u32)env->features;
    r->ecx = env->hypercall_insn;
}

/* One tick of the local APIC timer is one tick of the TSC. */
static void fix_timing(const struct vcpuid_env *env, u32 sub, struct cpuid_regs *r)
{
    (void)sub;
    r->eax = r->ebx = (u32)env->tsc_khz;
}

/* The first row that matches decides; no row: zero. */
static const struct row rows[] = {
    { 0x0, ANY, { 0, ALL, ALL, ALL }, { MAX_BASIC, 0, 0, 0 }, NULL },
    { 0x1, ANY, { ALL, 0xff00, L1_ECX_KEEP, L1_EDX_KEEP },
      { 0, 0, L1_ECX_TSC_DEADLINE | L1_ECX_HYPERVISOR, L1_EDX_APIC }, fix_features },
    { 0x2, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL },
    { 0x4, ANY, { 0x3ff, ALL, ALL, 0x7 }, { 0 }, fix_caches },
    { 0x6, ANY, { 0 }, { CPUID_6_ARAT, 0, 0, 0 }, NULL },
    { 0x7, 0, { 0, L7_EBX_KEEP, L7_ECX_KEEP, L7_EDX_KEEP },
      { 0, L7_EBX_TSC_ADJUST, 0, 0 }, NULL },
    { 0xb, ANY, { 0 }, { 0 }, fix_topology },
    { 0xd, 0, { VCPUID_XCR0, ALL, 0, 0 }, { 0 }, fix_xsave },
    { 0xd, 1, { XSAVE_1_KEEP, ALL, 0, 0 }, { 0 }, NULL },
    { 0xd, ANY, { ALL, ALL, 0x2, 0 }, { 0 }, fix_xsave_component },
    { PITH_CPUID_BASE, ANY, { 0 }, { PITH_TIMING, 0x68746950, 0x68746950, 0x68746950 }, NULL },
    { PITH_CPUID_ABI, ANY, { 0 }, { 0 }, fix_abi },
    { PITH_TIMING, ANY, { 0 }, { 0 }, fix_timing },
    { KVM_BASE, ANY, { 0 }, { KVM_FEATURES, 0x4b4d564b, 0x564b4d56, 0x0000004d }, NULL },
    { KVM_FEATURES, ANY, { 0 },
      { KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_STEAL_TIME | KVM_CLOCKSOURCE_STABLE, 0, 0, 0 }, NULL },
    { 0x80000000, ANY, { 0, ALL, ALL, ALL }, { MAX_EXTENDED, 0, 0, 0 }, NULL },
    { 0x80000001, ANY, { ALL, 0, X1_ECX_KEEP, X1_EDX_KEEP }, { 0 }, NULL },
    { 0x80000002, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL }, /* brand string */
    { 0x80000003, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL },
    { 0x80000004, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL },
    { 0x80000005, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL }, /* caches and TLBs */
    { 0x80000006, ANY, { ALL, ALL, ALL, ALL }, { 0 }, NULL },
    { 0x80000007, ANY, { 0 }, { 0, 0, 0, CPUID_X7_INVARIANT_TSC }, NULL },
    { 0x80000008, ANY, { 0xff, X8_EBX_KEEP, 0, 0 }, { X8_LINEAR_48, 0, 0, 0 }, NULL },
};

static const struct row *find_row(u32 leaf, u32 sub)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].leaf == leaf && (rows[i].sub == ANY || rows[i].sub == sub))
            return &rows[i];
    return NULL;
}

/* Intel answers a leaf above the highest one with another leaf's data: here it reads as zero. */
static void read_host(const struct vcpuid_env *env, u32 leaf, u32 sub, struct cpuid_regs *out)
{
    struct cpuid_regs top;

    *out = (struct cpuid_regs){ 0 };
    env->host(leaf & 0x80000000, 0, &top);
    if (leaf <= top.eax)
        env->host(leaf, sub, out);
}

void vcpuid(const struct vcpuid_env *env, u32 leaf, u32 sub, struct cpuid_regs *out)
{
    const struct row *row = find_row(leaf, sub);
    struct cpuid_regs host;

    *out = (struct cpuid_regs){ 0 };
    if (!row || ((leaf == KVM_BASE || leaf == KVM_FEATURES) && !env->kvm))
        return;

    read_host(env, leaf, sub, &host);
    out->eax = (host.eax & row->keep[0]) | row->set[0];
    out->ebx = (host.ebx & row->keep[1]) | row->set[1];
    out->ecx = (host.ecx & row->keep[2]) | row->set[2];
    out->edx = (host.edx & row->keep[3]) | row->set[3];
    if (row->fix)
        row->fix(env, sub, out);
}

/* Leaf 1 shows a bit of CR4, leaf 0DH follows XCR0: the guest changes these. */
void vcpuid_ask(const struct vcpuid_env *env, struct vcpuid_cache *cache, u32 leaf, u32 sub, struct cpuid_regs *out)
{
    sub = leaf > VCPUID_LAST_SUB ? 0 : sub;
    vcpuid(env, leaf, sub, out);
    if (leaf == 0x1 || leaf == 0xd)
        return;
    cache->entries[vcpuid_slot(leaf, sub)] = (struct vcpuid_entry){ .key = vcpuid_key(leaf, sub), .regs = *out };
}
