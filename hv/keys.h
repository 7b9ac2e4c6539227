/* SPDX-License-Identifier: MIT */
/* From scan codes (set 1) of a US keyboard to the bytes that a serial terminal would send. Pure. */
#pragma once

#include "hv/lib/types.h"

#define KEYS_BYTES 8u /* as many as one key sends, and a zero */

struct keys {
    u8 shift, ctrl, alt; /* which of the two are down: left 1, right 2 */
    bool caps;
    bool extended;       /* the last code was E0 */
    u8 skip;             /* codes of Pause that are still to come */
};

/* "": the code sends nothing. */
void keys_take(struct keys *k, u8 code, char out[KEYS_BYTES]);
