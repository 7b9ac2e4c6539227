/* SPDX-License-Identifier: MIT */
/* The life of partitions. */
#include "hv/partition.h"

#include "hv/audit.h"
#include "hv/devices.h"
#include "hv/event.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"
#include "hv/load.h"
#include "hv/main.h"
#include "hv/pages.h"
#include "hv/power.h"
#include "hv/ram.h"
#include "hv/sched.h"
#include "hv/trace.h"

#define RESTART_FIRST_MS 100ull
#define RESTART_LAST_MS  30000ull
#define RESTART_CALM_S   60u

u32 nr_partitions;
struct partition *partitions[MANIFEST_PARTITIONS];
static bool power_off_when_done;
static u64 boot_seconds, boot_tsc; /* the machine's clock at some host TSC */

struct partition *partition_get(u32 index)
{
    return index < nr_partitions ? partitions[index] : NULL;
}

struct partition *partition_find(const char *name)
{
    for (u32 i = 0; i < nr_partitions; i++)
        if (strcmp(partitions[i]->name, name) == 0)
            return partitions[i];
    return NULL;
}

void partition_register(struct partition *p, u32 index)
{
    p->index = index;
    partitions[index] = p;
    nr_partitions = MAX(nr_partitions, index + 1);
}

void partitions_set_poweroff(bool when_done)
{
    power_off_when_done = when_done;
}

void partitions_set_clock(u64 seconds)
{
    boot_seconds = seconds;
    boot_tsc = arch_tsc();
}

static u32 state_of(const struct partition *p)
{
    /* ACQUIRE: pairs with set_state(); what led to the state is visible. */
    return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
}

/* To be told when all is in place that goes with the new state. */
static void changed(struct partition *p)
{
    __atomic_fetch_add(&p->changes, 1, __ATOMIC_RELEASE);
    for (u32 i = 0; i < nr_partitions; i++) {
        u32 watch = __atomic_load_n(&partitions[i]->watch, __ATOMIC_RELAXED);

        if (watch && (partitions[i]->may[RIGHT_MANAGE] & BIT(p->index)))
            event_tell(partitions[i], watch - 1);
    }
}

static void set_state(struct partition *p, enum partition_state state)
{
    __atomic_store_n(&p->state, state, __ATOMIC_RELEASE);
    changed(p);
}

/* Several cores may want to end a partition: one of them does. */
static bool state_change(struct partition *p, u32 from, u32 to)
{
    return __atomic_compare_exchange_n(&p->state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

const char *partition_state_name(const struct partition *p)
{
    static const char *const names[] = { "stopped", "loading", "running", "paused", "stopping", "restarts",
                                        "absent", "creating", "destroying" };
    static const char *const ends[] = { "stopped", "exited", "failed", "stopped", "rebooting" };

    return state_of(p) == PARTITION_STOPPED ? ends[p->end] : names[state_of(p)];
}

/* Core 0, and only from @state: who starts again is never seen STOPPED in between. */
static bool load_from(struct partition *p, enum partition_state state)
{
    if (p->live || power_off_wanted() || !state_change(p, state, PARTITION_LOADING))
        return false;
    memset(&p->load, 0, sizeof(p->load));
    p->exit_status = 0;
    p->end = END_NONE;
    p->wish = WISH_NONE;
    changed(p);
    house_call(partitions_house);
    return true;
}

enum pith_status partition_start(struct partition *p)
{
    return load_from(p, PARTITION_STOPPED) ? PITH_OK : PITH_E_STATE;
}

static void post_all(struct partition *p, u64 what)
{
    for (u32 i = 0; i < p->nr_vcpus; i++)
        vcpu_post(p->vcpus[i], what);
}

enum pith_status partition_stop(struct partition *p, enum partition_end why)
{
    if (state_change(p, PARTITION_LOADING, PARTITION_STOPPED) || state_change(p, PARTITION_DELAYED, PARTITION_STOPPED)) {
        p->end = why;
        changed(p);
        house_call(partitions_house); /* it may have been the last */
        return PITH_OK;
    }
    /* Core 0 may pause and resume it meanwhile. */
    while (!state_change(p, PARTITION_RUNNING, PARTITION_STOPPING) && !state_change(p, PARTITION_PAUSED, PARTITION_STOPPING))
        if (!partition_runs(p))
            return PITH_E_STATE;
    p->end = why;
    changed(p);
    trace_event(p, 0, PITH_TRACE_STOP, why, p->exit_status);
    post_all(p, VCPU_PEND_STOP);
    ipc_close(p);
    return PITH_OK;
}

enum pith_status partition_end(struct partition *p, bool again)
{
    if (state_of(p) >= PARTITION_ABSENT)
        return PITH_E_STATE;
    if (again && (load_from(p, PARTITION_LOADING) || load_from(p, PARTITION_DELAYED)))
        return PITH_OK;
    if (state_of(p) != PARTITION_STOPPED) {
        p->wish = again ? WISH_START : WISH_STOP;
        if (partition_stop(p, END_STOPPED) != PITH_OK || state_of(p) != PARTITION_STOPPED)
            return PITH_OK; /* the last vCPU to leave will tell */
    } else if (!again) {
        return PITH_E_STATE;
    }
    return again ? partition_start(p) : PITH_OK;
}

enum pith_status partition_pause(struct partition *p)
{
    if (!state_change(p, PARTITION_RUNNING, PARTITION_PAUSED))
        return PITH_E_STATE;
    changed(p);
    trace_event(p, 0, PITH_TRACE_PAUSED, 0, 0);
    post_all(p, VCPU_PEND_STATE);
    return PITH_OK;
}

enum pith_status partition_resume(struct partition *p)
{
    if (!state_change(p, PARTITION_PAUSED, PARTITION_RUNNING))
        return PITH_E_STATE;
    changed(p);
    trace_event(p, 0, PITH_TRACE_RESUMED, 0, 0);
    post_all(p, VCPU_PEND_STATE);
    return PITH_OK;
}

static enum pith_status end_for_good(struct partition *p)
{
    return partition_end(p, false);
}

static enum pith_status end_and_start(struct partition *p)
{
    return partition_end(p, true);
}

static enum pith_status create(struct partition *p)
{
    enum pith_status st = partition_take_ram(p);

    if (st != PITH_OK) {
        log_warn("%s: not enough free memory to make it: %lu MiB wanted, %lu MiB free", p->name, p->conf->memory >> 20,
                 ram_free_bytes() >> 20);
        return st;
    }
    p->load.scrubbed = p->balloon.out = 0;
    p->end = END_NONE;
    set_state(p, PARTITION_CREATING);
    house_call(partitions_house);
    return PITH_OK;
}

static enum pith_status destroy(struct partition *p)
{
    p->load.scrubbed = 0;
    set_state(p, PARTITION_DESTROYING);
    house_call(partitions_house);
    return PITH_OK;
}

/* The next chunk of making or destroying one. Nobody uses its memory: its vCPUs have left, and look at the epoch when they return. */
static void work_on(struct partition *p)
{
    bool creating = state_of(p) == PARTITION_CREATING;
    enum pith_status st = partition_map_step(p, creating);

    house_call(partitions_house);
    if (st == PITH_E_BUSY)
        return;
    if (creating && st != PITH_OK) {
        log_error("%s: no frames for the tables of its memory", p->name);
        p->load.scrubbed = 0;
        set_state(p, PARTITION_DESTROYING);
        return;
    }
    if (!creating)
        partition_give_ram(p);
    p->frames_given = p->frames.nr_total - p->frames.nr_free;
    log_info("%s: %s", p->name, creating ? "made" : "destroyed");
    set_state(p, creating ? PARTITION_STOPPED : PARTITION_ABSENT);
}

/* What may be asked for in which states. */
static const struct { enum pith_status (*fn)(struct partition *p); u32 states; } requests[] = {
    [REQUEST_START] = { partition_start, BIT(PARTITION_STOPPED) },
    [REQUEST_STOP] = { end_for_good, BIT(PARTITION_LOADING) | BIT(PARTITION_RUNNING) | BIT(PARTITION_PAUSED) |
                                     BIT(PARTITION_STOPPING) | BIT(PARTITION_DELAYED) },
    [REQUEST_PAUSE] = { partition_pause, BIT(PARTITION_RUNNING) },
    [REQUEST_RESUME] = { partition_resume, BIT(PARTITION_PAUSED) },
    [REQUEST_RESTART] = { end_and_start, BIT(PARTITION_STOPPED) | BIT(PARTITION_LOADING) | BIT(PARTITION_RUNNING) |
                                         BIT(PARTITION_PAUSED) | BIT(PARTITION_STOPPING) | BIT(PARTITION_DELAYED) },
    [REQUEST_CREATE] = { create, BIT(PARTITION_ABSENT) },
    [REQUEST_DESTROY] = { destroy, BIT(PARTITION_STOPPED) },
};

enum pith_status partition_request(struct partition *p, enum partition_request what)
{
    u32 none = REQUEST_NONE;

    if (!(requests[what].states & BIT(state_of(p))))
        return PITH_E_STATE;
    if (what == REQUEST_DESTROY && !(p->conf->flags & MANIFEST_ON_REQUEST))
        return PITH_E_STATE;
    if (!__atomic_compare_exchange_n(&p->request, &none, what, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return PITH_E_BUSY;
    house_call(partitions_house);
    return PITH_OK;
}

static void serve_request(struct partition *p)
{
    u32 what = __atomic_load_n(&p->request, __ATOMIC_ACQUIRE);

    if (!what)
        return;
    /* Too late in the meantime: whoever asked sees what it is instead. */
    if (!(requests[what].states & BIT(state_of(p))) || requests[what].fn(p) != PITH_OK)
        log_debug("%s: a request came too late", p->name);
    /* RELEASE: who can make the next request sees what became of this one. */
    __atomic_store_n(&p->request, REQUEST_NONE, __ATOMIC_RELEASE);
}

void partition_vcpu_left(struct partition *p)
{
    /* ACQ_REL: the last one sees everything the others did. */
    if (__atomic_sub_fetch(&p->live, 1, __ATOMIC_ACQ_REL) == 0)
        house_call(partitions_house);
}

bool partitions_all_ended(void)
{
    for (u32 i = 0; i < nr_partitions; i++)
        if ((state_of(partitions[i]) != PARTITION_STOPPED && state_of(partitions[i]) != PARTITION_ABSENT) || partitions[i]->live)
            return false;
    return true;
}

static bool wants_restart(const struct partition *p)
{
    bool failed = p->end == END_FAULT || (p->end == END_EXIT && p->exit_status != 0);

    if (p->wish == WISH_START && !power_off_wanted())
        return true;
    if (p->wish == WISH_STOP || p->end == END_STOPPED || power_off_wanted())
        return false;
    if (p->end == END_RESET || p->conf->restart == MANIFEST_RESTART_ALWAYS)
        return true;
    return p->conf->restart == MANIFEST_RESTART_ON_FAILURE && failed;
}

/* A mistake of ours: told, with what it does not affect going on. */
static void audit(void)
{
    const char *what = audit_check();

    if (what)
        log_error("audit: %s - please report this", what);
}

static void begin(struct partition *p)
{
    static bool first_said;

    audit();
    log_info("%s: %s, %lu MiB, %u vCPU%s on core %u", p->name, p->plan->format, p->conf->memory >> 20, p->nr_vcpus,
             p->nr_vcpus == 1 ? "" : "s", p->vcpus[0]->home->index);
    p->ioapic.level = 0;
    vioapic_reset(&p->ioapic);
    vuart_reset(&p->uart);
    vrtc_reset(&p->rtc);
    isa_reset(p);
    p->in_count = p->report_len = p->watch = 0;
    p->starts++;
    p->start_tsc = arch_tsc();
    pages_reset(p);
    p->live = p->nr_vcpus;
    if (!first_said)
        main_first_start(p);
    first_said = true;
    devices_start(p);
    trace_event(p, 0, PITH_TRACE_START, 0, 0);
    ipc_open(p);
    set_state(p, PARTITION_RUNNING);
    for (u32 i = p->nr_vcpus; i-- > 0;) /* vCPU 0 last: only it does anything by itself, and it may end all of them again */
        vcpu_start(p->vcpus[i]);
}

static void house_due(struct timer *t)
{
    (void)t;
    house_call(partitions_house);
}

static u64 house_last; /* when it was kept */
static struct timer house_timer = { .deadline = TIMER_NEVER, .expired = house_due };

/*
 * Guests that wait for core 0 have it for a millisecond between two rounds of house-keeping, however often others call for one.
 * False: not yet, and it comes by itself.
 */
static bool house_may(void)
{
    struct cpu *cpu = this_cpu();
    u64 next = house_last + arch_tsc_khz(), now = arch_tsc();

    if (sched_any(cpu) && now < next) {
        timer_set(&cpu->timers, &house_timer, next);
        return false;
    }
    house_last = now;
    return true;
}

/* One step while guests wait for this core, else as many as fit between two interrupts. */
static enum pith_status load_steps(struct partition *p)
{
    struct cpu *cpu = this_cpu();
    enum pith_status st;

    do {
        st = balloon_refill_step(p);
        if (st == PITH_OK)
            st = load_step(p);
        arch_irq_window();
    } while (st == PITH_E_BUSY && !sched_any(cpu) && !cpu->attention);
    return st;
}

static void load_some(struct partition *p)
{
    enum pith_status st = load_steps(p);

    if (st == PITH_E_BUSY) {
        house_call(partitions_house); /* the next chunk */
        return;
    }
    if (st == PITH_OK) {
        begin(p);
        house_call(partitions_house); /* for the next that is LOADING */
        return;
    }
    if (st == PITH_E_MEM)
        log_error("pith.conf:%u: partition %s cannot start: others have memory that it gave out (%lu MiB wanted, %lu MiB "
                  "there) - destroy one of them first",
                  p->conf->line, p->name, p->conf->memory >> 20,
                  (partition_ram_taken(p) + ram_free_pieces()) >> 20);
    else
        log_error("pith.conf:%u: partition %s cannot start: its memory cannot be written", p->conf->line, p->name);
    p->end = END_FAULT;
    set_state(p, PARTITION_STOPPED);
    house_call(partitions_house);
}

static void restart_due(struct timer *t)
{
    struct partition *p = (struct partition *)((u8 *)t - offsetof(struct partition, restart));

    (void)load_from(p, PARTITION_DELAYED); /* else it was stopped meanwhile */
}

/* At once after a minute of life, else after a pause that doubles: one that fails at every start costs the others little. */
static void restart_later(struct partition *p)
{
    u64 ms;

    if (p->wish || arch_tsc() - p->start_tsc > RESTART_CALM_S * 1000 * arch_tsc_khz())
        p->restarts = 0;
    ms = p->restarts ? MIN(RESTART_FIRST_MS << MIN(p->restarts - 1, 16u), RESTART_LAST_MS) : 0;
    p->restarts++;
    log_info("%s: restart %u in %lu ms", p->name, p->restarts, ms);
    trace_event(p, 0, PITH_TRACE_RESTART, p->restarts, ms);
    set_state(p, PARTITION_DELAYED);
    p->restart.expired = restart_due;
    timer_set(&this_cpu()->timers, &p->restart, arch_tsc() + ms * arch_tsc_khz());
}

static void finish(struct partition *p)
{
    static const char *const ends[] = {
        [END_FAULT] = "ended after a failure", [END_STOPPED] = "stopped", [END_RESET] = "reboots",
    };

    if (grants_end_one(p)) { /* before anything else may be done with its memory; one at a time */
        house_call(partitions_house);
        return;
    }
    devices_stop(p);
    audit();
    console_end(&p->console);
    trace_event(p, 0, PITH_TRACE_END, p->end, p->exit_status);
    if (p->end == END_EXIT)
        log_info("%s: exited with status %lu", p->name, p->exit_status);
    else
        log_info("%s: %s", p->name, ends[p->end]);
    if (wants_restart(p))
        restart_later(p);
    else
        set_state(p, PARTITION_STOPPED);
}

void partitions_house(void)
{
    if (!house_may())
        return;
    for (u32 i = 0; i < nr_partitions; i++) {
        struct partition *p = partitions[i];

        serve_request(p);
        balloon_serve(p);
        if (state_of(p) == PARTITION_STOPPING && !__atomic_load_n(&p->live, __ATOMIC_ACQUIRE))
            finish(p);
    }
    for (u32 i = 0; i < nr_partitions; i++)
        if (state_of(partitions[i]) == PARTITION_CREATING || state_of(partitions[i]) == PARTITION_DESTROYING)
            work_on(partitions[i]);
    for (u32 i = 0; i < nr_partitions; i++)
        if (state_of(partitions[i]) == PARTITION_LOADING) {
            load_some(partitions[i]); /* one chunk of one partition: core 0 has other things to do too */
            break;
        }
    if (!partitions_all_ended())
        return;
    if (power_off_wanted() || power_off_when_done)
        power_off();
}

u64 partition_wall_start(const struct partition *p)
{
    return boot_seconds + (p->start_tsc - boot_tsc) / (arch_tsc_khz() * 1000);
}

u64 partition_wall_now(const struct partition *p)
{
    (void)p; /* every partition sees the machine's clock */
    return boot_seconds + (arch_tsc() - boot_tsc) / (arch_tsc_khz() * 1000);
}
