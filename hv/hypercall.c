/* SPDX-License-Identifier: MIT */
/* The hypercalls: one table, generated from hypercalls.def. The calls themselves: hv/call_*.c. */
#include "hv/hypercall.h"

#include "hv/rights.h"

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

/*
 * DEBUG=2: the argument registers that hold no result are undefined after a call, and nobody shall rely on what he finds. One that
 * sleeps still needs its arguments, and keeps them.
 */
static inline void spoil(const struct vcpu *v, struct x86_gprs *g, const char *results)
{
    u64 *const arguments[] = { &g->rbx, &g->rcx, &g->rdx, &g->rsi, &g->rdi };
    u32 keep = *results && g->rax == PITH_OK;

    for (; keep && *results; results++)
        keep += *results == ',';
    for (u32 i = keep; i < ARRAY_SIZE(arguments) && v->arch.wait != WAIT_CALL; i++)
        *arguments[i] = 0x5049544853504f49ull + i;
}

/* Checks everything, then invokes. Inlined with constants: what a call does not need is not asked. */
static inline __attribute__((always_inline)) enum exit_action call(struct vcpu *v, hc_fn *fn, u8 nargs, u64 cap, const char *results,
                                                                   bool in_pieces)
{
    struct x86_gprs *g = &v->arch.gpr;
    enum pith_status st;

    if (cap && !(v->part->caps & cap))
        st = rights_denied(v, g->rbx, (enum right)__builtin_ctzll(cap));
    else
        st = rest_of(g, nargs) ? PITH_E_ARG : fn(v, g);
    if (in_pieces && st == CALL_GOES_ON)
        return EXIT_RESUME;
    g->rax = st;
    if (DEBUG > 1)
        spoil(v, g, results);
    return EXIT_SKIP;
}

#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors)                               \
    static enum exit_action call_##handler(struct vcpu *v)                                          \
    {                                                                                               \
        return call(v, hc_##handler, nargs, cap, results, !__builtin_strcmp(#NAME, "CONSOLE_WRITE")); \
    }
#include "hv/abi/hypercalls.def"
#undef HC

static call_fn *const calls[] = {
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) [nr] = call_##handler,
#include "hv/abi/hypercalls.def"
#undef HC
};

#define HC(...) +1
_Static_assert(ARRAY_SIZE(calls) == 0
#include "hv/abi/hypercalls.def"
               , "every number is a call's");
#undef HC

u32 hypercall_insn(void)
{
    return arch_vm_caps()->hypercall_vmcall ? PITH_HC_VMCALL : PITH_HC_VMMCALL;
}

enum exit_action on_hypercall(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 nr = g->rax - PITH_CALL_BASE;

    (void)exit;
    if (nr < ARRAY_SIZE(calls))
        return calls[nr](v);
    g->rax = nr <= 0xffff ? PITH_E_CALL : (u64)PITH_CALL_UNKNOWN;
    return EXIT_SKIP;
}

enum pith_status hc_version(struct vcpu *v, struct x86_gprs *g)
{
    (void)v;
    g->rbx = PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR;
    return PITH_OK;
}

enum pith_status hc_features(struct vcpu *v, struct x86_gprs *g)
{
    g->rbx = v->part->features;
    return PITH_OK;
}
