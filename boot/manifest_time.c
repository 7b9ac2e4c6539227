/* SPDX-License-Identifier: MIT */
/*
 * What every manifest must satisfy: time that is promised is there. On each core the promises to the vCPUs that live there come to at
 * most all of it; that is all that deadline scheduling asks for.
 */
#include "boot/manifest_exam.h"

#define WHOLE 1000000000000ull /* a core, in parts that are dropped when a promise comes to less than one of them */

PRINTF(4, 5)
static void cyclic_mistake(const struct exam *e, const struct manifest_cyclic *c, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    exam_report(e, (struct manifest_place){ .cyclic = c, .key = key }, fmt, ap);
    va_end(ap);
}

bool exam_cyclics_sound(const struct manifest *m)
{
    bool sound = m->nr_cyclics <= MANIFEST_CYCLICS;

    for (u32 i = 0; sound && i < m->nr_cyclics; i++)
        sound = m->cyclics[i].nr_slots <= MANIFEST_SLOTS && exam_terminated(m->cyclics[i].name, sizeof(m->cyclics[i].name));
    return sound;
}

static bool has(const u64 cores[MANIFEST_CORES / 64], u32 core)
{
    return cores[core / 64] >> (core % 64) & 1;
}

static u32 count(const u64 cores[MANIFEST_CORES / 64])
{
    u32 n = 0;

    for (u32 core = 0; core < MANIFEST_CORES; core++)
        n += has(cores, core);
    return n;
}

/* The key that a promise was made with. */
static const char *promise_key(const struct manifest_partition *p)
{
    return p->flags & MANIFEST_ENTITLED ? "entitlement" : "budget";
}

static bool is_promised(const struct manifest_partition *p)
{
    return p->period || p->budget;
}

/* The cyclic schedule that gives it slots. */
static const struct manifest_cyclic *cyclic_of(const struct exam *e, const struct manifest_partition *p)
{
    for (const struct manifest_cyclic *c = e->m->cyclics; c < e->m->cyclics + e->m->nr_cyclics; c++)
        for (u32 i = 0; i < c->nr_slots; i++)
            if (c->slots[i].partition == (u32)(p - e->m->partitions))
                return c;
    return NULL;
}

static bool promise_good(const struct manifest_partition *p)
{
    return p->period >= MANIFEST_PERIOD_MIN && p->period <= MANIFEST_PERIOD_MAX && p->budget >= MANIFEST_BUDGET_MIN &&
           p->budget <= p->period;
}

/* How many of its vCPUs live on @core. */
static u32 vcpus_on(const struct manifest_partition *p, u32 core)
{
    u32 n = count(p->cores), at = 0;

    if (!n || !has(p->cores, core))
        return 0;
    for (u32 i = 0; i < core; i++)
        at += has(p->cores, i);
    return p->vcpus / n + (at < p->vcpus % n);
}

static u64 promised_on(const struct manifest_partition *p, u32 core)
{
    return promise_good(p) ? vcpus_on(p, core) * (p->budget * WHOLE / p->period) : 0;
}

/* Part of a core as one reads it: "0.250", rounded up. */
static const char *part_text(u64 part, char buf[24])
{
    u64 thousandths = (part + WHOLE / 1000 - 1) / (WHOLE / 1000);

    fmt_str(buf, 24, "%lu.%03lu", thousandths / 1000, thousandths % 1000);
    return buf;
}

/* The one that makes it too much is told. */
static void exam_sum(const struct exam *e, const struct manifest_partition *p, u32 core)
{
    u64 before = 0, wanted = promised_on(p, core);
    char text[3][24];

    for (const struct manifest_partition *q = e->m->partitions; q < p; q++)
        before += promised_on(q, core);
    if (!wanted || before + wanted <= WHOLE)
        return;
    mistake(e, p, promise_key(p),
            "'%s' wants %s of core %u, of which %s is promised to others: %s in all, and there is 1 - lower %s or give it another core",
            p->name, part_text(wanted, text[0]), core, part_text(before, text[1]), part_text(before + wanted, text[2]),
            p->flags & MANIFEST_ENTITLED ? "an entitlement" : "a budget");
}

static void exam_promise(const struct exam *e, const struct manifest_partition *p)
{
    if (!p->period || !p->budget)
        mistake(e, p, p->period ? "budget" : "period", "'%s' has a %s and no %s - write both, as in period = 1ms and budget = 200us",
                p->name, p->period ? "period" : "budget", p->period ? "budget" : "period");
    else if (!promise_good(p))
        mistake(e, p, promise_key(p),
                "'%s' cannot have %uus of every %uus - write a period of 200us to 1s, and a budget of 50us up to the period",
                p->name, p->budget, p->period);
    else if (p->flags & MANIFEST_DEDICATED)
        mistake(e, p, promise_key(p), "'%s' has its cores to itself: there is no more to promise - drop %s, or dedicated",
                p->name, promise_key(p));
    else if (!count(p->cores))
        mistake(e, p, promise_key(p), "'%s' is promised time and no core is named that has it - add a line as cores = 1",
                p->name);
    else if (cyclic_of(e, p))
        mistake(e, p, promise_key(p), "'%s' has slots in the frame of '%s' - take it out there, or drop %s", p->name, cyclic_of(e, p)->name,
                promise_key(p));
    else
        for (u32 core = 0; core < MANIFEST_CORES; core++)
            exam_sum(e, p, core);
}

void exam_time(const struct exam *e, const struct manifest_partition *p)
{
    if (p->weight < MANIFEST_WEIGHT_MIN || p->weight > MANIFEST_WEIGHT_MAX)
        mistake(e, p, "weight", "weight of '%s' is %u - write %u to %u", p->name, p->weight, MANIFEST_WEIGHT_MIN, MANIFEST_WEIGHT_MAX);
    if (is_promised(p))
        exam_promise(e, p);
    else if ((p->flags & MANIFEST_CAPPED) && !cyclic_of(e, p))
        mistake(e, p, "cap", "'%s' may have no more than it is promised, and is promised nothing - add entitlement, or period and budget",
                p->name);
}

/* One that has a slot lives on the schedule's cores, a vCPU on each. */
static void exam_slot(const struct exam *e, const struct manifest_cyclic *c, const struct manifest_slot *s)
{
    const struct manifest_partition *p = &e->m->partitions[s->partition];

    if (s->partition == MANIFEST_NONE)
        return;
    if (s->partition >= e->m->nr_partitions) {
        cyclic_mistake(e, c, "slots", "'%s' has a slot for a partition that is not there - use the boot loader that came with Pith",
                       c->name);
        return;
    }
    if (!count(p->cores))
        mistake(e, p, "cores", "'%s' has slots in '%s' and names no cores - add a line cores = with some of those of '%s'", p->name,
                c->name, c->name);
    for (u32 core = 0; core < MANIFEST_CORES; core++) {
        if (has(p->cores, core) && count(c->cores) && !has(c->cores, core))
            mistake(e, p, "cores", "'%s' has slots in '%s' and core %u is none of its cores - take it out", p->name, c->name, core);
        else if (vcpus_on(p, core) > 1)
            mistake(e, p, "cores", "'%s' has slots in '%s' and %u vCPUs on core %u - give it as many cores as vCPUs", p->name, c->name,
                    vcpus_on(p, core), core);
    }
}

/* Deadlines and slots on one core would have to be weighed against each other; that is refused. */
static void exam_frame_core(const struct exam *e, const struct manifest_cyclic *c, u32 core)
{
    for (const struct manifest_cyclic *other = e->m->cyclics; other < c; other++) {
        if (has(other->cores, core))
            cyclic_mistake(e, c, "cores", "core %u is listed by '%s' and '%s' - give each frame its own", core, other->name, c->name);
    }
    for (u32 i = 0; i < e->m->nr_partitions; i++) {
        const struct manifest_partition *p = &e->m->partitions[i];

        if (has(p->cores, core) && (is_promised(p) || (p->flags & MANIFEST_DEDICATED)))
            cyclic_mistake(e, c, "cores",
                           "core %u has the frame '%s', and '%s' has %s there: a core keeps to one of the two - give them different cores",
                           core, c->name, p->name, is_promised(p) ? promise_key(p) : "dedicated");
    }
    if (core >= e->nr_cores)
        cyclic_mistake(e, c, "cores", "'%s' is for core %u and this machine has %u (the first is 0) - correct cores", c->name, core,
                       e->nr_cores);
}

static void exam_slots(const struct exam *e, const struct manifest_cyclic *c)
{
    u64 sum = 0;

    for (u32 i = 0; i < c->nr_slots; i++) {
        if (c->slots[i].length < MANIFEST_SLOT_MIN || c->slots[i].length > MANIFEST_PERIOD_MAX)
            cyclic_mistake(e, c, "slots", "slot %u of '%s' has %uus - write 100us to 1s", i + 1, c->name, c->slots[i].length);
        sum += c->slots[i].length;
        exam_slot(e, c, &c->slots[i]);
    }
    if (sum > c->frame)
        cyclic_mistake(e, c, "slots", "the slots of '%s' take %luus and its frame has %uus - make slots shorter or the frame longer",
                       c->name, sum, c->frame);
}

static void exam_cyclic(const struct exam *e, const struct manifest_cyclic *c)
{
    if (!exam_name(c->name))
        cyclic_mistake(e, c, "", "frame name '%s' is not 1 to 15 of a-z, 0-9 and '-' - rename it", c->name);
    for (const struct manifest_cyclic *other = e->m->cyclics; other < c; other++) {
        if (exam_same_name(c->name, other->name))
            cyclic_mistake(e, c, "", "cyclic '%s' is on line %u already - rename one of the two", c->name, other->line);
    }
    if (!count(c->cores))
        cyclic_mistake(e, c, "cores", "'%s' is for no core - add a line as cores = 1", c->name);
    if (!c->nr_slots)
        cyclic_mistake(e, c, "slots", "'%s' has no slots - add a line as slots = a 5ms, b 10ms with names of partitions", c->name);
    else if (c->frame < MANIFEST_SLOT_MIN || c->frame > MANIFEST_PERIOD_MAX)
        cyclic_mistake(e, c, "frame", "'%s' has no frame of 100us to 1s - add a line as frame = 20ms", c->name);
    else
        exam_slots(e, c);
    for (u32 core = 0; core < MANIFEST_CORES; core++) {
        if (has(c->cores, core))
            exam_frame_core(e, c, core);
    }
}

void exam_cyclics(const struct exam *e)
{
    for (u32 i = 0; i < e->m->nr_cyclics; i++)
        exam_cyclic(e, &e->m->cyclics[i]);
}

/* Of @core, to those who have a budget or slots there. */
static u64 promised_to_all(const struct manifest *m, u32 core)
{
    u64 sum = 0, slots = 0;

    for (u32 i = 0; i < m->nr_partitions; i++)
        sum += promised_on(&m->partitions[i], core);
    for (const struct manifest_cyclic *c = m->cyclics; c < m->cyclics + m->nr_cyclics; c++) {
        if (!has(c->cores, core) || !c->frame)
            continue;
        for (u32 i = 0; i < c->nr_slots; i++)
            slots += c->slots[i].partition != MANIFEST_NONE ? c->slots[i].length : 0;
        sum += slots * WHOLE / c->frame;
    }
    return sum;
}

static void warn_of_core(const struct exam *e, const struct manifest_partition *p, u32 core)
{
    u64 sum = promised_to_all(e->m, core);
    char text[24];

    if (vcpus_on(p, core) && sum > WHOLE - WHOLE / 20)
        mistake(e, p, "cores",
                "'%s' is promised nothing, and others %s of core %u: it runs while they sleep - promise less, or give it an entitlement",
                p->name, part_text(sum, text), core);
}

void manifest_warn(const struct manifest *m, manifest_mistake_fn *fn, void *ctx)
{
    struct exam e = { m, 0, MANIFEST_CORES, fn, ctx };

    for (const struct manifest_partition *p = m->partitions; p < m->partitions + m->nr_partitions; p++)
        for (u32 core = 0; core < MANIFEST_CORES && !is_promised(p) && !(p->flags & MANIFEST_SLOTTED); core++)
            warn_of_core(&e, p, core);
}
