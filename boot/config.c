/* SPDX-License-Identifier: MIT */
/* pith.conf: its lines, sections and keys. Values: config_value.c. The whole: config_check.c. */
#include "boot/config.h"

#include "boot/config_parser.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

/* Kept sorted by line, so that the user reads them from top to bottom whatever found them. */
void parser_error_at(struct parser *p, u32 line, const char *fmt, ...)
{
    struct config *cfg = p->cfg;
    u32 i = MIN(cfg->nr_errors, CONFIG_ERRORS);
    va_list ap;

    cfg->nr_errors++;
    while (i > 0 && cfg->errors[i - 1].line > line) {
        if (i < CONFIG_ERRORS)
            cfg->errors[i] = cfg->errors[i - 1];
        i--;
    }
    if (i == CONFIG_ERRORS)
        return;
    cfg->errors[i].line = line;
    va_start(ap, fmt);
    fmt_vstr(cfg->errors[i].text, CONFIG_ERROR_TEXT, fmt, ap);
    va_end(ap);
}

static void partition_defaults(struct parser *p)
{
    struct manifest_partition *part = p->part;

    part->line = p->line;
    part->image = MANIFEST_NONE;
    part->initrd = MANIFEST_NONE;
    part->vcpus = 1;
    part->weight = 100;
    part->memory = MIB(64);
    part->restart = MANIFEST_RESTART_NEVER;
}

/* After a mistake in the header the keys below it are still checked, into a spare partition. */
static void partition_begin(struct parser *p, bool spare)
{
    struct config *cfg = p->cfg;
    u32 i = spare ? MANIFEST_PARTITIONS : cfg->manifest.nr_partitions++;

    p->section = SECTION_PARTITION;
    p->index = spare ? MANIFEST_NONE : i;
    p->part = spare ? &p->spare : &cfg->manifest.partitions[i];
    p->lines = cfg->key_lines[i];
    memset(p->part, 0, sizeof(*p->part));
    memset(p->lines, 0, sizeof(cfg->key_lines[i]));
    partition_defaults(p);
}

static void channel_begin(struct parser *p, bool spare)
{
    struct config *cfg = p->cfg;
    u32 i = spare ? MANIFEST_CHANNELS : cfg->manifest.nr_channels++;

    p->section = SECTION_CHANNEL;
    p->index = spare ? MANIFEST_NONE : i;
    p->channel = spare ? &p->spare_channel : &cfg->manifest.channels[i];
    p->lines = cfg->channel_lines[i];
    memset(p->channel, 0, sizeof(*p->channel));
    memset(p->lines, 0, sizeof(cfg->channel_lines[i]));
    p->channel->line = p->line;
}

static void cyclic_begin(struct parser *p, bool spare)
{
    struct config *cfg = p->cfg;
    u32 i = spare ? MANIFEST_CYCLICS : cfg->manifest.nr_cyclics++;

    p->section = SECTION_CYCLIC;
    p->index = spare ? MANIFEST_NONE : i;
    p->cyclic = spare ? &p->spare_cyclic : &cfg->manifest.cyclics[i];
    p->lines = cfg->cyclic_lines[i];
    memset(p->cyclic, 0, sizeof(*p->cyclic));
    memset(p->lines, 0, sizeof(cfg->cyclic_lines[i]));
    p->cyclic->line = p->line;
}

/* True when a new section of this kind may have this name. @same: the line of the one that has it, or 0. */
static bool name_check(struct parser *p, const char *kind, struct slice name, u32 same, u32 n, u32 most)
{
    char quote[CONFIG_QUOTE];

    slice_quote(name, quote);
    if (name.len == 0)
        parser_error(p, "this %s has no name - write [%s NAME]", kind, kind);
    else if (!config_partition_name(name))
        parser_error(p, "%s name '%s' is not 1 to 15 of a-z, 0-9 and '-' - rename it", kind, quote);
    else if (slice_is(name, "pith") || slice_is(name, "monitor"))
        parser_error(p, "the name '%s' marks Pith's own lines - rename the %s", quote, kind);
    else if (same)
        parser_error(p, "%s '%s' is on line %u already - rename one of the two", kind, quote, same);
    else if (n == most)
        parser_error(p, "there are more than %u %ss - remove '%s'", most, kind, quote);
    else
        return true;
    return false;
}

static void section_partition(struct parser *p, struct slice name)
{
    const struct manifest *m = &p->cfg->manifest;
    u32 i = config_partition_index(m, name);
    bool good = name_check(p, "partition", name, i < m->nr_partitions ? m->partitions[i].line : 0, m->nr_partitions,
                           MANIFEST_PARTITIONS);

    partition_begin(p, !good);
    if (good)
        memcpy(p->part->name, name.at, name.len);
}

static void section_channel(struct parser *p, struct slice name)
{
    /* Whether another has the name is seen when the manifest is examined: nothing is looked up by it. */
    bool good = name_check(p, "channel", name, 0, p->cfg->manifest.nr_channels, MANIFEST_CHANNELS);

    channel_begin(p, !good);
    if (good)
        memcpy(p->channel->name, name.at, name.len);
}

static void section_cyclic(struct parser *p, struct slice name)
{
    bool good = name_check(p, "cyclic", name, 0, p->cfg->manifest.nr_cyclics, MANIFEST_CYCLICS);

    cyclic_begin(p, !good);
    if (good)
        memcpy(p->cyclic->name, name.at, name.len);
}

static void section_pith(struct parser *p)
{
    p->section = SECTION_PITH;
    p->lines = p->pith_lines;
}

static void parse_section(struct parser *p, struct slice s)
{
    char quote[CONFIG_QUOTE];
    struct slice word, rest = { s.at + 1, s.len - 1 };

    p->section = SECTION_SKIPPED;
    if (!slice_cut(&rest, ']', &word) || slice_trim(rest).len) {
        parser_error(p, "'%s' is not a section - write [pith], [partition NAME], [channel NAME] or [cyclic NAME]",
                     slice_quote(s, quote));
        return;
    }
    rest = slice_trim(word);
    for (word = rest; rest.len && *rest.at != ' ' && *rest.at != '\t'; rest.at++)
        rest.len--;
    word.len -= rest.len;
    if (slice_is(word, "pith") && rest.len == 0)
        section_pith(p);
    else if (slice_is(word, "partition"))
        section_partition(p, slice_trim(rest));
    else if (slice_is(word, "channel"))
        section_channel(p, slice_trim(rest));
    else if (slice_is(word, "cyclic"))
        section_cyclic(p, slice_trim(rest));
    else
        parser_error(
            p, "there is no section '[%s]' - write [pith], [partition NAME], [channel NAME] or [cyclic NAME]",
            slice_quote(slice_trim((struct slice){ word.at, word.len + rest.len }), quote));
}

static const struct key_table {
    const struct config_key *keys;
    u32 n;
    const char *owner, *move;
} key_tables[SECTIONS] = {
    [SECTION_PITH] = { config_pith_keys, CONFIG_PITH_KEYS, "[pith]", "move it there" },
    [SECTION_PARTITION] = { config_partition_keys, CONFIG_KEYS, "a partition", "move it below a [partition NAME] line" },
    [SECTION_CHANNEL] = { config_channel_keys, CONFIG_CHANNEL_KEYS, "a channel", "move it below a [channel NAME] line" },
    [SECTION_CYCLIC] = { config_cyclic_keys, CONFIG_CYCLIC_KEYS, "a cyclic frame", "move it below a [cyclic NAME] line" },
};

static u32 key_find(const struct key_table *s, struct slice name)
{
    u32 i = 0;

    while (i < s->n && !slice_is(name, s->keys[i].name))
        i++;
    return i;
}

static void list_keys(const struct key_table *s, char *buf, size_t size)
{
    size_t len = 0;

    for (u32 i = 0; i < s->n; i++)
        len += fmt_str(buf + len, size - len, "%s%s", i == 0 ? "" : i + 1 < s->n ? ", " : " and ", s->keys[i].name);
}

static void unknown_key(struct parser *p, struct slice name)
{
    const struct key_table *s = &key_tables[p->section];
    const char *near = slice_nearest(name, s->keys, sizeof(*s->keys), s->n);
    char quote[CONFIG_QUOTE], all[CONFIG_ERROR_TEXT];

    slice_quote(name, quote);
    for (const struct key_table *other = key_tables; other < key_tables + SECTIONS; other++) {
        if (key_find(other, name) < other->n) {
            parser_error(p, "'%s' belongs to %s - %s", quote, other->owner, other->move);
            return;
        }
    }
    list_keys(s, all, sizeof(all));
    if (near)
        parser_error(p, "there is no key '%s' - did you mean '%s'?", quote, near);
    else
        parser_error(p, "there is no key '%s' - %s has %s", quote, s->owner, all);
}

/*
 * A number sign after white space begins a comment, but not in a command line: kernels may want it.
 */
static struct slice strip_comment(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '#' && (i == 0 || s.at[i - 1] == ' ' || s.at[i - 1] == '\t'))
            return slice_trim((struct slice){ s.at, i });
    }
    return s;
}

static void set_key(struct parser *p, const struct config_key *key, u32 *given, struct slice value)
{
    p->key = key->name;
    if (*given) {
        parser_error(p, "'%s' was given on line %u already - keep one of the two", key->name,
                     *given);
        return;
    }
    *given = p->line;
    if (!key->verbatim)
        value = strip_comment(value);
    if (value.len == 0 && !key->verbatim)
        parser_error(p, "'%s' has no value - write one after the = or remove the line", key->name);
    else
        key->set(p, value);
}

static void parse_key(struct parser *p, struct slice s)
{
    const struct key_table *keys = &key_tables[p->section];
    struct slice name, value = s;
    char quote[CONFIG_QUOTE];
    u32 i;

    if (!slice_cut(&value, '=', &name)) {
        parser_error(p, "'%s' is not KEY = VALUE - write it so, or put # before a comment",
                     slice_quote(s, quote));
        return;
    }
    name = slice_trim(name);
    i = key_find(keys, name);
    if (i == keys->n)
        unknown_key(p, name);
    else
        set_key(p, &keys->keys[i], &p->lines[i], slice_trim(value));
}

/*
 * White space apart, control characters mean that this is no text: a damaged file, or not the file
 * that was meant.
 */
static bool line_is_text(struct parser *p, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        u8 c = (u8)s.at[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            parser_error(p, "byte 0x%02x at column %lu is not text - remove it", c, i + 1);
            return false;
        }
    }
    return true;
}

static void parse_line(struct parser *p, struct slice s)
{
    p->line++;
    if (s.len && s.at[s.len - 1] == '\r')
        s.len--;
    s = slice_trim(s);
    if (s.len == 0 || *s.at == '#' || !line_is_text(p, s))
        return;
    if (*s.at == '[') {
        parse_section(p, strip_comment(s));
    } else if (p->section == SECTION_NONE) {
        parser_error(
            p, "this line stands before any section - write [pith], [partition NAME], [channel NAME] or [cyclic NAME] above it");
        p->section = SECTION_SKIPPED;
    } else if (p->section != SECTION_SKIPPED) {
        parse_key(p, s);
    }
}

static void parse_text(struct parser *p, struct slice text)
{
    struct slice line;

    if (text.len >= 3 && (u8)text.at[0] == 0xef && (u8)text.at[1] == 0xbb && (u8)text.at[2] == 0xbf)
        text = (struct slice){ text.at + 3,
                               text.len - 3 }; /* byte order mark, as Windows editors write it */
    while (slice_cut(&text, '\n', &line))
        parse_line(p, line);
    if (text.len)
        parse_line(p, text);
}

static bool is_utf16(struct slice s)
{
    u8 a = s.len >= 2 ? (u8)s.at[0] : 0, b = s.len >= 2 ? (u8)s.at[1] : 0;

    return (a == 0xff && b == 0xfe) || (a == 0xfe && b == 0xff);
}

bool config_parse(struct config *cfg, const char *text, size_t size)
{
    struct parser p = { .cfg = cfg };
    struct slice all = { text, size };

    memset(cfg, 0, sizeof(*cfg));
    cfg->manifest.magic = MANIFEST_MAGIC;
    cfg->manifest.version = MANIFEST_VERSION;
    cfg->manifest.size = sizeof(cfg->manifest);
    cfg->manifest.focus = MANIFEST_NONE;
    cfg->manifest.poweroff = MANIFEST_POWEROFF_NEVER;
    cfg->manifest.log_level = 2;
    if (is_utf16(all)) {
        parser_error_at(&p, 1, "the file is UTF-16 - save it as UTF-8 or plain text");
        return false;
    }
    parse_text(&p, all);
    config_lists_resolve(&p);
    config_slots_resolve(&p);
    config_check(&p);
    return cfg->nr_errors == 0;
}
