/* SPDX-License-Identifier: MIT */
/* The hypercalls: one table, generated from hypercalls.def, and the calls of the first set. */
#include "hv/hypercall.h"

#include "arch/x86/cpu/regs.h"
#include "hv/partition.h"

/* Arguments are RBX RCX RDX RSI RDI; results go into RBX and RCX, the status into RAX. */
typedef enum pith_status hc_fn(struct vcpu *v, struct x86_gprs *g);
typedef enum exit_action call_fn(struct vcpu *v);

/* All arguments from the @first on, in one word. */
static inline u64 rest_of(const struct x86_gprs *g, u8 first)
{
    u64 rest = 0;

    switch (first) {
    case 0: rest |= g->rbx; __attribute__((fallthrough));
    case 1: rest |= g->rcx; __attribute__((fallthrough));
    case 2: rest |= g->rdx; __attribute__((fallthrough));
    case 3: rest |= g->rsi; __attribute__((fallthrough));
    case 4: rest |= g->rdi; __attribute__((fallthrough));
    default: return rest;
    }
}

/* Checks everything, then invokes. Inlined with constants: what a call does not need is not asked. */
static inline __attribute__((always_inline)) enum exit_action call(struct vcpu *v, hc_fn *fn, u8 nargs, u64 cap)
{
    struct x86_gprs *g = &v->arch.gpr;

    if (cap && (v->part->caps & cap) != cap)
        g->rax = PITH_E_PERM;
    else
        g->rax = rest_of(g, nargs) ? PITH_E_ARG : fn(v, g);
    return EXIT_SKIP;
}

#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors)                               \
    static hc_fn hc_##handler;                                                                      \
    static enum exit_action call_##handler(struct vcpu *v)                                          \
    {                                                                                               \
        return call(v, hc_##handler, nargs, cap);                                                   \
    }
#include "hv/abi/hypercalls.def"
#undef HC

static call_fn *const calls[] = {
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) [nr] = call_##handler,
#include "hv/abi/hypercalls.def"
#undef HC
};

u32 hypercall_insn(void)
{
    return arch_vm_caps()->hypercall_vmcall ? PITH_HC_VMCALL : PITH_HC_VMMCALL;
}

enum exit_action on_hypercall(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 nr = g->rax - PITH_CALL_BASE;

    (void)exit;
    if (nr < ARRAY_SIZE(calls) && calls[nr])
        return calls[nr](v);
    g->rax = nr <= 0xffff ? PITH_E_CALL : (u64)PITH_CALL_UNKNOWN;
    return EXIT_SKIP;
}

static enum pith_status hc_version(struct vcpu *v, struct x86_gprs *g)
{
    (void)v;
    g->rbx = PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR;
    return PITH_OK;
}

static enum pith_status hc_features(struct vcpu *v, struct x86_gprs *g)
{
    g->rbx = v->cpuid.features;
    return PITH_OK;
}

static bool readable(const struct vcpu *v, gpa_t gpa, u64 len)
{
    hpa_t hpa;

    for (u64 at = gpa & ~PAGE_MASK; at < gpa + len; at += PAGE_SIZE)
        if (!arch_vm_translate(&v->part->vm, at, S2_R, &hpa))
            return false;
    return true;
}

/* Nothing is printed unless all of it can be read. */
static enum pith_status hc_console_write(struct vcpu *v, struct x86_gprs *g)
{
    char chunk[256];
    gpa_t gpa = g->rbx;
    u64 left = g->rcx;

    if (left > PITH_CONSOLE_MAX || gpa + left < gpa || !readable(v, gpa, left))
        return PITH_E_ARG;
    while (left) {
        size_t n = MIN(left, sizeof(chunk));
        enum pith_status st = arch_vm_read(&v->part->vm, gpa, chunk, n);

        if (st != PITH_OK)
            return st;
        console_write(&v->part->console, chunk, n);
        gpa += n;
        left -= n;
    }
    g->rbx = g->rcx;
    return PITH_OK;
}

static u64 ns_since_start(const struct vcpu *v)
{
    u64 ticks = arch_tsc() - v->part->start_tsc;
    u64 khz = arch_tsc_khz();

    return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

static enum pith_status hc_time(struct vcpu *v, struct x86_gprs *g)
{
    g->rbx = ns_since_start(v);
    g->rcx = arch_tsc_khz();
    return PITH_OK;
}

static enum pith_status hc_yield(struct vcpu *v, struct x86_gprs *g)
{
    (void)g;
    v->home->resched = v->arch.look = true; /* before the next entry, after this instruction was completed */
    return PITH_OK;
}

/* Deadlines beyond what the TSC will ever reach are as none. */
static u64 deadline_tsc(const struct vcpu *v, u64 ns)
{
    u64 khz = arch_tsc_khz();
    u64 ms = ns / 1000000;

    if (ns == 0 || ms > (TIMER_NEVER >> 1) / khz)
        return TIMER_NEVER;
    return v->part->start_tsc + ms * khz + ns % 1000000 * khz / 1000000;
}

static enum pith_status hc_wait(struct vcpu *v, struct x86_gprs *g)
{
    v->arch.wait = WAIT_CALL;
    v->wait_deadline = deadline_tsc(v, g->rbx);
    timer_set(&v->home->timers, &v->wait_timer, v->wait_deadline);
    return PITH_OK;
}

void hypercall_wait_done(struct vcpu *v)
{
    v->arch.gpr.rax = PITH_OK;
    v->arch.gpr.rbx = ns_since_start(v);
}

static enum pith_status hc_exit(struct vcpu *v, struct x86_gprs *g)
{
    v->part->exit_status = g->rbx;
    if (partition_stop(v->part, END_EXIT) != PITH_OK)
        vcpu_post(v, VCPU_PEND_STOP); /* it is being stopped already; this call does not return all the same */
    return PITH_OK;
}
