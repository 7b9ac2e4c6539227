/* SPDX-License-Identifier: MIT */
/* How colours lie in a pixel of the frame buffer. Pure. */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

/* As UEFI's EFI_PIXEL_BITMASK has them. */
struct pixel_masks { u32 red, green, blue, reserved; };

/*
 * Into @fb, whose width, height and pitch in pixels are set; the pitch becomes bytes. @size: of the frame buffer, bytes. NULL, or why
 * nothing can be drawn in it; then fb->bytes is 0.
 */
const char *pixels_layout(struct handoff_fb *fb, const struct pixel_masks *m, u64 size);
