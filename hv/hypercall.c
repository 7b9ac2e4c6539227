/* SPDX-License-Identifier: MIT */
/* The hypercalls: one table, generated from hypercalls.def, and the calls of the first set. */
#include "hv/hypercall.h"

#include "arch/x86/cpu/regs.h"
#include "hv/partition.h"

typedef enum exit_action hc_fn(struct vcpu *v, struct hc_args *a, enum pith_status *st);

#define HC(nr, NAME, handler, nargs, cap) static hc_fn hc_##handler;
#include "hv/abi/hypercalls.def"
#undef HC

static const struct { hc_fn *fn; u8 nargs, cap; } calls[] = {
#define HC(nr, NAME, handler, nargs, cap) [nr] = { hc_##handler, nargs, cap },
#include "hv/abi/hypercalls.def"
#undef HC
};

/* All arguments from the @first on, in one word. */
static u64 rest_of(const u64 in[5], u8 first)
{
    u64 rest = 0;

    switch (first) {
    case 0: rest |= in[0]; __attribute__((fallthrough));
    case 1: rest |= in[1]; __attribute__((fallthrough));
    case 2: rest |= in[2]; __attribute__((fallthrough));
    case 3: rest |= in[3]; __attribute__((fallthrough));
    case 4: rest |= in[4]; __attribute__((fallthrough));
    default: return rest;
    }
}

static enum pith_status check(const struct vcpu *v, u64 nr, const struct hc_args *a)
{
    if (nr >= ARRAY_SIZE(calls) || !calls[nr].fn)
        return PITH_E_CALL;
    if ((v->part->caps & calls[nr].cap) != calls[nr].cap)
        return PITH_E_PERM;
    return rest_of(a->in, calls[nr].nargs) ? PITH_E_ARG : PITH_OK;
}

enum exit_action hypercall_dispatch(struct vcpu *v, u64 nr, struct hc_args *a, enum pith_status *st)
{
    *st = check(v, nr, a);
    return *st == PITH_OK ? calls[nr].fn(v, a, st) : EXIT_SKIP;
}

u32 hypercall_insn(void)
{
    return arch_vm_caps()->hypercall_vmcall ? PITH_HC_VMCALL : PITH_HC_VMMCALL;
}

/*
 * From 64-bit or flat 32-bit protected mode; anything else gets #UD, as where there is no hypervisor. The CPL is 3 in
 * virtual-8086 mode.
 */
static bool mode_allowed(const struct vm_exit *exit)
{
    return exit->cpl == 0 && !exit->hypercall.real;
}

enum exit_action on_hypercall(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    struct hc_args a = { .in = { g->rbx, g->rcx, g->rdx, g->rsi, g->rdi }, .out = { g->rbx, g->rcx } };
    enum pith_status st = PITH_OK;
    enum exit_action act;

    if (!mode_allowed(exit))
        return exit_fault(v, X86_UD);
    if ((g->rax & ~0xffffull) != PITH_CALL_BASE) {
        g->rax = (u64)PITH_CALL_UNKNOWN;
        return EXIT_SKIP;
    }
    act = hypercall_dispatch(v, g->rax & 0xffff, &a, &st);
    g->rax = st;
    g->rbx = a.out[0];
    g->rcx = a.out[1];
    return act;
}

static enum exit_action hc_version(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)v, (void)st;
    a->out[0] = PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR;
    return EXIT_SKIP;
}

static enum exit_action hc_features(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)st;
    a->out[0] = v->cpuid.features;
    return EXIT_SKIP;
}

static enum exit_action hc_console_write(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    char chunk[256];
    gpa_t gpa = a->in[0];
    u64 left = a->in[1];

    if (left > PITH_CONSOLE_MAX || gpa + left < gpa) {
        *st = PITH_E_ARG;
        return EXIT_SKIP;
    }
    a->out[0] = left;
    if (!left)
        return EXIT_SKIP;
    /* Nothing is printed unless all of it can be read. */
    for (u64 at = gpa & ~PAGE_MASK; at < gpa + left; at += PAGE_SIZE) {
        hpa_t hpa;

        if (!arch_vm_translate(&v->part->vm, at, S2_R, &hpa)) {
            *st = PITH_E_ARG;
            a->out[0] = gpa;
            return EXIT_SKIP;
        }
    }
    while (left) {
        size_t n = MIN(left, sizeof(chunk));

        *st = arch_vm_read(&v->part->vm, gpa, chunk, n);
        if (*st != PITH_OK)
            return EXIT_SKIP;
        console_write(&v->part->console, chunk, n);
        gpa += n;
        left -= n;
    }
    return EXIT_SKIP;
}

static u64 ns_since_start(const struct vcpu *v)
{
    u64 ticks = arch_tsc() - v->part->start_tsc;
    u64 khz = arch_tsc_khz();

    return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

static enum exit_action hc_time(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)st;
    a->out[0] = ns_since_start(v);
    a->out[1] = arch_tsc_khz();
    return EXIT_SKIP;
}

static enum exit_action hc_yield(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)a, (void)st;
    v->home->resched = true; /* seen before the next entry, after this instruction was completed */
    return EXIT_SKIP;
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

static enum exit_action hc_wait(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)st;
    v->wait = WAIT_CALL;
    v->wait_deadline = deadline_tsc(v, a->in[0]);
    timer_set(&v->home->timers, &v->wait_timer, v->wait_deadline);
    return EXIT_SKIP;
}

void hypercall_wait_done(struct vcpu *v)
{
    v->arch.gpr.rax = PITH_OK;
    v->arch.gpr.rbx = ns_since_start(v);
}

static enum exit_action hc_exit(struct vcpu *v, struct hc_args *a, enum pith_status *st)
{
    (void)st;
    v->part->exit_status = a->in[0];
    if (partition_stop(v->part, END_EXIT) != PITH_OK)
        vcpu_post(v, VCPU_PEND_STOP); /* it is being stopped already; this call does not return all the same */
    return EXIT_SKIP;
}
