/* SPDX-License-Identifier: MIT */
/* pith.conf: how time is divided. Lengths and parts of a core are read as whole microseconds: nothing is rounded. */
#include "boot/config_parser.h"

#include "boot/manifest.h"

/* A number and its unit, in microseconds. */
static bool read_time(struct slice v, u64 *us)
{
    static const struct {
        const char *unit;
        u64 us;
    } units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };

    for (u32 i = 0; i < ARRAY_SIZE(units); i++) {
        size_t len = i < 2 ? 2 : 1;

        if (v.len > len && slice_is((struct slice){ v.at + v.len - len, len }, units[i].unit) &&
            slice_number(slice_trim((struct slice){ v.at, v.len - len }), us))
            return !__builtin_mul_overflow(*us, units[i].us, us);
    }
    return false;
}

/* 0 after a mistake. */
static u32 set_time(struct parser *p, struct slice v, u64 least, u64 most)
{
    char quote[CONFIG_QUOTE];
    u64 us;

    if (!read_time(v, &us))
        parser_error(p, "'%s' is not a time - write a number and us, ms or s, as in 10ms", slice_quote(v, quote));
    else if (us < least || us > most)
        parser_error(p, "%s = %s is out of range - write %luus to %lums", p->key, slice_quote(v, quote), least, most / 1000);
    else
        return (u32)us;
    return 0;
}

/* An entitlement says both. */
static bool is_entitled(struct parser *p)
{
    if (p->part->flags & MANIFEST_ENTITLED)
        parser_error(p, "an entitlement is a period of 10ms and a budget - keep it, or period and budget");
    return p->part->flags & MANIFEST_ENTITLED;
}

void config_set_period(struct parser *p, struct slice v)
{
    if (!is_entitled(p))
        p->part->period = set_time(p, v, MANIFEST_PERIOD_MIN, MANIFEST_PERIOD_MAX);
}

void config_set_budget(struct parser *p, struct slice v)
{
    if (!is_entitled(p))
        p->part->budget = set_time(p, v, MANIFEST_BUDGET_MIN, MANIFEST_PERIOD_MAX);
}

/* Digits behind the point, as many as a whole microsecond of the period needs: "25" is 2500. */
static bool read_fraction(struct slice digits, u64 *parts)
{
    u64 unit = MANIFEST_WINDOW;

    *parts = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unit /= 10;
        if (digits.at[i] < '0' || digits.at[i] > '9' || !unit)
            return false;
        *parts += (u64)(digits.at[i] - '0') * unit;
    }
    return digits.len > 0;
}

/* Of the window, in microseconds; something good after a mistake. */
static u32 read_part(struct parser *p, struct slice v)
{
    struct slice whole, fraction = v;
    bool point = slice_cut(&fraction, '.', &whole);
    char quote[CONFIG_QUOTE];
    u64 cores, parts = 0;

    if (!slice_number(point ? whole : v, &cores) || (point && !read_fraction(fraction, &parts)))
        parser_error(p, "'%s' is not a part of a core - write 0.05 to 1, with up to four digits behind the point, as in 0.25",
                     slice_quote(v, quote));
    else if (cores > 1 || cores * MANIFEST_WINDOW + parts > MANIFEST_WINDOW || cores * MANIFEST_WINDOW + parts < MANIFEST_ENTITLEMENT_MIN)
        parser_error(p, "entitlement = %s is out of range - write 0.05 to 1: parts of a core, for each vCPU", slice_quote(v, quote));
    else
        return (u32)(cores * MANIFEST_WINDOW + parts);
    return MANIFEST_ENTITLEMENT_MIN;
}

void config_set_entitlement(struct parser *p, struct slice v)
{
    if (p->part->period || p->part->budget)
        parser_error(p, "an entitlement is a period of 10ms and a budget - keep it, or period and budget");
    p->part->flags |= MANIFEST_ENTITLED;
    p->part->period = MANIFEST_WINDOW;
    p->part->budget = read_part(p, v);
}

void config_set_weight(struct parser *p, struct slice v)
{
    char quote[CONFIG_QUOTE];
    u64 n;

    if (slice_number(v, &n) && n >= MANIFEST_WEIGHT_MIN && n <= MANIFEST_WEIGHT_MAX)
        p->part->weight = (u32)n;
    else
        parser_error(p, "weight = %s is no weight - write %u to %u; 100 is what all have without it", slice_quote(v, quote),
                     MANIFEST_WEIGHT_MIN, MANIFEST_WEIGHT_MAX);
}

static void set_frame(struct parser *p, struct slice v)
{
    p->cyclic->frame = set_time(p, v, MANIFEST_SLOT_MIN, MANIFEST_PERIOD_MAX);
}

static void set_cores(struct parser *p, struct slice v)
{
    config_read_cores(p, v, p->cyclic->cores);
}

static void slot_later(struct parser *p, struct slice name, u32 *partition)
{
    if (p->index != MANIFEST_NONE) /* else there may be any number of them */
        p->slots[p->nr_slots++] = (struct config_slot){ name, p->line, partition };
}

void config_slots_resolve(struct parser *p)
{
    struct manifest *m = &p->cfg->manifest;
    char quote[CONFIG_QUOTE];

    for (const struct config_slot *s = p->slots; s < p->slots + p->nr_slots; s++) {
        u32 i = config_partition_index(m, s->name);

        if (i == m->nr_partitions) {
            parser_error_at(p, s->line, "there is no partition '%s' to have a slot - correct the name", slice_quote(s->name, quote));
            continue;
        }
        *s->partition = i;
        m->partitions[i].flags |= MANIFEST_SLOTTED;
    }
}

/* "a 5ms": the name is looked up when all lines are read. */
static bool read_slot(struct parser *p, struct slice item, struct manifest_slot *slot)
{
    struct slice name, length = item;
    char quote[CONFIG_QUOTE];

    slot->partition = MANIFEST_NONE;
    slice_quote(item, quote);
    if (!slice_cut(&length, ' ', &name)) {
        parser_error(p, "'%s' is not a slot - write the name of a partition and a time, as in a 5ms, or * 5ms for all", quote);
        return false;
    }
    slot->length = set_time(p, slice_trim(length), MANIFEST_SLOT_MIN, MANIFEST_PERIOD_MAX);
    if (slot->length && !slice_is(name, "*"))
        slot_later(p, name, &slot->partition);
    return slot->length != 0;
}

static void set_slots(struct parser *p, struct slice v)
{
    struct manifest_cyclic *c = p->cyclic;
    struct slice item, rest = v;

    for (bool more = true; more;) {
        more = slice_cut(&rest, ',', &item);
        if (c->nr_slots == MANIFEST_SLOTS) {
            parser_error(p, "there are more than %u slots - remove some", MANIFEST_SLOTS);
            return;
        }
        if (!read_slot(p, slice_trim(more ? item : rest), &c->slots[c->nr_slots++]))
            return;
    }
}

const struct config_key config_cyclic_keys[CONFIG_CYCLIC_KEYS] = {
    { "cores", false, set_cores },
    { "frame", false, set_frame },
    { "slots", false, set_slots },
};
