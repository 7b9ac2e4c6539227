/* SPDX-License-Identifier: MIT */
/*
 * Text that a phone can send, from a log: "PITH1-", then the log's end, packed, in 41 characters that no phone, mail program or chat
 * changes or takes for an address. tools/pith-decode is the other way; hv/lib/README.md has the format.
 */
#pragma once

#include "hv/lib/types.h"

/* Packs as many of the newest of @len bytes as @room characters hold; returns how many characters that are. In static memory. */
size_t pack_log(char *out, size_t room, const char *log, size_t len);
