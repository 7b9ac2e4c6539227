/* SPDX-License-Identifier: MIT */
/* The loadable segments of a static ELF64 file. Pure. */
#pragma once

#include "hv/lib/types.h"

struct elf_span {
    u64 first, last; /* lowest and one past the highest virtual address of a segment */
    u64 entry;       /* virtual */
};

/* False when @file is not an x86-64 executable whose segments lie inside it. */
bool elf_measure(const u8 *file, u64 size, struct elf_span *span) MUST_CHECK;
/* Copies the segments of a measured file to @to, span->first at its start; @to is zeroed before. */
void elf_place(const u8 *file, const struct elf_span *span, u8 *to);
