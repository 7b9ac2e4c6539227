/* SPDX-License-Identifier: MIT */
/*
 * pith-check: reads a pith.conf as the boot loader does and says what is wrong, before the USB
 * stick is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boot/config.h"
#include "boot/measure.h"
#include "boot/plans.h"
#include "tools/this_machine.h"

enum { EXIT_GOOD = 0,
       EXIT_MISTAKES = 1,
       EXIT_USAGE = 2 };

static const char usage[] =
    "usage: pith-check [--no-files | --hashes | --pcrs] FILE\n"
    "       pith-check --this-machine[=ROOT] [FILE]\n"
    "Checks a pith.conf, and that the files it names stand beside it, are those that were meant, and can be loaded (not with --no-files).\n"
    "--hashes: prints the lines to put into FILE, so that only the files that stand beside it now are started.\n"
    "--pcrs: prints what the loader measures into a TPM 2.0 when FILE and these files are started, and the PCRs that come of it.\n"
    "--this-machine: tells whether this machine can run Pith, and the partitions of FILE, and what to do if not. Where\n"
    "/dev/cpu/0/msr can be read (as root, after `modprobe msr`) it sees what the loader sees. ROOT: where /proc, /sys and /dev are.\n"
    "Exit status: 0 no mistakes, 1 mistakes, 2 FILE cannot be read or wrong arguments.\n";

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The whole file in allocated memory, or NULL with errno set. */
static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL, *bigger;
    size_t n = 0, got;

    *size = 0;
    if (!f)
        return NULL;
    do {
        bigger = realloc(text, n + 65536);
        if (!bigger)
            break;
        text = bigger;
        got = fread(text + n, 1, 65536, f);
        n += got;
    } while (got > 0);
    if (!bigger || ferror(f)) {
        free(text);
        text = NULL;
    }
    fclose(f);
    *size = n;
    return text;
}

static struct config cfg; /* large, and one is enough */

static unsigned print_mistakes(const char *path)
{
    unsigned n = MIN(cfg.nr_errors, CONFIG_ERRORS);

    for (unsigned i = 0; i < n; i++)
        fprintf(stderr, "%s:%u: %s\n", path, cfg.errors[i].line, cfg.errors[i].text);
    if (cfg.nr_errors > n)
        fprintf(stderr, "%s: and %u more mistakes\n", path, cfg.nr_errors - n);
    return cfg.nr_errors;
}

static void print_warning(void *path, const struct manifest_place *at, const char *text)
{
    fprintf(stderr, "%s:%u: warning: %s\n", (const char *)path, config_line(&cfg, at), text);
}

/* What the loader would find out when it reads the file; NULL when all is well. */
static const char *file_problem(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT ? "does not exist" : strerror(errno);
    if (S_ISDIR(st.st_mode))
        return "is a directory";
    return st.st_size ? NULL : "is empty";
}

static struct image_file files[CONFIG_FILES];

/* With --hashes, the hashes that are in pith.conf do not matter: others are wanted. */
static int print_hashes;

static int is_right(const char *path, const struct config_file *file, const struct image_file *read)
{
    char why[CONFIG_ERROR_TEXT];

    if (print_hashes || config_file_right(file, read->data, read->size, why, sizeof(why)))
        return 1;
    fprintf(stderr, "%s:%u: %s\n", path, file->hash_line, why);
    return 0;
}

/* Reads them too. */
static unsigned check_files(const char *path)
{
    int dir = (int)(base_name(path) - path);
    unsigned bad = 0;

    for (unsigned i = 0; i < cfg.nr_files; i++) {
        const struct config_file *file = &cfg.files[i];
        char full[4096];
        const char *problem;

        if ((size_t)snprintf(full, sizeof(full), "%.*s%s", dir, path, file->name) >= sizeof(full))
            problem = "has too long a path";
        else
            problem = file_problem(full);
        if (!problem) {
            files[i].data = (u8 *)read_file(full, &files[i].size);
            files[i].name = file->name;
            problem = files[i].data ? NULL : strerror(errno);
        }
        if (!problem) {
            bad += !is_right(path, file, &files[i]);
            continue;
        }
        fprintf(stderr, "%s:%u: file '%s' %s - put it beside %s or correct the name\n", path,
                file->line, file->name, problem, base_name(path));
        bad++;
    }
    return bad;
}

static const char *conf_path;

static void print_unloadable(const struct manifest_partition *part, const char *why)
{
    fprintf(stderr, "%s:%u: partition %s: %s\n", conf_path, part->line, part->name, why);
}

static unsigned check_images(const char *path)
{
    struct image_out counted = { 0 };

    conf_path = path;
    return plans_make(&cfg.manifest, files, &counted, NULL, print_unloadable);
}

static void print_file(unsigned i)
{
    char hash[CONFIG_HASH_TEXT];

    config_hash_text(files[i].data, files[i].size, hash);
    printf(" %s %s", files[i].name, hash);
}

/* The lines of each partition that name files. */
static void print_lines(const struct manifest_partition *part)
{
    printf("[partition %s]\nimage   =", part->name);
    print_file(part->image);
    if (part->initrd != MANIFEST_NONE) {
        printf("\ninitrd  =");
        print_file(part->initrd);
    }
    if (part->nr_modules)
        printf("\nmodules =");
    for (unsigned i = 0; i < part->nr_modules; i++)
        print_file(part->modules[i]);
    printf("\n");
}

static u8 pcrs[MEASURE_START + 1][SHA256_SIZE];

static void print_hash(const u8 hash[SHA256_SIZE])
{
    printf("sha256:");
    for (unsigned i = 0; i < SHA256_SIZE; i++)
        printf("%02x", hash[i]);
}

/* What a TPM does: the new value is the hash of the old one and of the measurement's hash, one behind the other. */
void measure_event(u32 pcr, const void *data, size_t size, const char *name)
{
    u8 both[2 * SHA256_SIZE];

    memcpy(both, pcrs[pcr], SHA256_SIZE);
    sha256(data, size, both + SHA256_SIZE);
    sha256(both, sizeof(both), pcrs[pcr]);
    printf("%u ", pcr);
    print_hash(both + SHA256_SIZE);
    printf(" %s\n", name);
}

/* As boot/main.c does it */
static void measure_all(const char *text, size_t size)
{
    measure_config(text, size);
    for (unsigned i = 0; i < cfg.nr_files; i++)
        measure_file(files[i].name, files[i].data, files[i].size);
    measure_start(&cfg.manifest);
    for (unsigned pcr = MEASURE_FILES; pcr <= MEASURE_START; pcr++) {
        printf("PCR %u ", pcr);
        print_hash(pcrs[pcr]);
        printf("\n");
    }
}

static int print_pcrs;

/* How many mistakes there are. */
static unsigned check(const char *path, const char *text, size_t size, int with_files)
{
    unsigned bad = config_parse(&cfg, text, size) ? 0 : print_mistakes(path);

    if (!bad)
        manifest_warn(&cfg.manifest, print_warning, (void *)(uintptr_t)path);
    if (with_files)
        bad += check_files(path);
    if (with_files && !cfg.nr_errors)
        bad += check_images(path);
    if (bad)
        return bad;
    for (unsigned i = 0; print_hashes && i < cfg.manifest.nr_partitions; i++)
        print_lines(&cfg.manifest.partitions[i]);
    if (print_pcrs)
        measure_all(text, size);
    else if (!print_hashes)
        printf("%s: %u partitions, no mistakes\n", path, cfg.manifest.nr_partitions);
    return 0;
}

/* How many things are wrong; the configuration must be right before it can be compared with the machine. */
static unsigned check_machine(const char *root, const char *path, const char *text, size_t size)
{
    if (path && !config_parse(&cfg, text, size))
        return print_mistakes(path);
    return this_machine(root, path ? &cfg : NULL, path);
}

/* What follows --this-machine= or nothing; NULL: another option. */
static const char *machine_root(const char *option)
{
    static const char name[] = "--this-machine";

    if (strncmp(option, name, strlen(name)) != 0)
        return NULL;
    option += strlen(name);
    return *option == '=' ? option + 1 : *option ? NULL : option;
}

int main(int argc, char **argv)
{
    const char *option = argc >= 2 && argv[1][0] == '-' ? argv[1] : "", *path = argc == 2 + !!option[0] ? argv[argc - 1] : NULL;
    const char *root = machine_root(option);
    int with_files = strcmp(option, "--no-files") != 0;
    char *text = NULL;
    size_t size = 0;
    unsigned bad;

    if (argc == 2 && strcmp(option, "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_GOOD;
    }
    print_hashes = strcmp(option, "--hashes") == 0;
    print_pcrs = strcmp(option, "--pcrs") == 0;
    if (!(root ? argc <= 3 : path && (!option[0] || print_hashes || print_pcrs || !with_files)) || (path && path[0] == '-')) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (path && !(text = read_file(path, &size))) {
        fprintf(stderr, "pith-check: %s: %s\n", path, strerror(errno));
        return EXIT_USAGE;
    }
    bad = root ? check_machine(root, path, text, size) : check(path, text, size, with_files);
    free(text);
    for (unsigned i = 0; i < cfg.nr_files; i++)
        free((void *)files[i].data);
    return bad ? EXIT_MISTAKES : EXIT_GOOD;
}
