/* SPDX-License-Identifier: MIT */
/* What a panic leaves on the screen: the end of the log, which is the report, and beside it a QR code of more of that. */
#pragma once

#include "hv/lib/types.h"

/* Draws it anew. False, and the screen is as it was: there is none, or it is too small for the report and a code that can be read. */
bool panic_screen(void);
