/* SPDX-License-Identifier: MIT */
/* A text console on a linear frame buffer; scrolls in its own copy of the text and never reads video memory. */
#pragma once

#include "hv/lib/types.h"

#define FONT_FIRST  ' '
#define FONT_GLYPHS 95u
#define FONT_ROWS   8u  /* each is drawn twice: a letter is 8 dots wide and 16 high */
#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u

#define SCREEN_COLUMNS 160u /* a multiple of 4 */
#define SCREEN_ROWS    60u
#define SCREEN_SCALE   8u   /* a dot is at most so many pixels wide and high */
#define SCREEN_INKS    10u
#define SCREEN_INK     0x80 /* a byte from here on, in the text: the letters behind it are in this ink; 0: the usual one */

struct screen_colour { u8 shift, bits; };     /* where it is in a pixel */
struct screen_desc {
    u32 width, height, pitch;                 /* pixels; pitch in bytes */
    u8 bytes;                                 /* a pixel: 2 or 4, little endian */
    struct screen_colour red, green, blue;
    const u8 (*font)[FONT_ROWS];              /* FONT_GLYPHS letters */
};

/* A row of a letter, where a dot is a pixel of 32 bits. */
struct screen_dots { u64 word[FONT_WIDTH * 4 / 8]; };

struct screen {
    volatile u8 *pixels;  /* NULL: no screen */
    struct screen_desc desc;
    u32 scale;            /* pixels a dot */
    bool small;           /* it is one, of 32 bits */
    u32 ink_pixels[SCREEN_INKS], paper;
    u32 columns, rows;    /* what is used of the arrays */
    u32 column, row;      /* where the next letter goes */
    u32 stale, stale_end; /* rows whose letters may differ from what is shown */
    u32 top;              /* where in the text the first row is, so that scrolling moves nothing */
    u8 ink;
    u16 text[SCREEN_ROWS][SCREEN_COLUMNS]; /* letter, and its ink in the upper byte; down to .row, below it is blank */
    u16 blank[SCREEN_COLUMNS];
    u16 shown[SCREEN_ROWS][SCREEN_COLUMNS];
    struct screen_dots dots[SCREEN_INKS][256]; /* each row that a letter may have */
};

/* @pixels: the frame buffer, mapped. Clears it; false when there is no room for a letter, or pixels are of no known kind. */
bool screen_init(struct screen *s, const struct screen_desc *desc, volatile void *pixels);
/*
 * \n, \r, \b and \t move, SCREEN_INK and up colour; other control characters and bytes above 126 show as '?'. Nothing is drawn yet.
 */
void screen_write(struct screen *s, const char *text, size_t len);
/* Draws so many letters of those that differ, some 170 instructions each on most screens; a row looked at is one. True: all is shown. */
bool screen_show(struct screen *s, u32 letters);
/* Clears the screen; from now on text takes the leftmost @columns only, the rest is left to screen_box(). */
void screen_narrow(struct screen *s, u32 columns);
/* Fills pixels with white or black; what is outside of the screen is left out. */
void screen_box(const struct screen *s, u32 left, u32 top, u32 width, u32 height, bool white);
