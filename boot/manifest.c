/* SPDX-License-Identifier: MIT */
/*
 * What every manifest must satisfy: values in range, names unique, nothing given to two partitions,
 * cores that exist. Rights and channels: manifest_share.c. Time: manifest_time.c.
 */
#include "boot/manifest_exam.h"

/* What no partition may be given on any machine: Pith works with it, emulates it for every guest, or it reaches all memory. */
struct kept {
    u64 first, last;
    const char *what;
    bool guests; /* only there is it somebody's, not on the machine */
};
static const struct kept kept_ports[] = {
    { 0x00, 0xff, "the PC's own devices (DMA, interrupt and keyboard controllers, timer, clock)", false },
    { 0x3b0, 0x3bb, "the screen", false },
    { 0x3c0, 0x3df, "the screen", false },
    { 0x480, 0x48f, "the DMA controller", false },
    { 0x4d0, 0x4d1, "the interrupt controller", false },
    { 0x600, 0x60f, "every guest's own power and reset registers", true },
    { 0xcf8, 0xcff, "PCI configuration and reset", false },
};
static const struct kept kept_mmio[] = {
    { PITH_PAGE_RO_AT, PITH_CHANNELS_AT - 1, "pages that Pith shares with every guest", true },
    { 0xfec00000, 0xfecfffff, "the I/O APICs", false },
    { 0xfed00000, 0xfedfffff, "clocks, the TPM, IOMMUs and other parts of the chipset", false },
    { 0xfee00000, 0xfeefffff, "the local APICs and interrupt messages", false },
    { 0xff000000, 0xffffffff, "the firmware's flash memory", false },
};
static const struct kept kept_irqs[] = {
    { 0, 0, "the timer", false },
    { 1, 1, "the keyboard", false },
    { 2, 2, "the timer", false },
    { 9, 9, "every guest's own power button", true },
};

static const char *kept_in(const struct kept *kept, u32 n, u64 first, u64 last)
{
    for (u32 i = 0; i < n; i++)
        if (first <= kept[i].last && last >= kept[i].first && !kept[i].guests)
            return kept[i].what;
    return NULL;
}

const char *manifest_kept(bool ports, u64 first, u64 last)
{
    return ports ? kept_in(kept_ports, ARRAY_SIZE(kept_ports), first, last) : kept_in(kept_mmio, ARRAY_SIZE(kept_mmio), first, last);
}

struct manifest_serial manifest_com(u32 n)
{
    static const u16 ports[MANIFEST_COMS] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

    return (struct manifest_serial){
        .kind = MANIFEST_LINE_PORTS, .base = ports[n], .baud = 115200, .clock = MANIFEST_PC_CLOCK, .irq = n & 1 ? 3 : 4,
        .stride = 1, .bits = 8,
    };
}

/* As far as pith.conf tells: the first serial port may be Pith's unless it says another. */
static struct manifest_serial own_line(const struct manifest *m)
{
    return m->serial.kind == MANIFEST_LINE_AUTO ? manifest_com(0) : m->serial;
}

bool exam_same_name(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool exam_terminated(const char *s, size_t size)
{
    size_t i = 0;

    while (i < size && s[i])
        i++;
    return i < size;
}

bool exam_name(const char *s)
{
    size_t i = 0;

    while ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-')
        i++;
    return i && !s[i];
}

static void examine_name(const struct exam *e, const struct manifest_partition *p)
{
    if (!exam_name(p->name))
        mistake(e, p, "", "partition name '%s' is not 1 to 15 of a-z, 0-9 and '-' - rename it",
                p->name);
    if (exam_same_name(p->name, "pith") || exam_same_name(p->name, "monitor"))
        mistake(e, p, "", "the name '%s' marks Pith's own lines - rename the partition", p->name);
    for (const struct manifest_partition *q = e->m->partitions; q < p; q++) {
        if (exam_same_name(p->name, q->name))
            mistake(e, p, "", "partition '%s' is on line %u already - rename one of the two",
                    p->name, q->line);
    }
}

static void examine_files(const struct exam *e, const struct manifest_partition *p)
{
    if (p->image == MANIFEST_NONE)
        mistake(e, p, "image", "partition '%s' has no image - add a line image = FILE", p->name);
    else if (p->image >= e->nr_modules)
        mistake(e, p, "image",
                "the image of '%s' was not loaded - use the boot loader that came with Pith",
                p->name);
    if (p->initrd != MANIFEST_NONE && p->initrd >= e->nr_modules)
        mistake(e, p, "initrd",
                "the initrd of '%s' was not loaded - use the boot loader that came with Pith",
                p->name);
    for (u32 i = 0; i < p->nr_modules; i++) {
        if (p->modules[i] >= e->nr_modules)
            mistake(e, p, "modules",
                    "module %u of '%s' was not loaded - use the boot loader that came with Pith",
                    i + 1, p->name);
    }
}

static void examine_values(const struct exam *e, const struct manifest_partition *p)
{
    if (p->memory < MANIFEST_MEMORY_MIN || p->memory > MANIFEST_MEMORY_MAX || p->memory % MIB(1))
        mistake(e, p, "memory",
                "'%s' cannot have %lu bytes of memory - give whole megabytes, 1M to %luG", p->name,
                p->memory, MANIFEST_MEMORY_MAX >> 30);
    if (p->vcpus < 1 || p->vcpus > MANIFEST_VCPUS_MAX)
        mistake(e, p, "vcpus", "'%s' cannot have %u vCPUs - write 1 to %u", p->name, p->vcpus,
                MANIFEST_VCPUS_MAX);
    if (p->restart > MANIFEST_RESTART_ALWAYS)
        mistake(e, p, "restart", "restart of '%s' is %u - write never, on-failure or always",
                p->name, p->restart);
}

static void examine_kept(const struct exam *e, const struct manifest_partition *p, const char *key,
                         const struct manifest_range *r, const struct kept *kept, u32 nr_kept)
{
    for (u32 i = 0; i < nr_kept; i++) {
        if (r->first <= kept[i].last && r->last >= kept[i].first)
            mistake(e, p, key, MANIFEST_KEPT_TEXT, key, r->first, r->last, p->name, kept[i].first,
                    kept[i].last, kept[i].what);
    }
}

static void examine_line(const struct exam *e, const struct manifest_partition *p, const char *key,
                         const struct manifest_range *r, u32 kind)
{
    const struct manifest_serial s = own_line(e->m);
    const struct kept line = { s.base, s.base + 8ull * s.stride - 1, MANIFEST_LINE_TEXT, false };

    if (s.kind == kind)
        examine_kept(e, p, key, r, &line, 1);
}

static const struct manifest_range *ranges_of(const struct manifest_partition *p, bool ports,
                                              u32 *n)
{
    *n = ports ? p->nr_ports : p->nr_mmio;
    return ports ? p->ports : p->mmio;
}

/* Says so when range @k of @p is also given by an earlier entry of this or an earlier partition. */
static void examine_shared(const struct exam *e, const struct manifest_partition *p, bool ports,
                           u32 k)
{
    const char *key = ports ? "ports" : "mmio";
    u32 n;
    const struct manifest_range *r = &ranges_of(p, ports, &n)[k];

    for (const struct manifest_partition *q = e->m->partitions; q <= p; q++) {
        const struct manifest_range *other = ranges_of(q, ports, &n);

        for (u32 i = 0; i < (q == p ? k : n); i++) {
            if (r->first <= other[i].last && r->last >= other[i].first)
                mistake(
                    e, p, key,
                    "%s 0x%lx-0x%lx of '%s' overlaps 0x%lx-0x%lx of '%s' - give each once",
                    key, r->first, r->last, p->name, other[i].first, other[i].last, q->name);
        }
    }
}

static void examine_ports(const struct exam *e, const struct manifest_partition *p)
{
    for (u32 i = 0; i < p->nr_ports; i++) {
        const struct manifest_range *r = &p->ports[i];

        if (r->first > r->last || r->last > 0xffff) {
            mistake(e, p, "ports",
                    "0x%lx-0x%lx is no range of ports - write FIRST-LAST within 0-0xffff", r->first,
                    r->last);
            continue;
        }
        examine_kept(e, p, "ports", r, kept_ports, ARRAY_SIZE(kept_ports));
        examine_line(e, p, "ports", r, MANIFEST_LINE_PORTS);
        examine_shared(e, p, true, i);
    }
}

/*
 * A device appears at its physical address, where the guest must have no RAM: 0 to 3 GiB, the rest
 * from 4 GiB.
 */
static bool in_guest_ram(const struct manifest_partition *p, const struct manifest_range *r)
{
    u64 low = MIN(p->memory, GIB(3));
    u64 high_end = GIB(4) + (p->memory - low);

    return r->first < low || (r->first < high_end && r->last >= GIB(4));
}

static void examine_mmio(const struct exam *e, const struct manifest_partition *p)
{
    for (u32 i = 0; i < p->nr_mmio; i++) {
        const struct manifest_range *r = &p->mmio[i];

        if (r->first > r->last || r->last > MANIFEST_MMIO_MAX ||
            ((r->first | (r->last + 1)) & PAGE_MASK)) {
            mistake(
                e, p, "mmio",
                "0x%lx-0x%lx is no range of whole pages - write it as in 0xfe000000-0xfe000fff",
                r->first, r->last);
            continue;
        }
        if (in_guest_ram(p, r))
            mistake(
                e, p, "mmio",
                "mmio 0x%lx-0x%lx of '%s' lies in its own memory - lower memory",
                r->first, r->last, p->name);
        examine_kept(e, p, "mmio", r, kept_mmio, ARRAY_SIZE(kept_mmio));
        examine_line(e, p, "mmio", r, MANIFEST_LINE_MEMORY);
        exam_channel_room(e, p, r);
        examine_shared(e, p, false, i);
    }
}

static void examine_irqs(const struct exam *e, const struct manifest_partition *p)
{
    const struct manifest_serial line = own_line(e->m);

    for (u32 k = 0; k < p->nr_irqs; k++) {
        if (p->irqs[k] > MANIFEST_IRQ_MAX)
            mistake(e, p, "irqs", "a guest's I/O APIC has no pin for interrupt %u - write 0 to %u",
                    p->irqs[k], MANIFEST_IRQ_MAX);
        if (line.kind != MANIFEST_LINE_NONE && p->irqs[k] == line.irq)
            mistake(e, p, "irqs", "interrupt %u of '%s' is that of the console - take it out, or write irq none behind serial in [pith]",
                    p->irqs[k], p->name);
        for (u32 i = 0; i < ARRAY_SIZE(kept_irqs); i++) {
            if (p->irqs[k] == kept_irqs[i].first)
                mistake(e, p, "irqs", "interrupt %u of '%s' is that of %s - take it out",
                        p->irqs[k], p->name, kept_irqs[i].what);
        }
        for (const struct manifest_partition *q = e->m->partitions; q <= p; q++) {
            for (u32 i = 0; i < (q == p ? k : q->nr_irqs); i++) {
                if (q->irqs[i] == p->irqs[k])
                    mistake(
                        e, p, "irqs",
                        "interrupt %u of '%s' is given to '%s' already - give each once",
                        p->irqs[k], p->name, q->name);
            }
        }
    }
}

static bool has_core(const struct manifest_partition *p, u32 core)
{
    return p->cores[core / 64] >> (core % 64) & 1;
}

static u32 core_count(const struct manifest_partition *p)
{
    u32 n = 0;

    for (u32 core = 0; core < MANIFEST_CORES; core++)
        n += has_core(p, core);
    return n;
}

static void examine_core(const struct exam *e, const struct manifest_partition *p, u32 core)
{
    if (core >= e->nr_cores)
        mistake(e, p, "cores",
                "'%s' wants core %u and this machine has %u (the first is 0) - correct cores",
                p->name, core, e->nr_cores);
    for (const struct manifest_partition *q = e->m->partitions; q < p; q++) {
        if (has_core(q, core) && ((p->flags | q->flags) & MANIFEST_DEDICATED))
            mistake(
                e, p, "cores",
                "core %u is listed by '%s' and '%s', one of them dedicated - give each its own",
                core, q->name, p->name);
    }
}

/* As far as one knows: pith-check believes that there is one core until another is named. */
static bool other_cores(const struct exam *e)
{
    u64 named = 0;

    for (u32 i = 0; i < e->m->nr_partitions; i++)
        for (u32 k = 0; k < MANIFEST_CORES / 64; k++)
            named |= e->m->partitions[i].cores[k] & ~(k == 0 ? 1ull : 0);
    return e->nr_cores == MANIFEST_CORES ? named != 0 : e->nr_cores > 1;
}

static void examine_cores(const struct exam *e, const struct manifest_partition *p)
{
    u32 n = core_count(p);

    if ((p->flags & MANIFEST_DEDICATED) && has_core(p, 0) && other_cores(e))
        mistake(e, p, "cores", "core 0 keeps house for all and '%s' wants it dedicated - list other cores, or drop dedicated", p->name);

    for (u32 core = 0; core < MANIFEST_CORES; core++) {
        if (has_core(p, core))
            examine_core(e, p, core);
    }
    if (n && (p->flags & MANIFEST_DEDICATED) && p->vcpus > n)
        mistake(e, p, "cores",
                "'%s' has %u vCPUs and %u dedicated cores - list %u cores or lower vcpus", p->name,
                p->vcpus, n, p->vcpus);
}

static bool core_0_listed(const struct exam *e)
{
    bool listed = false;

    for (u32 i = 0; i < e->m->nr_partitions; i++)
        listed |= has_core(&e->m->partitions[i], 0);
    return listed;
}

/*
 * How many of this machine's cores are listed by a partition; with @dedicated, by a dedicated one.
 */
static u32 listed_cores(const struct exam *e, bool dedicated)
{
    u32 n = 0;

    for (u32 core = 0; core < e->nr_cores; core++) {
        bool listed = false;

        for (u32 i = 0; i < e->m->nr_partitions; i++) {
            const struct manifest_partition *p = &e->m->partitions[i];

            listed |= has_core(p, core) && (!dedicated || (p->flags & MANIFEST_DEDICATED));
        }
        n += listed;
    }
    return n;
}

/*
 * Dedicated partitions that list no cores take free ones, and the others need one that is not
 * dedicated.
 */
static void examine_core_budget(const struct exam *e)
{
    u32 unlisted = e->nr_cores - listed_cores(e, false);
    u32 shared = e->nr_cores - unlisted - listed_cores(e, true);
    u32 kept = e->nr_cores > 1 && !core_0_listed(e); /* core 0, which is nobody's alone */

    for (u32 i = 0; i < e->m->nr_partitions; i++) {
        const struct manifest_partition *p = &e->m->partitions[i];

        if (core_count(p) || !(p->flags & MANIFEST_DEDICATED))
            continue;
        if (p->vcpus + kept > unlisted)
            mistake(e, p, "dedicated",
                    "'%s' wants %u cores of its own and %u are free, without core 0 - add cores or drop dedicated",
                    p->name, p->vcpus, unlisted - MIN(kept, unlisted));
        unlisted -= MIN(p->vcpus, unlisted);
    }
    for (u32 i = 0; i < e->m->nr_partitions && unlisted + shared == 0; i++) {
        const struct manifest_partition *p = &e->m->partitions[i];

        if (!core_count(p) && !(p->flags & MANIFEST_DEDICATED))
            mistake(e, p, "cores", "no core is left for '%s' - drop dedicated of another partition",
                    p->name);
    }
}

/*
 * Counts and strings that everything below walks by: a partition that fails here is not looked at
 * any further.
 */
static bool partition_sound(const struct manifest_partition *p)
{
    return p->nr_modules <= MANIFEST_MODULES && p->nr_ports <= MANIFEST_RANGES &&
           p->nr_mmio <= MANIFEST_RANGES && p->nr_irqs <= MANIFEST_RANGES &&
           exam_terminated(p->name, sizeof(p->name)) && exam_terminated(p->cmdline, sizeof(p->cmdline));
}

static bool manifest_sound(const struct manifest *m)
{
    bool sound = m->magic == MANIFEST_MAGIC && m->version == MANIFEST_VERSION &&
                 m->size == sizeof(*m) && m->nr_partitions <= MANIFEST_PARTITIONS && exam_channels_sound(m) && exam_cyclics_sound(m);

    for (u32 i = 0; sound && i < m->nr_partitions; i++)
        sound = partition_sound(&m->partitions[i]);
    return sound;
}

u64 manifest_memory(const struct manifest *m, u32 last)
{
    u64 bytes = m->partitions[last].memory;

    for (u32 i = 0; i < last; i++)
        bytes += m->partitions[i].flags & MANIFEST_ON_REQUEST ? 0 : m->partitions[i].memory;
    return bytes;
}

void manifest_examine(const struct manifest *m, u32 nr_modules, u32 nr_cores,
                      manifest_mistake_fn *fn, void *ctx)
{
    struct exam e = { m, nr_modules, MIN(nr_cores, MANIFEST_CORES), fn, ctx };
    u32 trace = m->trace & ~MANIFEST_TRACE_RIP;

    if (!manifest_sound(m)) {
        mistake(&e, NULL, "", "the manifest is damaged - use the boot loader that came with Pith");
        return;
    }
    if (m->nr_partitions == 0)
        mistake(&e, NULL, "",
                "there is no partition - add a section [partition NAME] with an image");
    if (m->trace && (trace < MANIFEST_TRACE_MIN || trace > MANIFEST_TRACE_MAX || (trace & (trace - 1))))
        mistake(&e, NULL, "trace", "trace is %u bytes - write yes, no or 4K, 8K and so on to 16M", trace);
    if (m->nr_partitions && m->focus != MANIFEST_NONE && m->focus >= m->nr_partitions)
        mistake(&e, NULL, "focus", "the focus is on no partition - correct focus");
    for (u32 i = 0; i < m->nr_partitions; i++) {
        const struct manifest_partition *p = &m->partitions[i];

        examine_name(&e, p);
        examine_files(&e, p);
        examine_values(&e, p);
        examine_ports(&e, p);
        examine_mmio(&e, p);
        examine_irqs(&e, p);
        examine_cores(&e, p);
        exam_rights(&e, p);
        exam_time(&e, p);
    }
    exam_channels(&e);
    exam_cyclics(&e);
    examine_core_budget(&e);
}
