/* SPDX-License-Identifier: MIT */
/*
 * A QR code (ISO/IEC 18004) of error correction level L, from text of QR's own 45 characters: digits, capital letters and " $%*+-./:".
 * Up to version 25, 117 modules: with the margin, 6 pixels a module on a screen 768 pixels high, and still twice as many in the picture
 * of a phone's camera as its reader needs when the screen fills half of that. Larger ones hold more and are read less well.
 */
#pragma once

#include "hv/lib/types.h"

#define QR_VERSIONS 25u
#define QR_SIDE     (17 + 4 * QR_VERSIONS)
#define QR_CHARS    1853u /* version 25 holds these */
#define QR_MARGIN   4u    /* modules that must be white on each side */

enum { QR_DARK = 1, QR_PATTERN = 2 /* not data; for qr.c itself */ };

struct qr {
    u32 side; /* modules */
    u8 module[QR_SIDE][QR_SIDE]; /* [y][x] */
};

/* The smallest version that holds the text; false: too long, or a character that QR does not have. */
bool qr_encode(struct qr *q, const char *text, size_t len);
