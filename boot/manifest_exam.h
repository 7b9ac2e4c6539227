/* SPDX-License-Identifier: MIT */
/* Between the files that examine a manifest. */
#pragma once

#include "boot/manifest.h"
#include "hv/lib/fmt.h"

struct exam {
    const struct manifest *m;
    u32 nr_modules, nr_cores;
    manifest_mistake_fn *mistake;
    void *ctx;
};

static inline void exam_report(const struct exam *e, struct manifest_place at, const char *fmt, va_list ap)
{
    char text[200];

    fmt_vstr(text, sizeof(text), fmt, ap);
    e->mistake(e->ctx, &at, text);
}

PRINTF(4, 5)
static inline void mistake(const struct exam *e, const struct manifest_partition *part, const char *key, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    exam_report(e, (struct manifest_place){ .part = part, .key = key }, fmt, ap);
    va_end(ap);
}

bool exam_terminated(const char *s, size_t size);
bool exam_same_name(const char *a, const char *b);
/* True for 1 to 15 of a-z, 0-9 and '-'. */
bool exam_name(const char *s);

/* Counts and strings of channels and frames: nothing else is looked at when these fail. */
bool exam_channels_sound(const struct manifest *m);
bool exam_cyclics_sound(const struct manifest *m);
/* Whom @p may reach, and who may make it when it is made on request. */
void exam_rights(const struct exam *e, const struct manifest_partition *p);
/* What @p is promised, against what its cores have. */
void exam_time(const struct exam *e, const struct manifest_partition *p);
/* Each cyclic frame, and who has slots in it. */
void exam_cyclics(const struct exam *e);
/* Each channel, and that all of them fit where partitions see them. */
void exam_channels(const struct exam *e);
/* Devices of @p where it sees its channels, or maps what is granted to it. */
void exam_channel_room(const struct exam *e, const struct manifest_partition *p, const struct manifest_range *r);
