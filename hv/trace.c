/* SPDX-License-Identifier: MIT */
/* Writing records: a ring a core, its core the only writer, interrupts off. */
#include "hv/trace.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"

#define KIND(nr, name) _Static_assert((u32)VM_EXIT_##name == (nr), "hv/abi/trace.h has the same numbers");
PITH_TRACE_EXITS(KIND)
#undef KIND
_Static_assert((u32)VM_EXIT_KINDS <= PITH_TRACE_INJECT, "every exit has its kind");
_Static_assert(offsetof(struct pith_trace, source) == offsetof(struct pith_trace, kind) + 3, "trace_word");
_Static_assert(offsetof(struct pith_trace, rip) == offsetof(struct pith_trace, operand) + 4, "trace_handle()");
_Static_assert(offsetof(struct vm_exit, pio.size) == offsetof(struct vm_exit, pio.port) + 2, "operand_of()");
_Static_assert(PITH_TRACE_WRITE == 1, "detail()");
_Static_assert(MANIFEST_PARTITIONS <= 16 && MANIFEST_VCPUS_MAX <= 16, "both fit into source");

static bool with_rip;

static u64 ring_frames(const struct manifest *m)
{
    return ALIGN_UP(sizeof(struct pith_trace_ring) + (m->trace & ~MANIFEST_TRACE_RIP), PAGE_SIZE) / PAGE_SIZE;
}

u64 trace_frames(const struct manifest *m, u64 nr_cores)
{
    return m->trace ? ring_frames(m) * nr_cores : 0;
}

void trace_init(const struct manifest *m, struct frame_pool *pool)
{
    for (u32 i = 0; m->trace && i < nr_cpus; i++) {
        hpa_t hpa = frames_alloc(pool, ring_frames(m), 1);
        struct pith_trace_ring *r = hpa ? phys_to_virt(hpa) : NULL;

        if (!r) {
            log_warn("no memory for the trace of core %u - make trace = in pith.conf smaller", i);
            return;
        }
        *r = (struct pith_trace_ring){ .magic = PITH_TRACE_MAGIC, .core = i, .khz = (u32)arch_tsc_khz() };
        r->mask = (m->trace & ~MANIFEST_TRACE_RIP) / (u32)sizeof(struct pith_trace) - 1;
        cpu_get(i)->trace = r;
    }
    with_rip = m->trace & MANIFEST_TRACE_RIP;
    for (u32 i = 0; m->trace && i < nr_partitions; i++)
        partition_get(i)->traced = true;
}

/* The next record, which is the core's alone: what is written before this one is done goes behind it. */
static inline struct pith_trace *reserve(struct pith_trace_ring *r)
{
    struct pith_trace *t = (void *)((u8 *)r->at + (u64)((u32)r->head & r->mask) * sizeof(*t));

    __asm__("incq %0" : "+m"(r->head)); /* the compiler takes three, and adds up t anew for every field */
    __asm__("" : "+r"(t));
    return t;
}

/* RELEASE: pairs with the ACQUIRE of who reads it; with its kind all of it is there. */
static inline void commit(struct pith_trace *t, u8 kind)
{
    __atomic_store_n(&t->kind, kind, __ATOMIC_RELEASE);
}

static inline u8 source_of(u32 partition, u32 vcpu)
{
    return (u8)(partition << 4 | vcpu);
}

static void detail_s2(struct pith_trace *t, const struct vm_exit *exit)
{
    t->value = exit->s2.gpa;
    t->flags = (u8)(exit->s2.write * PITH_TRACE_WRITE | exit->s2.fetch * PITH_TRACE_FETCH |
                    exit->s2.mapped * PITH_TRACE_MAPPED | exit->s2.walk * PITH_TRACE_WALK);
}

static __attribute__((noinline)) void detail_other(struct pith_trace *t, const struct arch_vcpu *v, const struct vm_exit *exit)
{
    t->value = 0;
    if (exit->kind == VM_EXIT_PIO) { /* of a string */
        t->flags |= (u8)(PITH_TRACE_STRING | exit->pio.rep * PITH_TRACE_REP);
        return;
    }
    t->operand = 0;
    switch (exit->kind) {
    case VM_EXIT_CR:
        t->operand = exit->cr.cr | (u32)exit->cr.gpr << 8;
        t->flags = exit->cr.write;
        break;
    case VM_EXIT_DR:
        t->operand = exit->dr.dr | (u32)exit->dr.gpr << 8;
        t->flags = exit->dr.write;
        break;
    case VM_EXIT_XSETBV:
        t->operand = (u32)v->gpr.rcx;
        t->value = (u32)v->gpr.rax | v->gpr.rdx << 32;
        break;
    case VM_EXIT_S2_FAULT:
        detail_s2(t, exit);
        break;
    case VM_EXIT_INSN:
        t->operand = exit->insn.which;
        break;
    case VM_EXIT_EXCEPTION:
        t->operand = exit->exception.vector | exit->exception.error << 16;
        t->value = exit->exception.info;
        t->flags = exit->exception.has_error ? PITH_TRACE_ERROR : 0;
        break;
    case VM_EXIT_ENTRY_FAILED:
    case VM_EXIT_OTHER:
        t->operand = exit->hw_reason;
        t->value = exit->failed.detail;
        break;
    default:
        break;
    }
}

/* Before the handler, in one word: the operand, and no RIP. */
static inline u64 operand_of(const struct arch_vcpu *v, const struct vm_exit *exit, enum vm_exit_kind kind)
{
    if (kind == VM_EXIT_MSR)
        return exit->msr.index;
    return kind == VM_EXIT_PIO ? *(const u32 *)&exit->pio & 0xffffff : (u32)v->gpr.rax;
}

/* After it: what it has changed by then, or was told. */
static inline void detail(struct pith_trace *t, const struct arch_vcpu *v, const struct vm_exit *exit, enum vm_exit_kind kind)
{
    u32 *value = (u32 *)&t->value;

    if (kind == VM_EXIT_HYPERCALL) {
        value[1] = (u32)v->gpr.rax;
    } else if (kind == VM_EXIT_MSR) {
        value[0] = (u32)v->gpr.rax;
        value[1] = (u32)v->gpr.rdx;
        t->flags = exit->msr.write;
    } else if (kind == VM_EXIT_PIO) {
        t->value = (u32)v->gpr.rax;
        t->flags = !exit->pio.in;
        if (exit->pio.string)
            detail_other(t, v, exit);
    } else if (kind != VM_EXIT_CPUID) {
        detail_other(t, v, exit);
    }
}

/* As short as can be: all of it is on every traced exit's path. Inlined with constants: a frequent exit is not asked again what it is. */
static inline __attribute__((always_inline)) enum exit_action traced(struct arch_vcpu *arch, struct vm_exit *exit, enum vm_exit_kind kind)
{
    struct vcpu *v = vcpu_of(arch);
    struct pith_trace *t = reserve(v->trace);
    enum exit_action act;
    u32 *tsc = (u32 *)&t->tsc;
    u64 operand_rip = operand_of(arch, exit, kind);

    __asm__ volatile("rdtsc" : "=a"(tsc[0]), "=d"(tsc[1]) : : "memory");
    __builtin_memcpy(&t->operand, &operand_rip, sizeof(operand_rip));
    __builtin_memcpy(&t->kind, &v->trace_word, sizeof(v->trace_word));
    if (kind == VM_EXIT_CPUID)
        t->value = (u32)arch->gpr.rcx;
    else if (kind == VM_EXIT_HYPERCALL)
        t->value = (u32)arch->gpr.rbx;
    act = exit_handle(arch, exit);
    detail(t, arch, exit, kind);
    t->ticks = (u32)rdtsc() - tsc[0];
    commit(t, kind == VM_EXIT_KINDS ? exit->kind : (u8)kind);
    return act;
}

#define TRACED(name, kind)                                                        \
    static enum exit_action name(struct arch_vcpu *arch, struct vm_exit *exit)    \
    {                                                                             \
        return traced(arch, exit, kind);                                          \
    }
TRACED(traced_cpuid, VM_EXIT_CPUID)
TRACED(traced_msr, VM_EXIT_MSR)
TRACED(traced_pio, VM_EXIT_PIO)
TRACED(traced_hypercall, VM_EXIT_HYPERCALL)
TRACED(traced_other, VM_EXIT_KINDS)

static enum exit_action trace_handle(struct arch_vcpu *arch, struct vm_exit *exit)
{
    static vm_exit_fn *const by_kind[VM_EXIT_KINDS] = {
        [0 ... VM_EXIT_PAUSE] = traced_other, [VM_EXIT_CPUID] = traced_cpuid, [VM_EXIT_MSR] = traced_msr,
        [VM_EXIT_CR ... VM_EXIT_XSETBV] = traced_other, [VM_EXIT_PIO] = traced_pio, [VM_EXIT_S2_FAULT] = traced_other,
        [VM_EXIT_HYPERCALL] = traced_hypercall, [VM_EXIT_INSN ... VM_EXIT_OTHER] = traced_other,
    };

    return by_kind[exit->kind](arch, exit);
}

/* Goes past the instruction too, so that the record says how far. */
static enum exit_action trace_handle_rip(struct arch_vcpu *arch, struct vm_exit *exit)
{
    struct vcpu *v = vcpu_of(arch);
    struct pith_trace *t = &v->trace->at[v->trace->head & v->trace->mask]; /* which trace_handle() takes */
    u64 from = arch_vcpu_reg(arch, X86_RIP);
    enum exit_action act = trace_handle(arch, exit);
    u64 moved;

    if (act == EXIT_SKIP) {
        act = arch_vcpu_skip(arch, exit) == PITH_OK ? EXIT_RESUME : EXIT_FAIL;
        if (act == EXIT_FAIL)
            v->why = "the instruction cannot be read back";
    }
    moved = arch_vcpu_reg(arch, X86_RIP) - from;
    t->rip = (u32)from;
    t->len = moved > 15 ? 255 : (u8)moved;
    return act;
}

vm_exit_fn *trace_begin(struct vcpu *v)
{
    v->trace = v->part->traced ? v->home->trace : NULL;
    if (!v->trace)
        return exit_handle;
    v->plain = false;
    v->trace_since = v->home->now;
    v->trace_word = PITH_TRACE_PENDING | (u32)source_of(v->part->index, v->index) << 24;
    trace_event(v->part, v->index, PITH_TRACE_SCHED_IN, 0, 0);
    return with_rip ? trace_handle_rip : trace_handle;
}

void trace_inject(const struct vcpu *v)
{
    const struct x86_event *ev = &v->arch.interrupted;

    trace_event(v->part, v->index, PITH_TRACE_INJECT, ev->vector | (ev->has_error ? ev->error << 16 : 0), ev->type);
}

void trace_event(const struct partition *p, u32 vcpu, enum pith_trace_kind kind, u32 operand, u64 value)
{
    struct pith_trace_ring *r = this_cpu()->trace;
    struct pith_trace *t;

    if (!p->traced || !r)
        return;
    t = reserve(r);
    *t = (struct pith_trace){ .tsc = rdtsc(), .value = value, .operand = operand, .kind = PITH_TRACE_PENDING,
                              .source = source_of(p->index, vcpu) };
    commit(t, (u8)kind);
}
