/* SPDX-License-Identifier: MIT */
/* Loading a partition: scrub its RAM, put its image there. Core 0. */
#pragma once

#include "hv/partition.h"

#define LOAD_CHUNK KIB(128) /* scrubbed or copied at a time: about 17,000 instructions */

void load_init(const struct handoff *h); /* maps the modules read-only */
/* Would its image load? Touches no guest memory. */
enum pith_status load_check(struct partition *p, const char **why) MUST_CHECK;
/* One step; PITH_E_BUSY: call again. On any other failure *why says what to do. */
enum pith_status load_step(struct partition *p, const char **why) MUST_CHECK;
