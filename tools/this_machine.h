/* SPDX-License-Identifier: MIT */
/* Can the machine that this Linux runs on run Pith? */
#pragma once

#include "boot/config.h"

/*
 * Prints what was seen, a line for each thing, with what to do about it; returns how many are wrong. @root: where /proc, /sys and /dev are
 * looked for; if it is not empty, CPUID comes from the file `cpuid` there, too. @cfg: partitions that must fit, or NULL; @path: its file.
 */
unsigned this_machine(const char *root, const struct config *cfg, const char *path);
