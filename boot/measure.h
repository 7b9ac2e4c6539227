/* SPDX-License-Identifier: MIT */
/* What is measured into a TPM 2.0, and in which words: README.md, "Measured boot". Pure: tools/pith-check runs the same code. */
#pragma once

#include "boot/config.h"
#include "hv/lib/types.h"

#define MEASURE_FILES 11u /* PCRs */
#define MEASURE_START 12u
#define MEASURE_TEXT  360 /* bytes of the longest name of a measurement */

/* All of @size bytes, named @name in the event log. In the loader the TPM's (tpm.c), in pith-check a sum of its own. */
void measure_event(u32 pcr, const void *data, size_t size, const char *name);

void measure_config(const void *data, size_t size);
void measure_file(const char *name, const void *data, size_t size);
/* The last: the partitions of @m start, or why none does. */
void measure_start(const struct manifest *m);
void measure_refusal(u32 stage, const char *why);
