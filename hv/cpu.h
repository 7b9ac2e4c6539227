/* SPDX-License-Identifier: MIT */
/* One physical core. */
#pragma once

#include "arch/x86/host.h"
#include "arch/x86/vm.h"
#include "hv/policy.h"
#include "hv/timer.h"

struct partition;
struct pith_trace_ring;
struct vcpu;

enum cpu_look { LOOK_RING = 1 /* inbox, requests */, LOOK_TIMER = 2 /* it is to be set again */, LOOK_DEVICES = 4 };
enum cpu_ask { ASK_PARK = 1, ASK_HOUSE = 2, ASK_TERMINAL = 4 }; /* all but the first of core 0 only */

struct cpu {
    struct cpu *self;            /* %gs:0 */
    u32 index, apic_id;
    u32 whole;                   /* of its core, where that has several threads */
    struct vcpu *current;        /* between its load and the next; NULL when idle */
    struct vcpu *inbox;          /* posted vCPUs; others push with compare-and-exchange, this core takes the whole list */
    u8 attention;                /* enum cpu_look, set by this core's interrupt handler */
    bool resched;                /* the current vCPU shall give way */
    bool house;                  /* core 0: a house call waits for the time between two vCPUs */
    u8 left;                     /* enum vcpu_leave: why the vCPU leaves that is loaded */
    bool quiet;                  /* in partition_flush(): uses no guest's memory until that returns */
    u32 device_irqs;             /* real devices' interrupts, a bit each, that came and were not passed on yet */
    u32 asked;                   /* enum cpu_ask; atomics, others set bits, then ring */
    u32 joined;                  /* enum cpu_joined, written by this core when it has started */
    u32 parked;                  /* set by this core when it obeyed cpus_park() */
    struct vcpu *handoff;        /* runs next, in the share that has the time now */
    bool yields;                 /* its runner renounces it */
    u32 nr_vcpus;                /* whose home this is */
    bool dedicated, smt_own;     /* somebody lives here who wants all threads of the core for his partition */
    const struct partition *tenant; /* the only one who lives here; NULL: none, or several */
    struct timer_queue timers;
    struct timer slice;          /* at rq.until; its alarm may come early: it stays when turns end before their time */
    u64 now;                     /* host TSC when the last vCPU left, or after what was done since */
    struct arch_cpu arch;
    u64 since;                   /* host TSC at which its accounts began, 0: not yet */
    struct pith_trace_ring *trace; /* NULL: none */
    struct runq rq;
    u64 sched, idle, others;     /* accounts: beside those of the vCPUs that live here */
    s64 off;                     /* by how many ticks its accounts were wrong when that was last said */
};

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;

    __asm__("mov %%gs:0, %0" : "=r"(c));
    return c;
}

extern u32 nr_cpus;                       /* that run; indices 0 .. nr_cpus - 1 */
extern bool cpus_smt;                     /* two of them are threads of one core */
struct cpu *cpu_get(u32 index);
/* Boot core: allocates every struct cpu from @pool and starts the others; those that do not answer are reported and left out. */
enum pith_status cpus_init(const struct handoff *h, struct frame_pool *pool) MUST_CHECK;
void cpus_start(const struct handoff *h);
NORETURN void cpu_main(void);
/* Interrupts set attention; the rest is for processors that hold them back from some guests. */
static inline bool cpu_needs_look(const struct cpu *cpu)
{
    return cpu->attention || cpu->house || __atomic_load_n(&cpu->inbox, __ATOMIC_RELAXED) || timers_due(&cpu->timers, cpu->now);
}
/* Take the inbox, run timers; what vCPUs and the idle loop do when cpu->attention is set. */
void cpu_attend(struct cpu *cpu);
/* Interrupts that core so that it looks at its inbox and requests. */
void cpu_ring(struct cpu *cpu);
void cpu_ask(struct cpu *cpu, enum cpu_ask what);
/* Makes every core unload its guest and leave VMX or SVM, and the others halt for good; false when one did not within a second. */
bool cpus_park(void);
/* Work for core 0 (lifecycle, power): fn runs there, outside of any guest, soon. Calling again before it ran is one call. */
void house_call(void (*fn)(void));
