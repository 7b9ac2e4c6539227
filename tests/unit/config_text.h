/* SPDX-License-Identifier: MIT */
/* Texts of pith.conf that must be understood, or refused with a line and words. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/config.h"

static struct config cfg;

/* From memory of exactly that size, so that the sanitizer sees a byte read too far. */
static inline bool parse_bytes(const void *text, size_t size)
{
    char *exact = malloc(size);
    bool good;

    memcpy(exact, text, size);
    memset(&cfg, 0xee, sizeof(cfg));
    good = config_parse(&cfg, exact, size);
    free(exact);
    assert_int_equal(good, cfg.nr_errors == 0);
    for (u32 i = 0; i < MIN(cfg.nr_errors, CONFIG_ERRORS); i++) {
        assert_non_null(strstr(cfg.errors[i].text, " - ")); /* what is wrong - what to do */
        assert_true(cfg.errors[i].line > 0);
        assert_true(i == 0 || cfg.errors[i - 1].line <= cfg.errors[i].line);
    }
    return good;
}

static inline bool parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static inline void expect_good(const char *text)
{
    if (!parse(text))
        fail_msg("line %u: %s", cfg.errors[0].line, cfg.errors[0].text);
}

/* One mistake, on that line, with these words. */
static inline void expect_bad(const char *text, u32 line, const char *words)
{
    assert_false(parse(text));
    if (cfg.nr_errors != 1 || cfg.errors[0].line != line || !strstr(cfg.errors[0].text, words))
        fail_msg("%u mistakes, first in line %u: %s; wanted line %u: %s", cfg.nr_errors,
                 cfg.errors[0].line, cfg.errors[0].text, line, words);
}

/* The same for one line in an otherwise good partition: it is the third. */
static inline void expect_bad_line(const char *line, const char *words)
{
    char text[4096];

    snprintf(text, sizeof(text), "[partition a]\nimage = x\n%s\n", line);
    expect_bad(text, 3, words);
}

static inline const struct manifest_partition *part(u32 i)
{
    return &cfg.manifest.partitions[i];
}

static inline u32 part_line(const struct manifest_partition *p, const char *key)
{
    return config_line(&cfg, &(struct manifest_place){ .part = p, .key = key });
}
