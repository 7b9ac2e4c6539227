/* SPDX-License-Identifier: MIT */
/* Between the files of the pith.conf parser: its state, its slices of text, its tables. */
#pragma once

#include "boot/config.h"

/* Part of the text; not terminated. */
struct slice {
    const char *at;
    size_t len;
};

enum config_section {
    SECTION_NONE,    /* before the first */
    SECTION_SKIPPED, /* its header has a mistake: what stands in it says nothing */
    SECTION_PITH,
    SECTION_PARTITION,
    SECTION_CHANNEL,
    SECTION_CYCLIC,
    SECTIONS
};

#define CONFIG_PITH_KEYS 5
#define CONFIG_QUOTE     40
#define CONFIG_LISTS     (MANIFEST_PARTITIONS * 4 + MANIFEST_CHANNELS * 2)

/* Names of partitions, looked up when all lines are read. */
struct config_list {
    struct slice names;
    u32 line;
    const char *key;
    u64 *bits;
    const struct manifest_partition *self; /* whose rights these are; NULL: members of a channel */
};

/* The name of a slot's partition, looked up then, too. */
struct config_slot {
    struct slice name;
    u32 line;
    u32 *partition;
};

struct parser {
    struct config *cfg;
    u32 line;
    enum config_section section;
    const char *key;                 /* of the line at hand, for messages */
    struct manifest_partition *part; /* of the section at hand */
    struct manifest_channel *channel;
    struct manifest_cyclic *cyclic;
    u32 index;                       /* its number; MANIFEST_NONE: its header has a mistake, it fills a spare */
    u32 *lines;                      /* where its keys were given; 0: nowhere */
    struct manifest_partition spare;
    struct manifest_channel spare_channel;
    struct manifest_cyclic spare_cyclic;
    struct config_list lists[CONFIG_LISTS];
    u32 nr_lists;
    struct config_slot slots[MANIFEST_CYCLICS * MANIFEST_SLOTS];
    u32 nr_slots;
    u32 focus_line, focus_index;      /* of a partition's own focus = yes; line 0: none */
    struct slice focus_name;          /* of [pith] focus */
    u32 pith_lines[CONFIG_PITH_KEYS];
};

struct config_key {
    const char *name;
    bool verbatim; /* the value is the rest of the line, even if empty or with a number sign */
    void (*set)(struct parser *p, struct slice value);
};
extern const struct config_key config_pith_keys[CONFIG_PITH_KEYS];
extern const struct config_key config_partition_keys[CONFIG_KEYS];
extern const struct config_key config_channel_keys[CONFIG_CHANNEL_KEYS];
extern const struct config_key config_cyclic_keys[CONFIG_CYCLIC_KEYS];

/* Records a mistake on @line: "what is wrong - what to do". */
void parser_error_at(struct parser *p, u32 line, const char *fmt, ...) PRINTF(3, 4);
#define parser_error(p, ...) parser_error_at(p, (p)->line, __VA_ARGS__)

struct slice slice_trim(struct slice s);
bool slice_is(struct slice s, const char *word);
/*
 * Cuts @s at the first @c: returns what stands before it, leaves what stands after it. False when
 * there is no @c.
 */
bool slice_cut(struct slice *s, char c, struct slice *before);
/* Value of one hexadecimal digit, or more than 15. */
u32 slice_digit(char c);
/* Decimal or 0x hexadecimal, nothing before or after it. */
bool slice_number(struct slice s, u64 *n) MUST_CHECK;
/* A copy for messages: shortened, unprintable bytes shown as '?'. Returns @buf. */
const char *slice_quote(struct slice s, char buf[CONFIG_QUOTE]);
/* The name that is most like @s, or NULL when none is. @names: @n pointers, @stride bytes apart. */
const char *slice_nearest(struct slice s, const void *names, size_t stride, u32 n);

/* Keys of a partition that name files. */
void config_set_image(struct parser *p, struct slice v);
void config_set_initrd(struct parser *p, struct slice v);
void config_set_modules(struct parser *p, struct slice v);
void config_set_serial(struct parser *p, struct slice v);
bool config_partition_name(struct slice s);
/* The value is a list of partitions that sets @bits when all lines are read. */
void config_list_later(struct parser *p, struct slice v, u64 *bits);
void config_lists_resolve(struct parser *p);
/* The value is a list of cores. */
void config_read_cores(struct parser *p, struct slice v, u64 cores[MANIFEST_CORES / 64]);
/* Keys of a partition about time, and what [cyclic] says of partitions when all lines are read. */
void config_set_weight(struct parser *p, struct slice v);
void config_set_entitlement(struct parser *p, struct slice v);
void config_set_period(struct parser *p, struct slice v);
void config_set_budget(struct parser *p, struct slice v);
void config_slots_resolve(struct parser *p);
/* Of the partition with that name; nr_partitions when there is none. */
u32 config_partition_index(const struct manifest *m, struct slice name);
/* What can only be said when all lines are read. */
void config_check(struct parser *p);
