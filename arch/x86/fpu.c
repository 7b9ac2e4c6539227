/* SPDX-License-Identifier: MIT */
/* Extended state, switched eagerly: what the guest has enabled never matters to what is saved. */
#include "arch/x86/fpu.h"

#include "arch/x86/cpu/insn.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"

/* The XSAVE area. SDM 1, "XSAVE Area". */
#define XSAVE_FCW       0
#define XSAVE_FTW       4   /* abridged: one bit a register */
#define XSAVE_MXCSR     24
#define XSAVE_XMM       160
#define XSAVE_XSTATE_BV 512
#define XCR0_X87        BIT(0)
#define XCR0_SSE        BIT(1)
#define XCR0_AVX        BIT(2)
#define XCR0_MPX        (BIT(3) | BIT(4))
#define XCR0_AVX512     (BIT(5) | BIT(6) | BIT(7))
#define XCR0_AMX        (BIT(17) | BIT(18))
#define FCW_RESET       0x40
#define MXCSR_RESET     0x1f80

u32 fpu_area_size(void)
{
    u32 a, b, c, d;

    cpuid(0xd, 0, &a, &b, &c, &d);
    return c;
}

static u32 host_xcr0; /* by the first fpu_reset(), before anything is loaded; every core has the same */

u32 fpu_host_xcr0(void)
{
    u32 b, c, d;

    if (!host_xcr0)
        cpuid(0xd, 0, &host_xcr0, &b, &c, &d);
    return host_xcr0;
}

static bool all_or_none(u64 val, u64 group)
{
    return !(val & group) || (val & group) == group;
}

bool fpu_xcr0_valid(u64 val)
{
    return (val & XCR0_X87) && !(val & ~(u64)fpu_host_xcr0()) && all_or_none(val, XCR0_MPX) &&
           all_or_none(val, XCR0_AVX512) && all_or_none(val, XCR0_AMX) &&
           (!(val & XCR0_AVX) || (val & XCR0_SSE)) && (!(val & XCR0_AVX512) || (val & XCR0_AVX));
}

void fpu_reset(struct arch_vcpu *v)
{
    u8 *area = v->xsave;

    (void)fpu_host_xcr0();
    memset(area, 0, fpu_area_size());
    /*
     * SDM 3, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT": tags 5555H,
     * so nothing is empty.
     */
    *(u16 *)(void *)(area + XSAVE_FCW) = FCW_RESET;
    area[XSAVE_FTW] = 0xff;
    /* XRSTOR takes MXCSR from memory even when XSTATE_BV says that SSE is in its initial state. */
    *(u32 *)(void *)(area + XSAVE_MXCSR) = MXCSR_RESET;
    *(u64 *)(void *)(area + XSAVE_XSTATE_BV) = XCR0_X87;
    v->xcr0 = XCR0_X87;
}

static const u32 nothing;

/*
 * AMD processors before XSAVEERPTR neither save nor restore the last x87 instruction's pointers unless an exception is pending:
 * APM 2, "FXSAVE and FXRSTOR Instructions". One of ours takes the place of the previous guest's.
 */
#define FORGET_LAST_X87 "fnclex; emms; fildl %[nothing];"

static inline void put(struct arch_vcpu *v)
{
    __asm__ volatile(FORGET_LAST_X87 "xrstor64 (%[area])" : : [area] "r"(v->xsave), [nothing] "m"(nothing), "a"(~0u), "d"(~0u) : "memory");
}

/* XSETBV costs more than to ask. */
static inline void set_xcr0(u32 now, u32 val)
{
    if (now != val)
        xsetbv(val);
}

/* To what saves and restores everything. */
static inline void widen_xcr0(struct arch_vcpu *v, u32 all)
{
    v->xcr0 = xgetbv();
    set_xcr0(v->xcr0, all);
}

void fpu_load(struct arch_vcpu *v)
{
    xsetbv(host_xcr0);
    put(v);
    set_xcr0(host_xcr0, v->xcr0);
}

void fpu_unload(struct arch_vcpu *v)
{
    widen_xcr0(v, host_xcr0);
    xsave64(v->xsave);
}

struct arch_vcpu *fpu_switch(struct arch_vcpu *from, struct arch_vcpu *to)
{
    u32 all = host_xcr0;

    widen_xcr0(from, all);
    /* As xsave64() and put(), but with one load of the mask. */
    __asm__ volatile("xsave64 (%[from]);" FORGET_LAST_X87 "xrstor64 (%[to])"
                     : : [from] "r"(from->xsave), [to] "r"(to->xsave), [nothing] "m"(nothing), "a"(~0u), "d"(~0u) : "memory");
    set_xcr0(all, to->xcr0);
    return to;
}

/* Where component @n, of @size bytes a register, keeps register @reg; NULL: the processor has no such component. */
static u8 *component(const struct arch_vcpu *v, u32 n, u32 reg, u32 size)
{
    u32 a, b, c, d;

    if (!(fpu_host_xcr0() >> n & 1))
        return NULL;
    cpuid(0xd, n, &a, &b, &c, &d);
    return (u8 *)v->xsave + b + reg * size;
}

void arch_vcpu_vector(struct arch_vcpu *v, u8 n, u64 val[4])
{
    const u8 *high = component(v, 2, n, 16);

    ASSERT(v->cpu && v->cpu->loaded == v);
    fpu_unload(v);
    memcpy(val, (u8 *)v->xsave + XSAVE_XMM + 16 * n, 16);
    if (high)
        memcpy(val + 2, high, 16);
    fpu_load(v);
}

void arch_vcpu_set_vector(struct arch_vcpu *v, u8 n, const u64 val[4], bool vex)
{
    u8 *area = v->xsave, *high = component(v, 2, n, 16), *highest = component(v, 6, n, 32);

    ASSERT(v->cpu && v->cpu->loaded == v);
    fpu_unload(v);
    memcpy(area + XSAVE_XMM + 16 * n, val, 16);
    *(u64 *)(void *)(area + XSAVE_XSTATE_BV) |= XCR0_SSE;
    if (vex && high) {
        memcpy(high, val + 2, 16);
        *(u64 *)(void *)(area + XSAVE_XSTATE_BV) |= XCR0_AVX;
    }
    if (vex && highest)
        memset(highest, 0, 32);
    fpu_load(v);
}
