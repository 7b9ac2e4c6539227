/* SPDX-License-Identifier: MIT */
/* Segment and interrupt descriptors. */
#pragma once

#include "hv/lib/types.h"

void desc_load(u32 index); /* on core @index: its GDT and TSS with IST stacks, and the IDT that all share */
