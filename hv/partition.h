/* SPDX-License-Identifier: MIT */
/* A partition: memory, vCPUs and devices of one guest, and its life. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/abi/hypercall.h"
#include "hv/abi/manifest.h"
#include "hv/abi/pages.h"
#include "hv/abi/plan.h"
#include "hv/balloon.h"
#include "hv/console.h"
#include "hv/grant.h"
#include "hv/isa.h"
#include "hv/random.h"
#include "hv/vcpu.h"
#include "hv/vdev/vioapic.h"
#include "hv/vdev/vrtc.h"
#include "hv/vdev/vuart.h"

#define PARTITION_EXTENTS 32u
#define PARTITION_INPUT   256u
#define LOW_RAM_MAX       GIB(3) /* the rest of its RAM is at 4 GiB */

enum partition_state {
    PARTITION_STOPPED = PITH_PART_STOPPED,   /* not running: never started, ended, or stopped */
    PARTITION_LOADING = PITH_PART_LOADING,   /* core 0 scrubs its RAM and loads its image, a chunk at a time */
    PARTITION_RUNNING = PITH_PART_RUNNING,
    PARTITION_PAUSED = PITH_PART_PAUSED,     /* as RUNNING; its vCPUs were asked to stand still */
    PARTITION_STOPPING = PITH_PART_STOPPING, /* its vCPUs were asked to leave */
    PARTITION_DELAYED = PITH_PART_RESTARTS,  /* ended; starts again when its back-off is over */
    PARTITION_ABSENT = PITH_PART_ABSENT,     /* has no RAM */
    PARTITION_CREATING = PITH_PART_CREATING, PARTITION_DESTROYING = PITH_PART_DESTROYING, /* has it, mapped in part */
};
enum partition_wish { WISH_NONE, WISH_STOP, WISH_START }; /* of a person, against what its policy says */
enum partition_end {
    END_NONE = PITH_END_NONE, END_EXIT = PITH_END_EXIT, END_FAULT = PITH_END_FAULT, END_STOPPED = PITH_END_STOPPED,
    END_RESET = PITH_END_RESET /* the guest wants to start afresh */
};
enum partition_request {
    REQUEST_NONE, REQUEST_START, REQUEST_STOP, REQUEST_PAUSE, REQUEST_RESUME, REQUEST_RESTART, REQUEST_CREATE, REQUEST_DESTROY
};

enum right { RIGHT_MANAGE, RIGHT_SIGNAL, RIGHT_CALL, RIGHT_SHARE, RIGHTS }; /* hv/rights.h */

struct extent { gpa_t gpa; hpa_t hpa; u64 size; };

struct partition {
    const struct manifest_partition *conf;
    const char *name;
    u32 index, nr_vcpus;                /* its place in pith.conf */
    u32 state;                          /* enum partition_state; atomics: written by core 0, and by the last vCPU to leave */
    u32 live;                           /* vCPUs that have not left yet */
    u32 changes;                        /* of state, since the machine started; atomics */
    u32 watch;                          /* event + 1 that tells it of changes of those it may manage; atomics */
    u64 starts;                         /* since the machine started */
    u32 request;                        /* enum partition_request, that core 0 has not seen to yet; atomics */
    bool traced;                        /* core 0 writes it */
    struct spinlock map_lock;           /* partition_map_begin(), _wait() */
    u32 end;                            /* enum partition_end, why it is stopped */
    u8 wish;                            /* enum partition_wish, for when its vCPUs have left; core 0 only */
    u64 exit_status;
    u64 may[RIGHTS];                    /* whom it may reach, by index */
    u64 caps;                           /* enum pith_cap: the rights that reach anybody */
    u64 features;                       /* enum pith_feature, what it may use */
    u64 denied, denied_tsc;             /* calls for which it lacked a right; when the last was told */
    struct frame_pool frames;           /* private: tables, bitmaps, VMCS or VMCB, XSAVE; mapped in the hypervisor */
    u64 frames_given;                   /* of these when it was created: neither more nor less ever after */
    struct extent ram[PARTITION_EXTENTS]; /* its RAM: never mapped */
    u32 nr_ram;
    struct arch_vm vm;
    struct vcpu *vcpus[16];
    const struct load_plan *plan;       /* from the loader, checked */
    struct pith_page_ro *page_ro;       /* shared with the guest */
    struct pith_page *page;             /* what it writes here is as hostile as any argument */
    u16 events[PITH_EVENTS];            /* what each is bound to: hv/call_event.c; atomics */
    u32 event_waiters;                  /* vCPUs in EVENT_WAIT, a bit each; atomics */

    struct spinlock lock;               /* the devices below, input and start time */
    u32 irqs_held;                      /* real interrupts, a bit each: their lines are high until the guest's EOI */
    struct vioapic ioapic;
    struct vuart uart;
    struct vrtc rtc;
    struct isa isa;
    u8 input[PARTITION_INPUT];          /* typed, not yet in the UART */
    u32 in_head, in_count;

    struct grants grants;
    struct balloon balloon;
    struct random random;
    struct console_source console;
    u64 start_tsc;                      /* host TSC at start */
    struct vcpu *reporter;              /* writes the next field; atomics */
    u32 report_len;                     /* of its last life; atomics */
    char report[PITH_REPORT_MAX];
    u64 empty_bus;                      /* accesses to memory or ports that nobody gave it */
    struct {                            /* LOADING: how far it is */
        u64 scrubbed, scrub_tsc;        /* bytes of RAM zeroed, and the ticks it took */
        u64 copied;                     /* bytes of copy number @copy */
        u32 copy;
        bool refills;                   /* balloon_refill_step() */
    } load;
    u32 restarts;                       /* since it last ran for a minute */
    struct timer restart;
};

/* What it has of its memory now. */
static inline u64 partition_memory(const struct partition *p)
{
    return p->nr_ram ? p->conf->memory - __atomic_load_n(&p->balloon.out, __ATOMIC_RELAXED) : 0;
}

/* Whether all of that is its memory by pith.conf. */
static inline bool partition_has(const struct partition *p, gpa_t gpa, u64 size)
{
    u64 low = MIN(p->conf->memory, LOW_RAM_MAX), high = p->conf->memory - low;

    return gpa < GIB(4) ? size <= low && gpa <= low - size : size <= high && gpa - GIB(4) <= high - size;
}

static inline bool partition_runs(const struct partition *p)
{
    u32 state = __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);

    return state == PARTITION_RUNNING || state == PARTITION_PAUSED;
}

/* An interrupt is pending, deliverable or not. */
static inline bool vcpu_interrupted(const struct vcpu *v)
{
    /* interrupted: on its way in already, not in IRR any more */
    return vlapic_any_irr(&v->lapic) || v->nmi_pending || v->arch.interrupted.valid || isa_wants(v, &v->part->isa);
}

extern u32 nr_partitions;
void partition_register(struct partition *p, u32 index);
void partitions_set_poweroff(bool when_done);
void partitions_set_clock(u64 seconds); /* since 1970, now */
extern struct partition *partitions[MANIFEST_PARTITIONS]; /* the same, for those who know that there is one */
struct partition *partition_get(u32 index);
struct partition *partition_find(const char *name);
const char *partition_state_name(const struct partition *p);

/* Boot core, before the other cores start: everything from the checked manifest, RAM included; a partition that cannot be
 * had (memory, cores) is an error naming its line. All are STOPPED afterwards. */
enum pith_status partitions_create(const struct manifest *m, struct frame_pool *host) MUST_CHECK;
u64 partitions_frames(const struct manifest *m); /* that it will take out of the host pool */
/* Core 0, of one that is made on request. All of its RAM, or none: PITH_E_MEM. What was taken is given back as it is: loading scrubs. */
enum pith_status partition_take_ram(struct partition *p) MUST_CHECK;
void partition_give_ram(struct partition *p);
u64 partition_ram_taken(const struct partition *p); /* of the machine's RAM: whole pieces of 2 MiB */
/* The next chunk of its RAM, behind p->load.scrubbed: PITH_E_BUSY while there is more. */
enum pith_status partition_map_step(struct partition *p, bool map) MUST_CHECK;
void partitions_begin(void);                     /* starts all of them, once the cores run */

/* Core 0. PITH_E_STATE when it is not stopped. It runs some house calls later. */
enum pith_status partition_start(struct partition *p) MUST_CHECK;
/* Any core. A request: the vCPUs leave at their next exit. PITH_E_STATE when it does not run. */
enum pith_status partition_stop(struct partition *p, enum partition_end why) MUST_CHECK;
/* Core 0. For a person: ends it for good, or (@again) to start afresh, whatever its policy and state. PITH_E_STATE: it is
 * stopped, and not to be started. */
enum pith_status partition_end(struct partition *p, bool again) MUST_CHECK;
/* Core 0. Requests as well: PITH_E_STATE when it is not running, not paused. The guest's clock goes on, interrupts are kept. */
enum pith_status partition_pause(struct partition *p) MUST_CHECK;
enum pith_status partition_resume(struct partition *p) MUST_CHECK;
/*
 * Any core: core 0 does one of the above soon, if the state allows it then. PITH_E_STATE: now it does not; PITH_E_BUSY: an earlier
 * request waits.
 */
enum pith_status partition_request(struct partition *p, enum partition_request what) MUST_CHECK;
/* Home core of v, for good: the last one to leave ends the partition. */
void partition_vcpu_left(struct partition *p);
/*
 * flush.c. Any core. Whoever changes the map of one that may run does it between these: from before arch_vm_unmap() until what was
 * unmapped has gone elsewhere. PITH_E_BUSY: somebody else does, and may wait for this core.
 */
enum pith_status partition_map_begin(struct partition *p) MUST_CHECK;
void partition_map_wait(struct partition *p); /* its turn comes; no other map is held, and as with partition_flush() below */
void partition_map_end(struct partition *p);
/*
 * After arch_vm_unmap(): returns when no core can reach what was unmapped, after microseconds. No spinlock is held that an exit takes.
 * What the caller has translated itself, of anybody's memory, is to be translated again.
 */
void partition_flush(struct partition *p);
bool partitions_all_ended(void);
/* Core 0: chunks of loading, reports, restarts, power off. */
void partitions_house(void);

u64 partition_wall_start(const struct partition *p);  /* seconds since 1970 when it started */
u64 partition_wall_now(const struct partition *p);

/* Devices. Any core. */
void partition_input(struct partition *p, u8 byte);   /* typed at the console */
void partition_uart_update(struct partition *p);      /* holds p->lock: refills the UART, drives its interrupt line */
void partition_deliver(void *partition, const struct vioapic_msg *msg);
