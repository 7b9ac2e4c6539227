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

static bool gpa_range_ok(const struct arch_vm *vm, gpa_t gpa, size_t len, enum s2_prot need)
{
    hpa_t hpa;

    if (gpa + len < gpa)
        return false;
    for (size_t n; len; gpa += n, len -= n) {
        n = rest_of_page(gpa, len);
        if (!arch_vm_translate(vm, gpa, need, &hpa))
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
        if (!arch_vm_translate(vm, gpa, S2_R, &hpa))
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
        if (!arch_vm_translate(vm, gpa, S2_RW, &hpa)) /* another core's unmap came between */
            return PITH_E_ARG;
        memcpy(frame_byte(WINDOW_DATA, hpa), from, n);
    }
    return PITH_OK;
}

static bool table_read(void *ctx, gpa_t gpa, void *buf, size_t len)
{
    hpa_t hpa;

    if (!arch_vm_translate(ctx, gpa, S2_R, &hpa))
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

    if (!arch_vm_translate(vm, gpa, S2_RW, &hpa))
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
    vm_ops_get()->mode(v, &env->mode);
    env->nx = true;
    env->page_1g = true;
    env->maxphyaddr = host_maxphyaddr();
    env->read = table_read;
    env->update = table_update;
    env->ctx = v->vm;
}

static bool traced_read(void *ctx, gpa_t gpa, void *buf, size_t len);

static __attribute__((noinline)) bool traced_elsewhere(struct arch_vcpu *v, gpa_t gpa, void *buf, size_t len)
{
    struct vm_fetch *f = &v->fetch;
    hpa_t hpa;

    if (f->steps >= ARRAY_SIZE(f->step)) {
        f->steps = ARRAY_SIZE(f->step) + 1;
        return table_read(v->vm, gpa, buf, len);
    }
    if (!arch_vm_translate(v->vm, gpa, S2_R, &hpa))
        return false;
    f->step[f->steps].at = frame_byte((enum window_slot)(WINDOW_CODE_TABLES + f->steps), hpa);
    f->step[f->steps].gpa = gpa;
    return traced_read(v, gpa, buf, len);
}

/* Reads an entry and keeps the place in sight: the next page is mostly by the same tables. */
static bool traced_read(void *ctx, gpa_t gpa, void *buf, size_t len)
{
    struct arch_vcpu *v = ctx;
    struct vm_fetch *f = &v->fetch;
    struct vm_step *s = &f->step[f->steps];

    if (f->steps >= ARRAY_SIZE(f->step) || (gpa ^ s->gpa) >= PAGE_SIZE)
        return traced_elsewhere(v, gpa, buf, len);
    s->at += gpa - s->gpa;
    s->gpa = gpa;
    if (len == sizeof(u32))
        s->entry = *(u32 *)buf = *(const volatile u32 *)s->at;
    else
        s->entry = *(u64 *)buf = *(const volatile u64 *)s->at;
    f->entry_size = (u8)len;
    f->steps++;
    return true;
}

static u32 code_slot(const struct arch_vcpu *v, u64 rip)
{
    return (u32)((rip ^ (uintptr_t)v) / PAGE_SIZE % CODE_PAGES);
}

static void keep_code(struct arch_vcpu *v, hpa_t page)
{
    struct vm_fetch *f = &v->fetch;
    u32 slot = code_slot(v, f->rip);

    f->at = window_get((enum window_slot)(WINDOW_CODE + slot), page);
    v->cpu->code[slot] = (struct code_page){ v, f->rip, f->cr3, f->epoch, f->at };
}

bool vmem_recall_code(struct arch_vcpu *v, u64 rip, u64 cr3)
{
    const struct code_page *c = &v->cpu->code[code_slot(v, rip)];
    struct vm_fetch *f = &v->fetch;

    if (c->v != v || (c->rip ^ rip) >= PAGE_SIZE || c->cr3 != cr3 || c->epoch != v->vm->s2_epoch)
        return false;
    f->rip = c->rip;
    f->cr3 = cr3;
    f->at = c->at;
    f->steps = ARRAY_SIZE(f->step) + 1;
    return true;
}

/* Accessed bits need no setting: the processor has just been there. */
static void cache_code(struct arch_vcpu *v, struct gwalk_env *env)
{
    u64 epoch = v->vm->s2_epoch; /* before the walk: a change during it makes the entry stale */
    struct vm_fetch *f = &v->fetch;
    struct x86_event fault;
    hpa_t hpa;
    gpa_t gpa;

    env->read = traced_read;
    env->update = NULL;
    env->ctx = v;
    for (u32 i = 0; f->epoch != epoch && i < ARRAY_SIZE(f->step); i++)
        f->step[i].gpa = ~0ull;
    f->epoch = epoch;
    f->steps = 0;
    f->rip = FETCH_NOWHERE;
    if (!gwalk(env, env->mode.rip, GWALK_FETCH, &gpa, &fault) || !arch_vm_translate(v->vm, gpa, S2_X, &hpa))
        return;
    f->rip = ALIGN_DOWN(env->mode.rip, PAGE_SIZE);
    f->cr0 = env->mode.cr0;
    f->cr3 = env->mode.cr3;
    f->cr4 = env->mode.cr4;
    f->efer = env->mode.efer;
    keep_code(v, ALIGN_DOWN(hpa, PAGE_SIZE));
}

/* Whether @linear lies in the cached page, and a walk would lead there now: for who does more than compare its bytes. */
static bool code_cached(const struct arch_vcpu *v, const struct vm_mode *m, u64 linear)
{
    const struct vm_fetch *f = &v->fetch;

    if ((linear ^ f->rip) >= PAGE_SIZE || f->epoch != v->vm->s2_epoch || f->steps > ARRAY_SIZE(f->step) ||
        f->cr3 != m->cr3 || f->cr0 != m->cr0 || f->cr4 != m->cr4 || f->efer != m->efer)
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

bool arch_vcpu_translate_table(struct arch_vcpu *v, u64 linear, bool write, gpa_t *gpa, struct x86_event *fault)
{
    struct gwalk_env env;

    ASSERT(v->cpu && v->cpu->loaded == v);
    walk_env(v, &env);
    env.mode.cpl = 0;
    env.mode.rflags &= ~RFLAGS_AC;
    return gwalk(&env, linear, write ? GWALK_WRITE : GWALK_READ, gpa, fault);
}

static enum insn_mode code_mode(const struct vm_mode *m)
{
    if ((m->cs_attr & SEG_ATTR_L) && (m->efer & EFER_LMA))
        return INSN_64;
    return (m->cs_attr & SEG_ATTR_DB) ? INSN_32 : INSN_16;
}

static u64 code_linear(const struct arch_vcpu *v, const struct vm_mode *m)
{
    struct x86_segment cs;

    if (code_mode(m) == INSN_64)
        return m->rip;
    vm_ops_get()->seg(v, X86_CS, &cs);
    return (u32)(cs.base + m->rip);
}

void vmem_cache_code(struct arch_vcpu *v)
{
    struct gwalk_env env;

    walk_env(v, &env);
    v->fetch.rip = FETCH_NOWHERE;
    if (code_linear(v, &env.mode) == env.mode.rip)
        cache_code(v, &env);
}

enum insn_mode arch_vcpu_code_mode(const struct arch_vcpu *v)
{
    struct vm_mode m;

    vm_ops_get()->mode(v, &m);
    return code_mode(&m);
}

/* Up to the end of a page; where there is nothing to execute, what an empty bus answers. */
static bool fetch_part(struct arch_vcpu *v, const struct gwalk_env *env, u64 linear, u8 *to, size_t n, struct x86_event *fault)
{
    hpa_t hpa;
    gpa_t gpa;

    if (!gwalk(env, linear, GWALK_FETCH, &gpa, fault))
        return false;
    if (arch_vm_translate(v->vm, gpa, S2_X, &hpa))
        memcpy(to, frame_byte(WINDOW_DATA, hpa), n);
    else
        memset(to, 0xff, n);
    return true;
}

/*
 * When the instruction may go on into a page that cannot be fetched: what there is; *fault is valid
 * then.
 */
bool arch_vcpu_fetch(struct arch_vcpu *v, u8 insn[15], u8 *len, enum insn_mode *mode, struct x86_event *fault)
{
    struct gwalk_env env;
    u64 linear;
    size_t n;

    ASSERT(v->cpu && v->cpu->loaded == v);
    fault->valid = false;
    walk_env(v, &env);
    *mode = code_mode(&env.mode);
    linear = code_linear(v, &env.mode);
    n = rest_of_page(linear, INSN_MAX);
    if (n == INSN_MAX && linear == env.mode.rip) { /* skipping takes a RIP in the cached page for linear */
        if (!code_cached(v, &env.mode, linear))
            cache_code(v, &env);
        if (ALIGN_DOWN(linear, PAGE_SIZE) == v->fetch.rip) {
            __builtin_memcpy(insn, v->fetch.at + (linear & PAGE_MASK), INSN_MAX);
            *len = INSN_MAX;
            return true;
        }
        walk_env(v, &env);
    }
    if (!fetch_part(v, &env, linear, insn, n, fault))
        return false;
    *len = (u8)n;
    linear += n;
    if (*mode != INSN_64)
        linear = (u32)linear; /* linear addresses have 32 bits elsewhere */
    if (n < INSN_MAX && fetch_part(v, &env, linear, insn + n, INSN_MAX - n, fault))
        *len = INSN_MAX;
    return true;
}
