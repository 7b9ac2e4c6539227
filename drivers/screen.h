/* SPDX-License-Identifier: MIT */
/* A text console on a linear frame buffer; scrolls through its own copy of the text and never reads video memory. */
#pragma once

#include "hv/lib/types.h"

#define FONT_FIRST  ' '
#define FONT_GLYPHS 95u
#define FONT_ROWS   8u  /* each is drawn twice: a letter is 8 pixels wide and 16 high */
#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u

#define SCREEN_COLUMNS 160u
#define SCREEN_ROWS    60u

enum screen_format { SCREEN_BGRX = 1, SCREEN_RGBX = 2 }; /* 32 bits a pixel, first byte first */

struct screen_desc {
    u32 width, height, pitch; /* pixels; pitch in bytes */
    enum screen_format format;
    const u8 (*font)[FONT_ROWS]; /* FONT_GLYPHS letters */
};

struct screen {
    volatile u32 *pixels; /* NULL: no screen */
    struct screen_desc desc;
    u32 ink, paper;       /* pixel values */
    u32 columns, rows;    /* what is used of the arrays */
    u32 column, row;      /* where the next letter goes */
    u32 stale, stale_end; /* rows whose letters may differ from what is shown */
    char wanted[SCREEN_ROWS][SCREEN_COLUMNS];
    char shown[SCREEN_ROWS][SCREEN_COLUMNS];
};

/* @pixels: the frame buffer, mapped. Clears it; false when the mode cannot hold a line of text. */
bool screen_init(struct screen *s, const struct screen_desc *desc, volatile void *pixels);
/* \n, \r, \b and \t move; other control characters and bytes above 126 show as '?'. */
void screen_write(struct screen *s, const char *text, size_t len);
