/* SPDX-License-Identifier: MIT */
/* The keyboard: focus, and a first monitor (help list stop start log poweroff). Core 0 only. */
#pragma once

#include "hv/lib/types.h"
#include "hv/partition.h"

/* Gives the keyboard to that partition; NULL: the monitor. */
void monitor_focus(struct partition *p);
void monitor_key(u8 c);
