/* SPDX-License-Identifier: MIT */
/* pith.conf: lists of partitions, which may name some that come later: read when all lines are known. */
#include "boot/config_parser.h"

void config_list_later(struct parser *p, struct slice v, u64 *bits)
{
    if (p->index == MANIFEST_NONE) /* of a spare partition or channel: there may be any number of them */
        return;
    p->lists[p->nr_lists++] = (struct config_list){ v, p->line, p->key, bits, p->section == SECTION_PARTITION ? p->part : NULL };
}

/* Among those that may stand in the list. */
static const char *nearest_partition(const struct manifest *m, const struct config_list *l, struct slice name)
{
    const char *names[MANIFEST_PARTITIONS];
    u32 n = 0;

    for (u32 i = 0; i < m->nr_partitions; i++) {
        if (&m->partitions[i] != l->self)
            names[n++] = m->partitions[i].name;
    }
    return slice_nearest(name, names, sizeof(*names), n);
}

/* Sets the bit of one name. */
static bool resolve_name(struct parser *p, const struct config_list *l, struct slice name)
{
    const struct manifest *m = &p->cfg->manifest;
    u32 i = config_partition_index(m, name);
    const char *near = nearest_partition(m, l, name);
    char quote[CONFIG_QUOTE];

    slice_quote(name, quote);
    if (name.len == 0)
        parser_error_at(p, l->line, "a name is missing in '%s' - write names with one comma between them, as in a, b", l->key);
    else if (slice_is(name, "*"))
        parser_error_at(p, l->line, l->self ? "* in '%s' stands for all others - write it alone" : "'%s' cannot be * - name partitions",
                        l->key);
    else if (i == m->nr_partitions && near)
        parser_error_at(p, l->line, "there is no partition '%s' - did you mean '%s'?", quote, near);
    else if (i == m->nr_partitions)
        parser_error_at(p, l->line, "there is no partition '%s' for '%s' - write names of partitions with commas between them", quote,
                        l->key);
    else if (&m->partitions[i] == l->self)
        parser_error_at(p, l->line, "'%s' is about other partitions - take '%s' itself out", l->key, quote);
    else if (*l->bits & BIT(i))
        parser_error_at(p, l->line, "'%s' stands twice in '%s' - keep one of the two", quote, l->key);
    else {
        *l->bits |= BIT(i);
        return true;
    }
    return false;
}

static bool resolve_names(struct parser *p, const struct config_list *l)
{
    struct slice name, rest = l->names;

    while (slice_cut(&rest, ',', &name)) {
        if (!resolve_name(p, l, slice_trim(name)))
            return false;
    }
    return resolve_name(p, l, slice_trim(rest));
}

void config_lists_resolve(struct parser *p)
{
    const struct manifest *m = &p->cfg->manifest;

    for (const struct config_list *l = p->lists; l < p->lists + p->nr_lists; l++) {
        bool all = l->self && slice_is(l->names, "*");

        /* After a mistake everybody, too: who was meant shall not be said to be missed. */
        if ((all || !resolve_names(p, l)) && l->self)
            *l->bits = (BIT(m->nr_partitions) - 1) & ~BIT(l->self - m->partitions);
    }
}
