/* SPDX-License-Identifier: MIT */
/* Reading traces: the monitor's `trace dump` in a serial log, or a ring as it lay in memory. Pure but for malloc(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/abi/trace.h"

#define TRACE_CORES      256u
#define TRACE_PARTITIONS 16u

struct trace_entry { struct pith_trace t; uint32_t core; };
struct trace_log {
    struct trace_entry *entries; /* in order of time; trace_free() */
    size_t nr, room;
    char names[TRACE_PARTITIONS][16]; /* empty: unknown */
    uint32_t khz[TRACE_CORES];        /* 0: no ring of that core */
    uint64_t dropped;
    uint32_t error_line;              /* of the text; 0: a ring */
    char error[160];                  /* what is wrong - what it means */
};

/* Adds what a file holds, of several dumps in one log the last. False: @log->error; only trace_free() is left to do. */
bool trace_add(struct trace_log *log, const void *data, size_t size);
void trace_sort(struct trace_log *log);
void trace_free(struct trace_log *log);

/* NULL: unknown. */
const char *trace_kind_name(uint32_t kind);
/* "key=value ..." of what this kind of record says; returns the length, less than @size. */
size_t trace_details(const struct pith_trace *t, char *buf, size_t size);

/* Exits of one partition and kind. */
struct trace_sum { uint8_t partition, kind; size_t count; uint32_t min, median, max; uint64_t total; };
/* Fills @sums with at most @room of them, by partition and kind; how many there are. Needs a sorted log; 0 also without memory. */
size_t trace_summary(const struct trace_log *log, struct trace_sum *sums, size_t room);
