/* SPDX-License-Identifier: MIT */
/* Load plans for all partitions of a configuration. Pure: tools/pith-check runs the same code. */
#pragma once

#include "boot/config.h"
#include "boot/image/image.h"

/* Called for each partition whose image cannot be loaded: @why reads "what is wrong - what to do". */
typedef void plans_mistake_fn(const struct manifest_partition *part, const char *why);

/*
 * @files: by their index in the manifest; one without data is a mistake said elsewhere, and partitions that name it are left
 * out. @out->copies NULL: only counts; then @plans may be NULL. Returns the number of mistakes.
 */
u32 plans_make(const struct manifest *m, const struct image_file *files, struct image_out *out, struct load_plan *plans,
               plans_mistake_fn *mistake);
