/* SPDX-License-Identifier: MIT */
/* The monitor's `trace` command. Printing takes its time, a few lines at a time, while the rings go on being written. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/trace.h"

#define STEP_US      500u
#define STEP_LINES   4u
#define STEP_RECORDS 64u /* looked at, of whatever partition */

static struct console_source out = { .name = "monitor" }; /* beside the monitor's own, whose prompt stays whole */

static struct {
    struct timer timer;
    bool busy;
    const struct partition *only; /* NULL: all */
    u32 part, core;               /* what comes next: names first, then core by core */
    u64 next, end;                /* records of that core; equal: its ring is still to begin */
    u64 printed, dropped;
} dump;

/* What one command or step says, written at once: the prompt is shown again after every write. */
static char text[1024];
static size_t text_len;

static void flush(void)
{
    console_write(&out, text, text_len);
    text_len = 0;
}

static void say(const char *fmt, ...) PRINTF(1, 2);
static void say(const char *fmt, ...)
{
    va_list ap;

    if (text_len > sizeof(text) - 160)
        flush();
    va_start(ap, fmt);
    text_len += fmt_vstr(text + text_len, sizeof(text) - text_len, fmt, ap);
    va_end(ap);
}

/* ACQUIRE: looked at after what was read before. */
static u64 head_of(const struct pith_trace_ring *r)
{
    return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
}

static u64 oldest(const struct pith_trace_ring *r, u64 head)
{
    return head - r->from > r->mask ? head - r->mask - 1 : r->from;
}

/* False: it is not there yet, or its core, which moves the head before it writes, has begun to write over it. */
static bool take(const struct pith_trace_ring *r, u64 index, struct pith_trace *t)
{
    const struct pith_trace *from = &r->at[index & r->mask];

    /* ACQUIRE: pairs with the RELEASE in trace.c */
    if (__atomic_load_n(&from->kind, __ATOMIC_ACQUIRE) == PITH_TRACE_PENDING)
        return false;
    *t = *from;
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copy before the look at the head */
    return index >= oldest(r, head_of(r));
}

static void print(u32 core, const struct pith_trace *t)
{
    u64 words[4];

    memcpy(words, t, sizeof(words));
    say("T %u %lx %lx %lx %lx\n", core, words[0], words[1], words[2], words[3]);
    dump.printed++;
}

static void begin_ring(const struct pith_trace_ring *r)
{
    dump.end = head_of(r);
    dump.next = oldest(r, dump.end);
    dump.dropped += dump.next - r->from;
    say("T ring %u %u\n", r->core, r->khz);
}

static void next_record(const struct pith_trace_ring *r)
{
    struct pith_trace t;

    if (!take(r, dump.next++, &t))
        dump.dropped++;
    else if (!dump.only || t.source >> 4 == dump.only->index)
        print(r->core, &t);
}

/* The next line, or nothing of a record that is not wanted. False: that was all. */
static bool advance(void)
{
    static u32 begun;

    if (dump.part < nr_partitions) {
        begun = 0;
        say("T partition %u %s\n", dump.part, partition_get(dump.part)->name);
        dump.part++;
    } else if (dump.core == nr_cpus) {
        return false;
    } else if (begun == dump.core) {
        begun++;
        begin_ring(cpu_get(dump.core)->trace);
    } else if (dump.next < dump.end) {
        next_record(cpu_get(dump.core)->trace);
    } else {
        dump.core++;
    }
    return true;
}

static void dump_some(struct timer *t)
{
    u64 lines = dump.printed + STEP_LINES;

    for (u32 i = 0; i < STEP_RECORDS && dump.printed < lines && terminal_has_room(&out.account); i++) {
        if (advance())
            continue;
        say("trace end %lu records, %lu dropped\n", dump.printed, dump.dropped);
        flush();
        dump.busy = false;
        return;
    }
    flush();
    timer_set(&this_cpu()->timers, t, arch_tsc() + STEP_US * arch_tsc_khz() / 1000);
}

static void begin_dump(const struct partition *only)
{
    if (dump.busy) {
        say("a dump is being printed\n");
        return;
    }
    memset(&dump, 0, sizeof(dump));
    dump.busy = true;
    dump.only = only;
    timer_init(&dump.timer, dump_some);
    dump_some(&dump.timer);
}

static void clear(const struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < nr_cpus; i++)
        cpu_get(i)->trace->from = head_of(cpu_get(i)->trace);
}

/* Its vCPUs learn of it when they look around, and get their core anew. */
static void set_one(struct partition *p, bool on)
{
    p->traced = on;
    for (u32 i = 0; i < p->nr_vcpus; i++)
        vcpu_post(p->vcpus[i], VCPU_PEND_WAKE);
}

static void set(const struct partition *only, bool on)
{
    for (u32 i = 0; i < nr_partitions; i++)
        if (!only || only->index == i)
            set_one(partition_get(i), on);
}

static void turn_on(const struct partition *p)
{
    set(p, true);
}

static void turn_off(const struct partition *p)
{
    set(p, false);
}

static void show(const struct partition *p)
{
    (void)p;
    for (u32 i = 0; i < nr_cpus; i++) {
        const struct pith_trace_ring *r = cpu_get(i)->trace;
        u64 head = head_of(r);

        say("core %u: %lu records, %lu dropped, ring of %lu bytes at physical %lx\n", i, head - oldest(r, head),
            oldest(r, head) - r->from, sizeof(*r) + (r->mask + 1ul) * sizeof(r->at[0]), virt_to_phys(r));
    }
    for (u32 i = 0; i < nr_partitions; i++)
        say("%s: %s\n", partition_get(i)->name, partition_get(i)->traced ? "on" : "off");
}

static const struct { const char *word; void (*run)(const struct partition *only); } verbs[] = {
    { "dump", begin_dump }, { "on", turn_on }, { "off", turn_off }, { "clear", clear }, { "show", show },
};

static void command(const char *verb, const char *name)
{
    struct partition *p = *name ? partition_find(name) : NULL;

    if (!cpu_get(nr_cpus - 1)->trace) {
        say("there are no rings - write trace = yes under [pith] in pith.conf\n");
        return;
    }
    if (*name && !p) {
        say("trace: no partition '%s' - list shows the names\n", name);
        return;
    }
    for (u32 i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verb, verbs[i].word) == 0) {
            verbs[i].run(p);
            return;
        }
    say("trace dump, on, off [NAME], or trace clear, show\n");
}

void trace_command(const char *verb, const char *name)
{
    command(verb, name);
    flush();
}
