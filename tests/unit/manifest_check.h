/* SPDX-License-Identifier: MIT */
/* The first mistake of a manifest as one line. */
#pragma once

#include "boot/manifest.h"
#include "hv/lib/fmt.h"

struct first {
    char *why;
    size_t size;
    bool found;
};

static inline void keep_first(void *ctx, const struct manifest_place *at, const char *text)
{
    struct first *first = ctx;

    if (!first->found)
        fmt_str(first->why, first->size, "pith.conf:%u: %s",
                at->part ? at->part->line : at->channel ? at->channel->line
                                        : at->cyclic    ? at->cyclic->line
                                                        : 1,
                text);
    first->found = true;
}

static inline enum pith_status manifest_check(const struct manifest *m, u32 nr_modules, u32 nr_cores, char *why, size_t why_size)
{
    struct first first = { why, why_size, false };

    why[0] = '\0';
    manifest_examine(m, nr_modules, nr_cores, keep_first, &first);
    return first.found ? PITH_E_ARG : PITH_OK;
}
