/* SPDX-License-Identifier: MIT */
/* What every manifest must satisfy: whom a partition may reach, who makes it, what partitions share. */
#include "boot/manifest_exam.h"

PRINTF(4, 5)
static void channel_mistake(const struct exam *e, const struct manifest_channel *c, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    exam_report(e, (struct manifest_place){ .channel = c, .key = key }, fmt, ap);
    va_end(ap);
}

bool exam_channels_sound(const struct manifest *m)
{
    bool sound = m->nr_channels <= MANIFEST_CHANNELS;

    for (u32 i = 0; sound && i < m->nr_channels; i++)
        sound = exam_terminated(m->channels[i].name, sizeof(m->channels[i].name));
    return sound;
}

/* A bit for each partition. */
static u64 everybody(const struct manifest *m)
{
    return BIT(m->nr_partitions) - 1;
}

/* Those that come to run: made at boot, or by one of those. */
static u64 makeable(const struct manifest *m)
{
    u64 made = 0, before;

    do {
        before = made;
        for (u32 i = 0; i < m->nr_partitions; i++) {
            if (!(m->partitions[i].flags & MANIFEST_ON_REQUEST))
                made |= BIT(i);
            if (made & BIT(i))
                made |= m->partitions[i].may.manage & everybody(m);
        }
    } while (made != before);
    return made;
}

void exam_rights(const struct exam *e, const struct manifest_partition *p)
{
    static const char *const keys[] = { "may-manage", "may-signal", "may-call", "may-share" };
    const u64 may[] = { p->may.manage, p->may.signal, p->may.call, p->may.share };
    u64 self = BIT(p - e->m->partitions);

    for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
        if (may[i] & ~(everybody(e->m) & ~self))
            mistake(e, p, keys[i], "%s of '%s' holds itself or a partition that is not there - use the boot loader that came with Pith",
                    keys[i], p->name);
    }
    if (!(makeable(e->m) & self))
        mistake(e, p, "create", "'%s' is made on request and nobody may ask - write may-manage = %s in a partition made at boot", p->name,
                p->name);
}

static u32 count(u64 set)
{
    u32 n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}

static void exam_members(const struct exam *e, const struct manifest_channel *c)
{
    u64 members = c->writers | c->readers;

    if (members & ~everybody(e->m))
        channel_mistake(e, c, "", "channel '%s' is for a partition that is not there - use the boot loader that came with Pith", c->name);
    for (u32 i = 0; i < e->m->nr_partitions; i++) {
        if (c->writers & c->readers & BIT(i))
            channel_mistake(e, c, "readers", "'%s' is a writer of channel '%s', who reads too - take it out of the readers",
                            e->m->partitions[i].name, c->name);
    }
    if (!members)
        channel_mistake(e, c, "", "nobody has channel '%s' - add writers = and readers = with names of partitions", c->name);
    else if (count(members) == 1)
        channel_mistake(e, c, c->writers ? "writers" : "readers", "one partition alone has channel '%s' - name two or more", c->name);
    else if (!c->writers)
        channel_mistake(e, c, "", "nobody writes to channel '%s' - add writers = with the name of a partition", c->name);
}

static bool size_good(const struct manifest_channel *c)
{
    return c->size && c->size <= MANIFEST_CHANNEL_MAX && !(c->size & PAGE_MASK);
}

static void exam_channel(const struct exam *e, const struct manifest_channel *c)
{
    if (!exam_name(c->name))
        channel_mistake(e, c, "", "channel name '%s' is not 1 to 15 of a-z, 0-9 and '-' - rename it", c->name);
    for (const struct manifest_channel *other = e->m->channels; other < c; other++) {
        if (exam_same_name(c->name, other->name))
            channel_mistake(e, c, "", "channel '%s' is on line %u already - rename one of the two", c->name, other->line);
    }
    if (!c->size)
        channel_mistake(e, c, "size", "channel '%s' has no size - add a line as size = 64K", c->name);
    else if (!size_good(c))
        channel_mistake(e, c, "size", "channel '%s' cannot have %lu bytes - give whole pages, 4K to %luM", c->name, c->size,
                        (u64)MANIFEST_CHANNEL_MAX >> 20);
    exam_members(e, c);
}

u64 manifest_channel_address(const struct manifest *m, u32 n)
{
    u64 at = PITH_CHANNELS_AT;

    for (u32 i = 0; i < n; i++)
        at += (MIN(m->channels[i].size, MANIFEST_CHANNEL_MAX) + PITH_CHANNEL_STEP - 1) & ~(PITH_CHANNEL_STEP - 1);
    return at;
}

void exam_channels(const struct exam *e)
{
    bool fits = true;

    for (u32 i = 0; i < e->m->nr_channels; i++) {
        const struct manifest_channel *c = &e->m->channels[i];

        exam_channel(e, c);
        if (fits && manifest_channel_address(e->m, i) + MIN(c->size, MANIFEST_CHANNEL_MAX) > PITH_CHANNELS_END) {
            channel_mistake(e, c, "size",
                            "there is no room for channel '%s': all take at most %uM, each at a multiple of 2M - make channels smaller",
                            c->name,
                            (PITH_CHANNELS_END - PITH_CHANNELS_AT) >> 20);
            fits = false;
        }
    }
}

void exam_channel_room(const struct exam *e, const struct manifest_partition *p, const struct manifest_range *r)
{
    const struct manifest_channel *last = NULL;
    u64 end = 0, self = BIT(p - e->m->partitions);

    for (u32 i = 0; i < e->m->nr_channels; i++) {
        const struct manifest_channel *c = &e->m->channels[i];

        if ((c->writers | c->readers) & self) {
            last = c;
            end = manifest_channel_address(e->m, i) + MIN(c->size, MANIFEST_CHANNEL_MAX);
        }
    }
    if (last && r->first < end && r->last >= PITH_CHANNELS_AT)
        mistake(e, p, "mmio",
                "mmio 0x%lx-0x%lx of '%s' reaches into 0x%x-0x%lx, its channels up to '%s' - take that out or make channels smaller",
                r->first, r->last, p->name, PITH_CHANNELS_AT, end - 1, last->name);
    for (const struct manifest_partition *o = e->m->partitions; o < e->m->partitions + e->m->nr_partitions; o++) {
        if (o->may.share & self && r->first < PITH_GRANTS_END && r->last >= PITH_GRANTS_AT) {
            mistake(e, p, "mmio",
                    "mmio 0x%lx-0x%lx of '%s' reaches into 0x%x-0x%x, where it maps memory of '%s' (may-share) - take that out",
                    r->first, r->last, p->name, PITH_GRANTS_AT, PITH_GRANTS_END - 1, o->name);
            return;
        }
    }
}
