/* SPDX-License-Identifier: MIT */
/* The letters of the hypervisor's screen, which is given them. */
#pragma once

#include "drivers/screen.h"

extern const u8 font_rows[FONT_GLYPHS][FONT_ROWS];
