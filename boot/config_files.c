/* SPDX-License-Identifier: MIT */
/* pith.conf: the files that it names, and the SHA-256 that they must have. */
#include "boot/config_parser.h"

#include "boot/sha256.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define HASH_MARK   "sha256:"
#define HASH_DIGITS (2 * SHA256_SIZE)

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

static bool is_hash(struct slice word)
{
    return word.len >= strlen(HASH_MARK) && memcmp(word.at, HASH_MARK, strlen(HASH_MARK)) == 0;
}

static bool file_name_check(struct parser *p, struct slice name)
{
    char quote[CONFIG_QUOTE];

    slice_quote(name, quote);
    if (is_hash(name)) {
        parser_error(p, "'%s' stands behind no file - write the file's name before it", quote);
        return false;
    }
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

/* Index into cfg->files, added when it is new; MANIFEST_NONE after a mistake. */
static u32 file_index(struct parser *p, struct slice name)
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
    if (p->index == MANIFEST_NONE) /* a spare partition's files are never read: do not let
                                            them fill the table */
        return MANIFEST_NONE;
    memcpy(cfg->files[cfg->nr_files].name, name.at, name.len);
    cfg->files[cfg->nr_files].line = p->line;
    return cfg->nr_files++;
}

/* Cuts the first word off; leaves the next one at the begin of @rest. */
static struct slice next_word(struct slice *rest)
{
    struct slice word = { rest->at, 0 };

    while (word.len < rest->len && word.at[word.len] != ' ' && word.at[word.len] != '\t')
        word.len++;
    *rest = slice_trim((struct slice){ rest->at + word.len, rest->len - word.len });
    return word;
}

static bool read_hash(struct slice word, u8 hash[SHA256_SIZE])
{
    const char *digits = word.at + strlen(HASH_MARK);

    if (word.len != strlen(HASH_MARK) + HASH_DIGITS)
        return false;
    for (u32 i = 0; i < HASH_DIGITS; i++) {
        u32 v = slice_digit(digits[i]);

        if (v > 15)
            return false;
        hash[i / 2] = (u8)((u32)hash[i / 2] << 4 | v);
    }
    return true;
}

/* @file: MANIFEST_NONE after a mistake in its name. */
static void set_hash(struct parser *p, u32 file, struct slice word)
{
    struct config_file *f = file == MANIFEST_NONE ? NULL : &p->cfg->files[file];
    u8 hash[SHA256_SIZE] = { 0 };
    char quote[CONFIG_QUOTE];

    if (!read_hash(word, hash)) {
        parser_error(p, "'%s' is not " HASH_MARK " and %u hexadecimal digits - write what pith-check --hashes prints",
                     slice_quote(word, quote), HASH_DIGITS);
    } else if (f && f->hash_line && memcmp(f->hash, hash, sizeof(hash)) != 0) {
        parser_error(p, "'%s' has another " HASH_MARK " on line %u - correct one of the two", f->name, f->hash_line);
    } else if (f && !f->hash_line) {
        memcpy(f->hash, hash, sizeof(hash));
        f->hash_line = p->line;
        f->hash_key = p->key;
    }
}

/* A name and, if it is there, its hash. */
static u32 one_file(struct parser *p, struct slice v)
{
    struct slice rest = v, name = next_word(&rest);
    u32 file;

    if (!is_hash(rest))
        return file_index(p, v);
    file = file_index(p, name);
    set_hash(p, file, rest);
    return file;
}

void config_set_image(struct parser *p, struct slice v)
{
    p->part->image = one_file(p, v);
}

void config_set_initrd(struct parser *p, struct slice v)
{
    p->part->initrd = one_file(p, v);
}

void config_set_modules(struct parser *p, struct slice v)
{
    struct manifest_partition *part = p->part;

    while (v.len) {
        u32 file;

        if (part->nr_modules == MANIFEST_MODULES) {
            parser_error(p, "there are more than %u modules - remove some", MANIFEST_MODULES);
            return;
        }
        file = file_index(p, next_word(&v));
        part->modules[part->nr_modules++] = file;
        if (is_hash(v))
            set_hash(p, file, next_word(&v));
    }
}

void config_hash_text(const void *data, size_t size, char text[CONFIG_HASH_TEXT])
{
    u8 hash[SHA256_SIZE];

    sha256(data, size, hash);
    memcpy(text, HASH_MARK, sizeof(HASH_MARK));
    for (u32 i = 0; i < SHA256_SIZE; i++)
        fmt_str(text + strlen(HASH_MARK) + 2 * i, 3, "%02x", hash[i]);
}

bool config_file_right(const struct config_file *f, const void *data, size_t size, char *why, size_t room)
{
    char found[CONFIG_HASH_TEXT];
    u8 hash[SHA256_SIZE];

    if (!f->hash_line)
        return true;
    sha256(data, size, hash);
    if (memcmp(hash, f->hash, sizeof(hash)) == 0)
        return true;
    config_hash_text(data, size, found);
    fmt_str(why, room,
            "%s '%s' is not the file that was meant: it has %s - copy the right one to the boot volume, or write this if it is right",
            f->hash_key, f->name, found);
    return false;
}
