/* SPDX-License-Identifier: MIT */
/*
 * The doors to guest memory: guest-physical through the second stage, guest-linear through the
 * guest's own tables.
 */
#include "arch/x86/vmem.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/vm_ops.h"
#include "arch/x86/window.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"

#define SEG_DPL(attr)  ((u8)((attr) >> 5 & 3))
#define SEG_ATTR_L     (1u << 13)
#define SEG_ATTR_DB    (1u << 14)
#define INSN_MAX       15

static void *frame_byte(enum window_slot slot, hpa_t hpa)
{
    return (u8 *)window_get(slot, ALIGN_DOWN(hpa, PAGE_SIZE)) + (hpa & PAGE_MASK);
}

static size_t rest_of_page(u64 addr, size_t len)
{
    return MIN(len, (size_t)(PAGE_SIZE - (addr & PAGE_MASK)));
}

static bool gpa_hpa(const struct arch_vm *vm, gpa_t gpa, enum s2_prot need, hpa_t *hpa)
{
    if (!arch_vm_translate(vm, gpa, need, hpa))
        return false;
    *hpa = ALIGN_DOWN(*hpa, PAGE_SIZE) | (gpa & PAGE_MASK);
    return true;
}

static bool gpa_range_ok(const struct arch_vm *vm, gpa_t gpa, size_t len, enum s2_prot need)
{
    hpa_t hpa;

    if (gpa + len < gpa)
        return false;
    for (size_t n; len; gpa += n, len -= n) {
        n = rest_of_page(gpa, len);
        if (!gpa_hpa(vm, gpa, need, &hpa))
            return false;
    }
    return true;
}

enum pith_status arch_vm_read(const struct arch_vm *vm, gpa_t gpa, void *buf, size_t len)
{
    u8 *to = buf;
    hpa_t hpa;

    if (gpa + len < gpa)
        return PITH_E_ARG;
    for (size_t n; len; gpa += n, to += n, len -= n) {
        n = rest_of_page(gpa, len);
        if (!gpa_hpa(vm, gpa, S2_R, &hpa))
            return PITH_E_ARG;
        memcpy(to, frame_byte(WINDOW_DATA, hpa), n);
    }
    return PITH_OK;
}

enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    const u8 *from = buf;
    hpa_t hpa;

    if (!gpa_range_ok(vm, gpa, len, S2_RW))
        return PITH_E_ARG;

    for (size_t n; len; gpa += n, from += n, len -= n) {
        n = rest_of_page(gpa, len);
        if (!gpa_hpa(vm, gpa, S2_RW, &hpa)) /* another core's unmap came between */
            return PITH_E_ARG;
        memcpy(frame_byte(WINDOW_DATA, hpa), from, n);
    }
    return PITH_OK;
}

static bool table_read(void *ctx, gpa_t gpa, void *buf, size_t len)
{
    const struct arch_vm *vm = ctx;
    hpa_t hpa;

    if (!gpa_hpa(vm, gpa, S2_R, &hpa))
        return false;
    memcpy(buf, frame_byte(WINDOW_WALK, hpa), len); /* naturally aligned: never crosses a page */
    return true;
}

static bool table_update(void *ctx, gpa_t gpa, u64 old, u64 val, size_t len)
{
    const struct arch_vm *vm = ctx;
    u32 old32 = (u32)old;
    hpa_t hpa;
    void *entry;

    if (!gpa_hpa(vm, gpa, S2_RW, &hpa))
        return false;
    entry = frame_byte(WINDOW_WALK, hpa);
    /*
     * RELAXED: against the guest's other processors only, whose accesses the architecture orders.
     */
    if (len == sizeof(u32))
        return __atomic_compare_exchange_n((u32 *)entry, &old32, (u32)val, false,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((u64 *)entry, &old, val, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static u8 host_maxphyaddr(void)
{
    static u8 bits; /* every core has the same */
    u32 a, b, c, d;

    if (!bits) {
        cpuid(0x80000008, 0, &a, &b, &c, &d);
        bits = (u8)a;
    }
    return bits;
}

static void walk_env(struct arch_vcpu *v, struct gwalk_env *env)
{
    const struct vm_ops *ops = vm_ops_get();
    struct x86_segment ss;

    ops->seg(v, X86_SS, &ss);
    *env = (struct gwalk_env){
        .cr0 = ops->reg(v, X86_CR0),
        .cr3 = ops->reg(v, X86_CR3),
        .cr4 = ops->reg(v, X86_CR4),
        .efer = ops->reg(v, X86_EFER),
        .rflags = ops->reg(v, X86_RFLAGS),
        .cpl = SEG_DPL(ss.attr), /* SS.DPL is the CPL in every mode, on both vendors */
        .nx = true,
        .page_1g = true,
        .maxphyaddr = host_maxphyaddr(),
        .read = table_read,
        .update = table_update,
        .ctx = v->vm,
    };
}

/* Reads an entry and keeps the place in sight. */
static bool traced_read(void *ctx, gpa_t gpa, void *buf, size_t len)
{
    struct arch_vcpu *v = ctx;
    struct vm_fetch *f = &v->fetch;
    const void *at;
    hpa_t hpa;

    if (f->steps >= ARRAY_SIZE(f->step)) {
        f->steps = ARRAY_SIZE(f->step) + 1;
        return table_read(v->vm, gpa, buf, len);
    }
    if (!gpa_hpa(v->vm, gpa, S2_R, &hpa))
        return false;
    at = frame_byte((enum window_slot)(WINDOW_CODE_TABLES + f->steps), hpa);
    f->step[f->steps].at = at;
    if (len == sizeof(u32))
        f->step[f->steps].entry = *(u32 *)buf = *(const volatile u32 *)at;
    else
        f->step[f->steps].entry = *(u64 *)buf = *(const volatile u64 *)at;
    f->entry_size = (u8)len;
    f->steps++;
    return true;
}

/* Accessed bits need no setting: the processor has just been there. */
void vmem_cache_code(struct arch_vcpu *v, u64 linear)
{
    u64 epoch = v->vm->s2_epoch; /* before the walk: a change during it makes the entry stale */
    struct vm_fetch *f = &v->fetch;
    struct gwalk_env env;
    struct x86_event fault;
    hpa_t hpa;
    gpa_t gpa;

    walk_env(v, &env);
    env.read = traced_read;
    env.update = NULL;
    env.ctx = v;
    f->steps = 0;
    f->rip = FETCH_NOWHERE;
    if (!gwalk(&env, linear, GWALK_FETCH, &gpa, &fault) || !gpa_hpa(v->vm, gpa, S2_R, &hpa))
        return;
    f->rip = ALIGN_DOWN(linear, PAGE_SIZE);
    f->cr0 = env.cr0;
    f->cr3 = env.cr3;
    f->cr4 = env.cr4;
    f->efer = env.efer;
    f->at = window_get(WINDOW_CODE, ALIGN_DOWN(hpa, PAGE_SIZE));
    f->epoch = epoch;
}

/* Whether @linear lies in the cached page, and a walk would lead there now: for who does more than compare its bytes. */
static bool code_cached(struct arch_vcpu *v, u64 linear)
{
    const struct vm_ops *ops = vm_ops_get();
    const struct vm_fetch *f = &v->fetch;

    if ((linear ^ f->rip) >= PAGE_SIZE || f->epoch != v->vm->s2_epoch || f->steps > ARRAY_SIZE(f->step) ||
        f->cr3 != ops->reg(v, X86_CR3) || f->cr0 != ops->reg(v, X86_CR0) || f->cr4 != ops->reg(v, X86_CR4) ||
        f->efer != ops->reg(v, X86_EFER))
        return false;
    for (u32 i = 0; i < f->steps; i++) {
        u64 entry = f->entry_size == sizeof(u32) ? *(const volatile u32 *)f->step[i].at : *(const volatile u64 *)f->step[i].at;

        if (entry != f->step[i].entry)
            return false;
    }
    return true;
}

bool arch_vcpu_translate(struct arch_vcpu *v, u64 linear, bool write, gpa_t *gpa, struct x86_event *fault)
{
    struct gwalk_env env;

    ASSERT(v->cpu && v->cpu->loaded == v);
    walk_env(v, &env);
    return gwalk(&env, linear, write ? GWALK_WRITE : GWALK_READ, gpa, fault);
}

static bool in_64bit_mode(const struct arch_vcpu *v, const struct x86_segment *cs)
{
    return (cs->attr & SEG_ATTR_L) && (vm_ops_get()->reg(v, X86_EFER) & EFER_LMA);
}

static u64 code_linear(struct arch_vcpu *v, u64 rip)
{
    struct x86_segment cs;

    vm_ops_get()->seg(v, X86_CS, &cs);
    return in_64bit_mode(v, &cs) ? rip : (u32)(cs.base + rip);
}

u64 vmem_code_linear(struct arch_vcpu *v)
{
    return code_linear(v, vm_ops_get()->rip(v));
}

enum insn_mode arch_vcpu_code_mode(const struct arch_vcpu *v)
{
    const struct vm_ops *ops = vm_ops_get();
    struct x86_segment cs;

    ops->seg(v, X86_CS, &cs);
    if (in_64bit_mode(v, &cs))
        return INSN_64;
    return (cs.attr & SEG_ATTR_DB) ? INSN_32 : INSN_16;
}

/* Up to the end of a page; where there is no RAM, what an empty bus answers. */
static bool fetch_part(struct arch_vcpu *v, u64 linear, u8 *to, size_t n, struct x86_event *fault)
{
    struct gwalk_env env;
    hpa_t hpa;
    gpa_t gpa;

    walk_env(v, &env);
    if (!gwalk(&env, linear, GWALK_FETCH, &gpa, fault))
        return false;
    if (gpa_hpa(v->vm, gpa, S2_R, &hpa))
        memcpy(to, frame_byte(WINDOW_DATA, hpa), n);
    else
        memset(to, 0xff, n);
    return true;
}

/*
 * When the instruction may go on into a page that cannot be fetched: what there is; *fault is valid
 * then.
 */
bool arch_vcpu_fetch(struct arch_vcpu *v, u8 insn[15], u8 *len, struct x86_event *fault)
{
    u64 rip = vm_ops_get()->rip(v), linear = code_linear(v, rip), next;
    size_t n = rest_of_page(linear, INSN_MAX);
    bool one_page = n == INSN_MAX && linear == rip; /* skipping takes a RIP in it for linear */

    ASSERT(v->cpu && v->cpu->loaded == v);
    fault->valid = false;
    if (one_page && !code_cached(v, linear))
        vmem_cache_code(v, linear);
    if (one_page && ALIGN_DOWN(linear, PAGE_SIZE) == v->fetch.rip) {
        __builtin_memcpy(insn, v->fetch.at + (linear & PAGE_MASK), INSN_MAX);
        *len = INSN_MAX;
        return true;
    }
    if (!fetch_part(v, linear, insn, n, fault))
        return false;
    *len = (u8)n;
    next = arch_vcpu_code_mode(v) == INSN_64 ? linear + n : (u32)(linear + n); /* linear addresses have 32 bits elsewhere */
    if (n < INSN_MAX && fetch_part(v, next, insn + n, INSN_MAX - n, fault))
        *len = INSN_MAX;
    return true;
}
