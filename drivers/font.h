/* SPDX-License-Identifier: MIT */
/* A fixed-width font for the text screen. */
#pragma once

#include "hv/lib/types.h"

#define FONT_FIRST  ' '
#define FONT_GLYPHS 95u
#define FONT_ROWS   8u  /* each is drawn twice: a letter is 8 pixels wide and 16 high */
#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u

extern const u8 font_rows[FONT_GLYPHS][FONT_ROWS];
