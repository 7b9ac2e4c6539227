/* SPDX-License-Identifier: MIT */
/* pith.conf: the files that it names, and what can only be said when all of it was read. */
#include "boot/config_parser.h"

#include "hv/lib/string.h"
#include "boot/manifest.h"

/*
 * Letters that FAT cannot store, that separate names, or that a UEFI path takes for something else.
 */
static bool file_name_byte(char c)
{
    static const char refused[] = "\\:*?\"<>|,";

    for (u32 i = 0; refused[i]; i++) {
        if (c == refused[i])
            return false;
    }
    return c > ' ' && c <= '~';
}

static bool file_name_check(struct parser *p, struct slice name)
{
    char quote[CONFIG_QUOTE];

    slice_quote(name, quote);
    if (name.len >= CONFIG_FILE_NAME) {
        parser_error(p, "the file name '%s' has %lu bytes - shorten it to %u", quote, name.len,
                     CONFIG_FILE_NAME - 1);
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!file_name_byte(name.at[i])) {
            parser_error(
                p,
                "'%s' is not a file name: '%c' at its byte %lu is not allowed - rename the file "
                "(directories are separated by /)",
                quote, name.at[i] >= ' ' && name.at[i] <= '~' ? name.at[i] : '?', i + 1);
            return false;
        }
    }
    return true;
}

u32 config_file_index(struct parser *p, struct slice name)
{
    struct config *cfg = p->cfg;

    while (name.len > 1 && *name.at == '/')
        name = (struct slice){ name.at + 1, name.len - 1 };
    if (!file_name_check(p, name))
        return MANIFEST_NONE;
    for (u32 i = 0; i < cfg->nr_files; i++) {
        if (slice_is(name, cfg->files[i].name))
            return i;
    }
    if (p->index == MANIFEST_PARTITIONS) /* a spare partition's files are never read: do not let
                                            them fill the table */
        return MANIFEST_NONE;
    memcpy(cfg->files[cfg->nr_files].name, name.at, name.len);
    cfg->files[cfg->nr_files].line = p->line;
    return cfg->nr_files++;
}

static bool same_word(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static u32 partition_index(const struct manifest *m, const char *name)
{
    u32 i = 0;

    while (i < m->nr_partitions && !same_word(name, m->partitions[i].name))
        i++;
    return i;
}

static void check_focus(struct parser *p)
{
    struct manifest *m = &p->cfg->manifest;
    u32 line = p->pith_lines[0]; /* of [pith] focus, the first key of its table */
    u32 i = partition_index(m, p->focus_name);

    if (m->nr_partitions)
        m->focus = 0;
    if (p->focus_line && p->focus_index < m->nr_partitions)
        m->focus = p->focus_index;
    if (!p->focus_name[0])
        return;
    if (i == m->nr_partitions)
        parser_error_at(p, line,
                        "there is no partition '%s' to give the focus to - correct the name",
                        p->focus_name);
    else if (p->focus_line && p->focus_index != i)
        parser_error_at(p, p->focus_line, "line %u gives the focus to '%s' - keep one of the two",
                        line, p->focus_name);
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

u32 config_line(const struct config *cfg, const struct manifest_partition *part, const char *key)
{
    for (u32 i = 0; part && i < CONFIG_KEYS; i++) {
        u32 given = cfg->key_lines[part - cfg->manifest.partitions][i];

        if (given && same_word(config_partition_keys[i].name, key))
            return given;
    }
    return part ? part->line : 1;
}

static void on_mistake(void *ctx, const struct manifest_partition *part, const char *key,
                       const char *text)
{
    struct parser *p = ctx;
    u32 line = config_line(p->cfg, part, key);

    if (part && line != part->line && line_has_error(p->cfg, line))
        return; /* a line that could not be read left a default behind: one mistake is enough */
    parser_error_at(p, line, "%s", text);
}

void config_check(struct parser *p)
{
    check_focus(p);
    manifest_examine(&p->cfg->manifest, p->cfg->nr_files, MANIFEST_CORES, on_mistake, p);
}
