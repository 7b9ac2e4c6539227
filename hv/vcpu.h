/* SPDX-License-Identifier: MIT */
/* A virtual processor as the scheduler and the exit handlers see it. */
#pragma once

#include "arch/x86/decode.h"
#include "hv/cpu.h"
#include "hv/ipc.h"
#include "hv/vdev/vcpuid.h"
#include "hv/vdev/vlapic.h"
#include "hv/vdev/vmsr.h"

struct partition;
struct place;

enum vcpu_state { VCPU_OFF, VCPU_READY, VCPU_RUNNING, VCPU_BLOCKED, VCPU_STOPPED };
enum vcpu_pending {
    VCPU_PEND_NMI = 2,
    VCPU_PEND_START = 4, /* partition start: reset and take the boot registers, or wait for SIPI */
    VCPU_PEND_STOP = 8,
    VCPU_PEND_INIT = 16,
    VCPU_PEND_SIPI = 32,
    VCPU_PEND_WAKE = 64, /* only look again */
    VCPU_PEND_STATE = 128, /* look at the partition's state: paused or not */
    VCPU_PEND_REGS = 256,  /* show the registers */
    VCPU_PEND_BOOT = 1024, /* VCPU_START */
    VCPU_PEND_ISA = 512, /* vCPU 0: the 8259s' output was asserted, or the 8254's next edge has moved */
};
#define VCPU_PEND_IRQ(word) (1ull << 32 << (word)) /* inbox.irr[word] has vectors */
#define VCPU_PEND_IRQS(pending) ((u32)((pending) >> 32)) /* a bit a word */
/* Why a vCPU does not run although its partition does. */
enum vcpu_wait { WAIT_NONE, WAIT_HLT, WAIT_CALL /* in a hypercall, until done() */, WAIT_SIPI, WAIT_TURN /* it lends its slice */ };

/* VCPU_START's: who turns WAITS into FILLED writes the arguments. Home makes it RUNS, and WAITS again at an INIT. */
enum vcpu_boot { BOOT_RUNS, BOOT_WAITS, BOOT_FILLED, BOOT_POSTED };

/*
 * All that another core may write, with atomics only.
 * Post: set what the bit announces, set the bit (RELEASE), queue the vCPU on its home's inbox unless it is queued, ring.
 */
struct vcpu_inbox {
    u64 pending;
    u32 irr[8], level[8];
    u32 sipi_vector;
    u32 queued;
    struct vcpu *next;
};

/* An instruction that was emulated, by its 15 bytes and its mode; mode 0: none. */
union insn_key {
    struct { u8 bytes[15], mode /* enum insn_mode + 1 */; };
    u64 words[2];
};
struct decoded { union insn_key key; struct insn insn; };

/* Time that it was ready and had no core, told to the guest. Zeros: to one that has not asked. */
struct steal {
    u64 msr;           /* MSR_KVM_STEAL_TIME: where, and in bit 0, whether */
    u64 ticks, since;  /* host TSC: all of it but for the present stretch; when that began, 0: it is not ready */
    u32 version;
};

/* Asked whenever the vCPU is woken; @late: its deadline has passed. True: the results are in its registers, it goes on. */
typedef bool vcpu_done_fn(struct vcpu *v, bool late);

struct vcpu {
    struct arch_vcpu arch;     /* first: vcpu_of() */
    struct partition *part;
    struct cpu *home;
    u32 index;
    u8 state;                  /* enum vcpu_state; written by home only */
    bool live;                 /* between START and leaving */
    bool plain;                /* live, and when it gets or loses its core, nothing is to be recorded */
    bool paused;               /* stands still; irq_dirty is set, so that this is looked at before an entry */
    bool nmi_pending, tpr_armed;
    struct pith_trace_ring *trace; /* its core's, when it is traced since it got it; else NULL */
    u32 trace_word;            /* the last four bytes of a new record */
    u64 trace_since;           /* host TSC when it got its core */
    const char *why;           /* set by a handler that returns EXIT_FAIL */
    struct share share;        /* of its home's time */
    struct vcpu *runners;      /* others that are ready to run in it, the next one first, by next_runner; before its owner */
    struct vcpu *next_runner, *runs_in; /* in whose share it is ready, too; NULL: only in its own */
    bool first;                /* it woke: it runs before those */
    struct vcpu_inbox inbox;
    struct vlapic lapic;
    struct timer lapic_timer, wait_timer, event_timer;
    u64 wait_deadline;         /* host TSC, of WAIT_CALL */
    vcpu_done_fn *done;        /* of WAIT_CALL */
    struct ipc ipc;
    u64 event_set;             /* EVENT_WAIT's; other cores read it */
    u64 event_deadline;        /* host TSC, of TIMER; TIMER_NEVER: none */
    u32 timer_event;
    u32 boot;                  /* enum vcpu_boot; atomics */
    u64 entry, stack, argument; /* of VCPU_START */
    u64 tsc_offset;            /* guest TSC = host TSC + this */
    u64 tsc_adjust;
    u64 msr_store[VMSR_STORES];
    struct vmsr_cache msr_cache;
    u64 kvm_clock, kvm_wall;
    u32 kvm_version;           /* of both */
    struct steal steal;
    struct vcpuid_env cpuid;
    struct vcpuid_cache cpuid_cache;
    struct decoded decoded[4]; /* of emulate.c */
    const struct place *last_port, *last_mmio; /* of bus.c */
    u64 exits[VM_EXIT_KINDS];  /* never reset; readers take differences */
    struct vcpu *lender;       /* in whose share it was ready last, besides its own; or whose call it took, on this core */
    u64 run;                   /* account: it has the core, from the switch to it to the one from it */
};
_Static_assert(offsetof(struct vcpu, arch) == 0, "vcpu_of()");

static inline struct vcpu *vcpu_of(struct arch_vcpu *arch)
{
    return (struct vcpu *)arch;
}

/* This core: before its vCPU's next entry, cpu_attend(). */
static inline void cpu_look(struct cpu *cpu, enum cpu_look what)
{
    cpu->attention |= (u8)what;
    if (cpu->current)
        cpu->current->arch.look = true;
}

enum vcpu_leave { LEAVE_NOT, LEAVE_YIELD, LEAVE_BLOCK, LEAVE_STOP, LEAVE_NEXT /* cpu->current is one that has not begun, or NULL */ };

/*
 * On the home core: run until the core is wanted elsewhere, the vCPU blocks or its partition stops. It may have given way to others
 * meanwhile: the one that leaves, for what this returns, is cpu->current.
 */
enum vcpu_leave vcpu_run(struct vcpu *v);
/* From any core. */
void vcpu_post(struct vcpu *v, u64 what);
/* Of one that has left, core 0: drops what was posted before. It may run before this returns. */
void vcpu_start(struct vcpu *v);
void vcpu_post_irq(struct vcpu *v, u8 vector, bool level);
void vcpu_set_deadline(struct vcpu *v, u64 deadline);   /* of its wait, as in vcpu_block() */
/* Of the resident one, in a hypercall: it sleeps until @done says so. @deadline: ns since its partition started, 0: none. */
static inline void vcpu_block(struct vcpu *v, u64 deadline, vcpu_done_fn *done)
{
    v->arch.wait = WAIT_CALL;
    v->done = done;
    v->wait_deadline = TIMER_NEVER;
    if (deadline)
        vcpu_set_deadline(v, deadline);
}
/* On its home core: what it waited for is in its registers. Whoever calls this makes it run. */
static inline void vcpu_unblock(struct vcpu *v)
{
    v->arch.wait = WAIT_NONE;
    if (v->wait_timer.deadline != TIMER_NEVER)
        timer_set(&v->home->timers, &v->wait_timer, TIMER_NEVER);
}
/* From any core: one that sleeps asks its done() again. */
void vcpu_wake(struct vcpu *v);
/* On the home core: after changes of the vLAPIC timer. */
void vcpu_arm_timer(struct vcpu *v);
void vcpu_set_backstop(struct vcpu *v);   /* resident: an exit after a slice's time in the guest, whatever it does */
u64 vcpu_guest_tsc(const struct vcpu *v);
void vcpu_set_tsc_offset(struct vcpu *v, u64 offset);   /* resident */
void vcpu_inject_exception(struct vcpu *v, u8 vector, bool has_error, u32 error);
/* Ends the partition: @exit and v->why go into the report. */
enum vcpu_leave vcpu_fail(struct vcpu *v, const struct vm_exit *exit);
void vcpu_init(struct vcpu *v, struct partition *p, u32 index, struct cpu *home);
