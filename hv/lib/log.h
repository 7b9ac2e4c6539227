/* SPDX-License-Identifier: MIT */
/* The hypervisor's own lines: "[pith] text". Each also goes to a ring in memory, so that a report can show the last ones. */
#pragma once

#include "hv/lib/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* One whole line, "[pith] " and '\n' included. Called with no lock held by log.c; the sink locks for itself. */
typedef void log_sink_fn(const char *line, size_t len);

void log_set_sink(log_sink_fn *sink); /* NULL: ring only */
void log_set_level(enum log_level max);
/* A panic has begun: sinks take no locks that a stopped core may hold, and have the text out before they return. */
void log_panic_begin(void);
bool log_panicking(void);
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3); /* cut at 255 bytes */
/* Copies the newest bytes of the ring, oldest first, at most size; returns how many. */
size_t log_tail(char *buf, size_t size);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
