/* SPDX-License-Identifier: MIT */
/*
 * pith.conf -> struct manifest. Pure: no firmware types, no allocation; tools/pith-check runs the
 * same code.
 */
#pragma once

#include "boot/manifest.h"
#include "boot/sha256.h"
#include "hv/lib/types.h"

#define CONFIG_FILES      (MANIFEST_PARTITIONS * (2 + MANIFEST_MODULES))
#define CONFIG_FILE_NAME  64 /* as in struct pith_module */
#define CONFIG_ERRORS     16
#define CONFIG_KEYS       27 /* of a partition */
#define CONFIG_CHANNEL_KEYS 3
#define CONFIG_CYCLIC_KEYS 3
#define CONFIG_ERROR_TEXT 340
#define CONFIG_HASH_TEXT  (7 + 2 * SHA256_SIZE + 1)

/*
 * A file that partitions name; its index here is the module index in the manifest. A name given
 * twice is one file.
 */
struct config_file {
    char name[CONFIG_FILE_NAME]; /* relative to the volume's root, with / between directories */
    u32 line;                    /* that named it first */
    u32 hash_line;               /* that said which SHA-256 it must have, and which key that was; 0: none did */
    const char *hash_key;
    u8 hash[SHA256_SIZE];
};

struct config_error {
    u32 line;
    char text[CONFIG_ERROR_TEXT]; /* what is wrong - what to do */
};

struct config {
    struct manifest manifest;
    u32 nr_files;
    struct config_file files[CONFIG_FILES];
    u32 serial_line; /* of serial = in [pith]; 0: not given */
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

/* How pith.conf writes the SHA-256 of these bytes: sha256: and hexadecimal digits. */
void config_hash_text(const void *data, size_t size, char text[CONFIG_HASH_TEXT]);
/* False when pith.conf says another SHA-256 than these bytes have; then "what is wrong - what to do" in @why. */
bool config_file_right(const struct config_file *f, const void *data, size_t size, char *why, size_t room) MUST_CHECK;
