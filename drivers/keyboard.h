/* SPDX-License-Identifier: MIT */
/* A keyboard at the PC's keyboard controller (i8042), or one on USB that the firmware shows there. */
#pragma once

#include "hv/lib/types.h"

/* Turns the keyboard and its interrupt (ISA 1) on, and a mouse off. False when no controller answers. */
bool keyboard_init(void);
/* The next scan code (set 1), -1: none. On some machines this is a trap into the firmware, and takes long: only when there may be one. */
int keyboard_get(void);
