/* SPDX-License-Identifier: MIT */
/*
 * pith.conf -> struct manifest. Pure: no firmware types, no allocation; tools/pith-check runs the
 * same code.
 */
#pragma once

#include "boot/manifest.h"
#include "hv/lib/types.h"

#define CONFIG_FILES      (MANIFEST_PARTITIONS * (2 + MANIFEST_MODULES))
#define CONFIG_FILE_NAME  64 /* as in struct pith_module */
#define CONFIG_ERRORS     16
#define CONFIG_KEYS       27 /* of a partition */
#define CONFIG_CHANNEL_KEYS 3
#define CONFIG_CYCLIC_KEYS 3
#define CONFIG_ERROR_TEXT 340

/*
 * A file that partitions name; its index here is the module index in the manifest. A name given
 * twice is one file.
 */
struct config_file {
    char name[CONFIG_FILE_NAME]; /* relative to the volume's root, with / between directories */
    u32 line;                    /* that named it first */
};

struct config_error {
    u32 line;
    char text[CONFIG_ERROR_TEXT]; /* what is wrong - what to do */
};

struct config {
    struct manifest manifest;
    u32 nr_files;
    struct config_file files[CONFIG_FILES];
    u32 nr_errors; /* all that were found; the CONFIG_ERRORS with the lowest lines are kept */
    struct config_error errors[CONFIG_ERRORS];
    u32 key_lines[MANIFEST_PARTITIONS + 1][CONFIG_KEYS]; /* where each key was given; 0: nowhere */
    u32 channel_lines[MANIFEST_CHANNELS + 1][CONFIG_CHANNEL_KEYS];
    u32 cyclic_lines[MANIFEST_CYCLICS + 1][CONFIG_CYCLIC_KEYS];
};

/*
 * Fills @cfg from @size bytes of text, which need not end in a newline or a zero byte. True when
 * there was no mistake.
 */
bool config_parse(struct config *cfg, const char *text, size_t size) MUST_CHECK;
/* The line to change: of that key, else of the section, else the first. */
u32 config_line(const struct config *cfg, const struct manifest_place *at);
