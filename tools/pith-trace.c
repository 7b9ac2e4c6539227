/* SPDX-License-Identifier: MIT */
/* pith-trace: prints what `trace dump` of the monitor left in a log of the serial line, or a ring saved from memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/trace_log.h"

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_USAGE = 2 };
enum { SUMS = TRACE_PARTITIONS * PITH_TRACE_INJECT };

static const char usage[] =
    "usage: pith-trace [--summary] FILE...\n"
    "Prints the records of traces, oldest first: microseconds since the first, core, partition/vCPU, kind, what it says, and of\n"
    "exits where the guest was and how far RIP was moved (with `trace = ... rip`), and the ticks that the exit took. FILE is a\n"
    "log with the output of the monitor's `trace dump`, or a ring as it was in memory.\n"
    "--summary: how often each kind was and how long it took.\n"
    "Exit status: 0 done, 1 a file is damaged, 2 it cannot be read or wrong arguments.\n";

/* The whole file in allocated memory, or NULL with errno set. */
static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL, *bigger;
    size_t n = 0, got;

    if (!f)
        return NULL;
    do {
        bigger = realloc(data, n + 65536);
        if (!bigger)
            break;
        data = bigger;
        got = fread(data + n, 1, 65536, f);
        n += got;
    } while (got > 0);
    if (!bigger || ferror(f)) {
        free(data);
        data = NULL;
    }
    fclose(f);
    *size = n;
    return data;
}

static int add_file(struct trace_log *log, const char *path)
{
    size_t size;
    char *data = read_file(path, &size);
    bool ok;

    if (!data) {
        fprintf(stderr, "pith-trace: %s: %s\n", path, strerror(errno));
        return EXIT_USAGE;
    }
    ok = trace_add(log, data, size);
    free(data);
    if (ok)
        return EXIT_GOOD;
    if (log->error_line)
        fprintf(stderr, "%s:%u: %s\n", path, log->error_line, log->error);
    else
        fprintf(stderr, "%s: %s\n", path, log->error);
    return EXIT_BAD;
}

static void name_of(const struct trace_log *log, unsigned partition, char buf[24])
{
    if (log->names[partition][0])
        snprintf(buf, 24, "%s", log->names[partition]);
    else
        snprintf(buf, 24, "partition-%u", partition);
}

static void print_records(const struct trace_log *log)
{
    for (size_t i = 0; i < log->nr; i++) {
        const struct trace_entry *e = &log->entries[i];
        double us = (double)(e->t.tsc - log->entries[0].t.tsc) * 1000 / log->khz[e->core];
        char name[24], details[120];

        name_of(log, e->t.source >> 4, name);
        trace_details(&e->t, details, sizeof(details));
        printf("%14.3f core %u %s/%u %s%s%s", us, e->core, name, e->t.source & 15, trace_kind_name(e->t.kind),
               details[0] ? " " : "", details);
        if (e->t.rip || e->t.len)
            printf(" rip=%08x len=%u", e->t.rip, e->t.len);
        if (e->t.kind < PITH_TRACE_INJECT)
            printf(" ticks=%u", e->t.ticks);
        putchar('\n');
    }
}

static void print_summary(const struct trace_log *log)
{
    static struct trace_sum sums[SUMS];
    size_t n = trace_summary(log, sums, SUMS);
    uint64_t all = 0;

    for (size_t i = 0; i < n; i++)
        all += sums[i].total;
    printf("%-15s %-12s %9s %9s %9s %9s  %6s\n", "partition", "kind", "exits", "min", "median", "max", "share");
    for (size_t i = 0; i < n; i++) {
        const struct trace_sum *s = &sums[i];
        char name[24];

        name_of(log, s->partition, name);
        printf("%-15s %-12s %9zu %9u %9u %9u  %5.1f%%\n", name, trace_kind_name(s->kind), s->count, s->min, s->median, s->max,
               all ? 100.0 * (double)s->total / (double)all : 0.0);
    }
    printf("%zu records, %llu dropped; times in ticks, share of all time spent on exits\n", log->nr, (unsigned long long)log->dropped);
}

int main(int argc, char **argv)
{
    bool summary = argc > 1 && strcmp(argv[1], "--summary") == 0;
    int first = summary ? 2 : 1, status = EXIT_GOOD;
    struct trace_log log = { 0 };

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_GOOD;
    }
    if (first >= argc || argv[first][0] == '-') {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    for (int i = first; i < argc && status == EXIT_GOOD; i++)
        status = add_file(&log, argv[i]);
    if (status == EXIT_GOOD) {
        trace_sort(&log);
        if (summary)
            print_summary(&log);
        else
            print_records(&log);
    }
    trace_free(&log);
    return status;
}
