/* SPDX-License-Identifier: MIT */
/* A manifest with partitions on lines 10, 20 and so on, that must be good, or bad with a line and words. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/manifest_check.h"

static struct manifest m;
static char why[256];

static inline struct manifest_partition *add(const char *name)
{
    struct manifest_partition *p = &m.partitions[m.nr_partitions++];

    strcpy(p->name, name);
    p->line = 10 * m.nr_partitions;
    p->initrd = MANIFEST_NONE;
    p->vcpus = 1;
    p->weight = 100;
    p->memory = MIB(64);
    return p;
}

static inline int fresh(void **state)
{
    (void)state;
    memset(&m, 0, sizeof(m));
    m.magic = MANIFEST_MAGIC;
    m.version = MANIFEST_VERSION;
    m.size = sizeof(m);
    add("a");
    return 0;
}

#define A (&m.partitions[0])

static inline void no_mistake(void *ctx, const struct manifest_place *at, const char *text)
{
    (void)ctx;
    fail_msg("%s: %s", at->key, text);
}

static inline void expect_good(u32 nr_cores)
{
    manifest_examine(&m, 4, nr_cores, no_mistake, NULL);
}

static inline void expect_bad(u32 nr_cores, const char *line, const char *words)
{
    assert_int_equal(manifest_check(&m, 4, nr_cores, why, sizeof(why)), PITH_E_ARG);
    if (strncmp(why, line, strlen(line)) || !strstr(why, words) || !strstr(why, " - "))
        fail_msg("said '%s', wanted '%s ... %s'", why, line, words);
}
