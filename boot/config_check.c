/* SPDX-License-Identifier: MIT */
/* pith.conf: what can only be said when all of it was read. */
#include "boot/config_parser.h"

#include "boot/manifest.h"

static bool same_word(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

u32 config_partition_index(const struct manifest *m, struct slice name)
{
    u32 i = 0;

    while (i < m->nr_partitions && !slice_is(name, m->partitions[i].name))
        i++;
    return i;
}

/* The first that is there at the start. */
static u32 default_focus(const struct manifest *m)
{
    for (u32 i = 0; i < m->nr_partitions; i++) {
        if (!(m->partitions[i].flags & MANIFEST_ON_REQUEST))
            return i;
    }
    return 0;
}

static void check_focus(struct parser *p)
{
    struct manifest *m = &p->cfg->manifest;
    u32 line = p->pith_lines[0]; /* of [pith] focus, the first key of its table */
    u32 i = config_partition_index(m, p->focus_name);
    char quote[CONFIG_QUOTE];

    if (m->nr_partitions)
        m->focus = default_focus(m);
    if (p->focus_line && p->focus_index < m->nr_partitions)
        m->focus = p->focus_index;
    if (!p->focus_name.len)
        return;
    slice_quote(p->focus_name, quote);
    if (i == m->nr_partitions)
        parser_error_at(p, line,
                        "there is no partition '%s' to give the focus to - correct the name",
                        quote);
    else if (p->focus_line && p->focus_index != i)
        parser_error_at(p, p->focus_line, "line %u gives the focus to '%s' - keep one of the two",
                        line, quote);
    else
        m->focus = i;
}

static bool line_has_error(const struct config *cfg, u32 line)
{
    for (u32 i = 0; i < MIN(cfg->nr_errors, CONFIG_ERRORS); i++) {
        if (cfg->errors[i].line == line)
            return true;
    }
    return false;
}

/* Of that key among those of a section; 0: not given. */
static u32 key_line(const u32 *lines, const struct config_key *keys, u32 n, const char *key)
{
    for (u32 i = 0; i < n; i++) {
        if (same_word(keys[i].name, key))
            return lines[i];
    }
    return 0;
}

u32 config_line(const struct config *cfg, const struct manifest_place *at)
{
    const struct manifest *m = &cfg->manifest;
    u32 line = 0;

    if (at->part)
        line = key_line(cfg->key_lines[at->part - m->partitions], config_partition_keys, CONFIG_KEYS, at->key);
    else if (at->channel)
        line = key_line(cfg->channel_lines[at->channel - m->channels], config_channel_keys, CONFIG_CHANNEL_KEYS, at->key);
    else if (at->cyclic)
        line = key_line(cfg->cyclic_lines[at->cyclic - m->cyclics], config_cyclic_keys, CONFIG_CYCLIC_KEYS, at->key);
    if (line)
        return line;
    return at->part ? at->part->line : at->channel ? at->channel->line : at->cyclic ? at->cyclic->line : 1;
}

/* True when a line that could not be read left a default behind: one mistake is enough. */
static bool told_already(const struct config *cfg, const struct manifest_place *at)
{
    u32 line = config_line(cfg, at);
    const u32 *lines = at->channel  ? cfg->channel_lines[at->channel - cfg->manifest.channels]
                       : at->cyclic ? cfg->cyclic_lines[at->cyclic - cfg->manifest.cyclics]
                                    : NULL;

    _Static_assert(CONFIG_CHANNEL_KEYS == CONFIG_CYCLIC_KEYS, "one loop");
    if (at->part)
        return line != at->part->line && line_has_error(cfg, line);
    for (u32 i = 0; lines && i < CONFIG_CHANNEL_KEYS; i++) {
        if (lines[i] && line_has_error(cfg, lines[i]))
            return true;
    }
    return false;
}

static void on_mistake(void *ctx, const struct manifest_place *at, const char *text)
{
    struct parser *p = ctx;

    if (!told_already(p->cfg, at))
        parser_error_at(p, config_line(p->cfg, at), "%s", text);
}

void config_check(struct parser *p)
{
    check_focus(p);
    manifest_examine(&p->cfg->manifest, p->cfg->nr_files, MANIFEST_CORES, on_mistake, p);
}
