/* SPDX-License-Identifier: MIT */
/* printf-style formatting into a buffer: %s %c %d %u %x %%, flags '0' '-', width, precision for %s, l ll z. */
#pragma once

#include <stdarg.h>

#include "hv/lib/types.h"

/* Always terminates (size > 0). Returns the number of bytes written without the terminator: never more than size - 1. */
size_t fmt_str(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);
size_t fmt_vstr(char *buf, size_t size, const char *fmt, va_list ap) PRINTF(3, 0);
