/* SPDX-License-Identifier: MIT */
/* Measurements: the files as they were read, in the order of pith.conf, and how it ended. */
#include "boot/measure.h"

#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

void measure_config(const void *data, size_t size)
{
    measure_event(MEASURE_START, data, size, "pith.conf");
}

void measure_file(const char *name, const void *data, size_t size)
{
    char text[MEASURE_TEXT];

    fmt_str(text, sizeof(text), "file %s", name);
    measure_event(MEASURE_FILES, data, size, text);
}

/* Its name is what is measured: so the log can be believed. */
static void measure_text(const char *text)
{
    measure_event(MEASURE_START, text, strlen(text), text);
}

void measure_start(const struct manifest *m)
{
    char text[MEASURE_TEXT] = "start:";
    size_t n = strlen(text);

    for (u32 i = 0; i < m->nr_partitions; i++)
        if (!(m->partitions[i].flags & MANIFEST_ON_REQUEST))
            n += fmt_str(text + n, sizeof(text) - n, " %s", m->partitions[i].name);
    measure_text(text);
}

void measure_refusal(u32 stage, const char *why)
{
    char text[MEASURE_TEXT];

    fmt_str(text, sizeof(text), "refused at stage %u: %s", stage, why);
    measure_text(text);
}
