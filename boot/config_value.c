/* SPDX-License-Identifier: MIT */
/*
 * pith.conf: one function per key that turns its value into the manifest, and the tables of
 * keys.
 */
#include "boot/config_parser.h"

#include "hv/lib/string.h"
#include "boot/manifest.h"

struct choice {
    const char *word;
    u32 value;
};

/* The value of the word that @v is; @fallback after a mistake. */
static u32 choose(struct parser *p, struct slice v, const struct choice *choices, u32 n,
                  const char *words)
{
    const char *near = slice_nearest(v, choices, sizeof(*choices), n);
    char quote[CONFIG_QUOTE];

    for (u32 i = 0; i < n; i++) {
        if (slice_is(v, choices[i].word))
            return choices[i].value;
    }
    slice_quote(v, quote);
    if (near)
        parser_error(p, "'%s' is no value of '%s' - did you mean '%s'?", quote, p->key, near);
    else
        parser_error(p, "'%s' is no value of '%s' - write %s", quote, p->key, words);
    return choices[0].value;
}

static bool choose_yes(struct parser *p, struct slice v)
{
    static const struct choice choices[] = { { "no", 0 }, { "yes", 1 } };

    return choose(p, v, choices, ARRAY_SIZE(choices), "yes or no") != 0;
}

bool config_partition_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return s.len >= 1 && s.len < sizeof(((struct manifest_partition *)NULL)->name);
}

static void set_pith_focus(struct parser *p, struct slice v)
{
    char quote[CONFIG_QUOTE];

    if (config_partition_name(v))
        p->focus_name = v;
    else
        parser_error(p, "'%s' is not the name of a partition - write the name of one of them",
                     slice_quote(v, quote));
}

static void set_poweroff(struct parser *p, struct slice v)
{
    static const struct choice choices[] = {
        { "never", MANIFEST_POWEROFF_NEVER },
        { "when-done", MANIFEST_POWEROFF_WHEN_DONE },
    };

    p->cfg->manifest.poweroff = choose(p, v, choices, ARRAY_SIZE(choices), "never or when-done");
}

static void set_log(struct parser *p, struct slice v)
{
    static const struct choice choices[] = {
        { "info", 2 }, { "error", 0 }, { "warn", 1 }, { "debug", 3 }
    };

    p->cfg->manifest.log_level = choose(p, v, choices, ARRAY_SIZE(choices),
                                        "error, warn, info or debug");
}

static void set_cmdline(struct parser *p, struct slice v)
{
    u32 quotes = 0;

    for (size_t i = 0; i < v.len; i++)
        quotes += v.at[i] == '"';
    if (quotes == 2 && v.at[0] == '"' && v.at[v.len - 1] == '"')
        parser_error(p, "quotes around the command line would become part of it - remove them");
    else if (v.len >= sizeof(p->part->cmdline))
        parser_error(p, "the command line has %lu bytes - shorten it to %lu", v.len,
                     sizeof(p->part->cmdline) - 1);
    else
        memcpy(p->part->cmdline, v.at, v.len);
}

/* Bytes that one of the unit stands for, or 0. */
static u64 unit_size(char c)
{
    switch (c) {
    case 'K':
    case 'k':
        return KIB(1);
    case 'M':
    case 'm':
        return MIB(1);
    case 'G':
    case 'g':
        return GIB(1);
    default:
        return 0;
    }
}

/* What a size may be; its bounds also as the user writes them. */
struct size_rule {
    u64 least, most, granule;
    const char *least_text, *most_text, *granule_text, *example;
    char unit; /* in which the next larger one is told */
};

/* 0 after a mistake. */
static u64 read_size(struct parser *p, struct slice v, const struct size_rule *rule)
{
    struct slice digits = { v.at, v.len - 1 };
    u64 unit = unit_size(v.at[v.len - 1]);
    char quote[CONFIG_QUOTE];
    u64 n;

    slice_quote(v, quote);
    if (!unit && slice_number(v, &n))
        parser_error(p, "%s = %s has no unit - write K, M or G after the number, as in %s", p->key, quote, rule->example);
    else if (!unit || !slice_number(digits, &n))
        parser_error(p, "'%s' is not a size - write a number and K, M or G, as in %s", quote, rule->example);
    else if (n > rule->most / unit)
        parser_error(p, "%s = %s is too large - the most is %s", p->key, quote, rule->most_text);
    else if (n * unit < rule->least)
        parser_error(p, "%s = %s is too small - the least is %s", p->key, quote, rule->least_text);
    else if (n * unit % rule->granule)
        parser_error(p, "%s = %s is not %s - write %lu%c", p->key, quote, rule->granule_text,
                     (n * unit + rule->granule - 1) / rule->granule * (rule->granule / unit_size(rule->unit)), rule->unit);
    else
        return n * unit;
    return 0;
}

static void set_memory(struct parser *p, struct slice v)
{
    static const struct size_rule rule = {
        MANIFEST_MEMORY_MIN, MANIFEST_MEMORY_MAX, MIB(1), "1M", "1024G", "a whole number of megabytes", "64M", 'M'
    };
    u64 size = read_size(p, v, &rule);

    if (size)
        p->part->memory = size;
}

static void set_size(struct parser *p, struct slice v)
{
    static const struct size_rule rule = { PAGE_SIZE, MANIFEST_CHANNEL_MAX, PAGE_SIZE, "4K", "64M", "whole pages of 4K", "64K", 'K' };

    p->channel->size = read_size(p, v, &rule);
}

static void set_create(struct parser *p, struct slice v)
{
    static const struct choice choices[] = { { "at-boot", 0 }, { "on-request", MANIFEST_ON_REQUEST } };

    p->part->flags |= choose(p, v, choices, ARRAY_SIZE(choices), "at-boot or on-request");
}

static void set_may_manage(struct parser *p, struct slice v) { config_list_later(p, v, &p->part->may.manage); }
static void set_may_signal(struct parser *p, struct slice v) { config_list_later(p, v, &p->part->may.signal); }
static void set_may_call(struct parser *p, struct slice v) { config_list_later(p, v, &p->part->may.call); }
static void set_may_share(struct parser *p, struct slice v) { config_list_later(p, v, &p->part->may.share); }
static void set_writers(struct parser *p, struct slice v) { config_list_later(p, v, &p->channel->writers); }
static void set_readers(struct parser *p, struct slice v) { config_list_later(p, v, &p->channel->readers); }

#define TRACE_YES KIB(256) /* bytes a core */

/* 0: not a size of a ring. */
static u64 trace_size(struct slice v)
{
    u64 unit = v.len ? unit_size(v.at[v.len - 1]) : 0, n;

    if (slice_is(v, "yes"))
        return TRACE_YES;
    if (!unit || !slice_number((struct slice){ v.at, v.len - 1 }, &n) || n > MANIFEST_TRACE_MAX / unit)
        return 0;
    n *= unit;
    return n >= MANIFEST_TRACE_MIN && !(n & (n - 1)) ? n : 0;
}

/* "no", or a size and perhaps "rip". */
static void set_trace(struct parser *p, struct slice v)
{
    struct slice size, rest = v;
    char quote[CONFIG_QUOTE];
    bool rip = slice_cut(&rest, ' ', &size);
    u64 n;

    if (slice_is(v, "no"))
        return;
    n = trace_size(rip ? size : v);
    if (n && (!rip || slice_is(slice_trim(rest), "rip")))
        p->cfg->manifest.trace = (u32)n | (rip ? MANIFEST_TRACE_RIP : 0);
    else
        parser_error(p, "trace = %s says no size of a ring - write no, yes, or 4K, 8K, 16K and so on to 16M, and rip behind it for "
                        "where guests were",
                     slice_quote(v, quote));
}

static void set_vcpus(struct parser *p, struct slice v)
{
    char quote[CONFIG_QUOTE];
    u64 n;

    slice_quote(v, quote);
    if (!slice_number(v, &n))
        parser_error(p, "'%s' is not a number - write how many vCPUs, 1 to %u", quote,
                     MANIFEST_VCPUS_MAX);
    else if (n < 1 || n > MANIFEST_VCPUS_MAX)
        parser_error(p, "vcpus = %s is out of range - write 1 to %u", quote, MANIFEST_VCPUS_MAX);
    else
        p->part->vcpus = (u32)n;
}

/*
 * Takes the next "A" or "A-B" of a list with commas. False at its end, and after a mistake: @max is
 * the largest number and @example shows how a list looks.
 */
static bool next_range(struct parser *p, struct slice *list, u64 max, const char *example,
                       struct manifest_range *r)
{
    struct slice item, first, last;
    char quote[CONFIG_QUOTE];

    if (list->len == 0)
        return false;
    if (!slice_cut(list, ',', &item)) {
        item = *list;
        list->len = 0;
    }
    last = item = slice_trim(item);
    if (!slice_cut(&last, '-', &first))
        first = last;
    slice_quote(item, quote);
    if (!slice_number(slice_trim(first), &r->first) || !slice_number(slice_trim(last), &r->last))
        parser_error(p, "'%s' in '%s' is not a number or a range - write it as in %s", quote,
                     p->key, example);
    else if (r->first > r->last)
        parser_error(p, "the range %s ends before it begins - write the lower number first", quote);
    else if (r->last > max)
        parser_error(p, "%s is out of range for '%s' - the highest is 0x%lx (%lu)", quote, p->key,
                     max, max);
    else
        return true;
    return false;
}

void config_read_cores(struct parser *p, struct slice v, u64 cores[MANIFEST_CORES / 64])
{
    struct manifest_range r;

    while (next_range(p, &v, MANIFEST_CORES - 1, "0 or 1-3 or 0, 2", &r)) {
        for (u64 core = r.first; core <= r.last; core++)
            cores[core / 64] |= BIT(core % 64);
    }
}

static void set_cores(struct parser *p, struct slice v)
{
    p->part->flags |= MANIFEST_CORES_GIVEN;
    config_read_cores(p, v, p->part->cores);
}

static void set_dedicated(struct parser *p, struct slice v)
{
    if (choose_yes(p, v))
        p->part->flags |= MANIFEST_DEDICATED;
}

static void set_cap(struct parser *p, struct slice v)
{
    if (choose_yes(p, v))
        p->part->flags |= MANIFEST_CAPPED;
}

static void set_focus(struct parser *p, struct slice v)
{
    if (!choose_yes(p, v))
        return;
    if (p->focus_line)
        parser_error(p, "line %u gives the focus to another partition - keep one of the two",
                     p->focus_line);
    p->focus_line = p->line;
    p->focus_index = p->index;
}

static void set_restart(struct parser *p, struct slice v)
{
    static const struct choice choices[] = {
        { "never", MANIFEST_RESTART_NEVER },
        { "on-failure", MANIFEST_RESTART_ON_FAILURE },
        { "always", MANIFEST_RESTART_ALWAYS },
    };

    p->part->restart = choose(p, v, choices, ARRAY_SIZE(choices), "never, on-failure or always");
}

static void set_strict(struct parser *p, struct slice v)
{
    if (choose_yes(p, v))
        p->part->flags |= MANIFEST_STRICT;
}

static void set_kvm(struct parser *p, struct slice v)
{
    if (!choose_yes(p, v))
        p->part->flags |= MANIFEST_NO_KVM;
}

static void set_smt(struct parser *p, struct slice v)
{
    static const struct choice choices[] = { { "own", 0 }, { "share", MANIFEST_SMT_SHARE } };

    p->part->flags |= choose(p, v, choices, ARRAY_SIZE(choices), "own or share");
}

static void set_dma(struct parser *p, struct slice v)
{
    static const struct choice choices[] = { { "no", 0 }, { "trusted", MANIFEST_DMA_TRUSTED } };

    p->part->flags |= choose(p, v, choices, ARRAY_SIZE(choices), "no or trusted");
}

static bool too_many(struct parser *p, u32 n)
{
    if (n == MANIFEST_RANGES)
        parser_error(p, "'%s' has more than %u entries - remove some", p->key, MANIFEST_RANGES);
    return n == MANIFEST_RANGES;
}

static void set_ports(struct parser *p, struct slice v)
{
    struct manifest_partition *part = p->part;
    struct manifest_range r;

    while (next_range(p, &v, 0xffff, "0x2f8-0x2ff, 0x220", &r) && !too_many(p, part->nr_ports))
        part->ports[part->nr_ports++] = r;
}

static void set_mmio(struct parser *p, struct slice v)
{
    struct manifest_partition *part = p->part;
    struct manifest_range r;

    while (next_range(p, &v, MANIFEST_MMIO_MAX, "0xfe000000-0xfe000fff", &r) &&
           !too_many(p, part->nr_mmio)) {
        u64 first = r.first & ~PAGE_MASK, last = r.last | PAGE_MASK;

        if (first != r.first || last != r.last)
            parser_error(p, "mmio 0x%lx-0x%lx is not whole pages of 4K - write 0x%lx-0x%lx",
                         r.first, r.last, first, last);
        else
            part->mmio[part->nr_mmio++] = r;
    }
}

static void set_irqs(struct parser *p, struct slice v)
{
    struct manifest_partition *part = p->part;
    struct manifest_range r;

    while (next_range(p, &v, MANIFEST_IRQ_MAX, "3, 4", &r)) {
        for (u64 irq = r.first; irq <= r.last; irq++) {
            if (too_many(p, part->nr_irqs))
                return;
            part->irqs[part->nr_irqs++] = (u32)irq;
        }
    }
}

const struct config_key config_pith_keys[CONFIG_PITH_KEYS] = {
    { "focus", false, set_pith_focus },
    { "poweroff", false, set_poweroff },
    { "log", false, set_log },
    { "trace", false, set_trace },
    { "serial", false, config_set_serial },
};

const struct config_key config_partition_keys[CONFIG_KEYS] = {
    { "image", false, config_set_image },
    { "initrd", false, config_set_initrd },
    { "modules", false, config_set_modules },
    { "cmdline", true, set_cmdline },
    { "memory", false, set_memory },
    { "vcpus", false, set_vcpus },
    { "cores", false, set_cores },
    { "dedicated", false, set_dedicated },
    { "weight", false, config_set_weight },
    { "entitlement", false, config_set_entitlement },
    { "cap", false, set_cap },
    { "period", false, config_set_period },
    { "budget", false, config_set_budget },
    { "focus", false, set_focus },
    { "restart", false, set_restart },
    { "strict", false, set_strict },
    { "kvm", false, set_kvm },
    { "smt", false, set_smt },
    { "ports", false, set_ports },
    { "mmio", false, set_mmio },
    { "irqs", false, set_irqs },
    { "dma", false, set_dma },
    { "create", false, set_create },
    { "may-manage", false, set_may_manage },
    { "may-signal", false, set_may_signal },
    { "may-call", false, set_may_call },
    { "may-share", false, set_may_share },
};

const struct config_key config_channel_keys[CONFIG_CHANNEL_KEYS] = {
    { "size", false, set_size },
    { "writers", false, set_writers },
    { "readers", false, set_readers },
};
