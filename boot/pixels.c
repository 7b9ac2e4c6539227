/* SPDX-License-Identifier: MIT */
/* UEFI Specification, "EFI_GRAPHICS_OUTPUT_PROTOCOL": the highest bit of any mask tells how large a pixel is. */
#include "boot/pixels.h"

#define LETTER_WIDTH  8u
#define LETTER_HEIGHT 16u
#define PIXELS_MAX    32768u /* of a line or column: twice the largest screens */

static bool colour(u32 mask, struct handoff_colour *c)
{
    if (!mask)
        return false;
    c->shift = (u8)__builtin_ctz(mask);
    c->bits = (u8)(32 - __builtin_clz(mask) - c->shift);
    return mask >> c->shift == BIT(c->bits) - 1;
}

const char *pixels_layout(struct handoff_fb *fb, const struct pixel_masks *m, u64 size)
{
    u32 all = m->red | m->green | m->blue | m->reserved;
    u32 bits = all ? 32 - (u32)__builtin_clz(all) : 0;
    u64 pixels = (u64)fb->pitch * fb->height;

    fb->bytes = 0;
    if (!colour(m->red, &fb->red) || !colour(m->green, &fb->green) || !colour(m->blue, &fb->blue) || (m->red & m->green) ||
        ((m->red | m->green) & m->blue))
        return "its pixels have no known layout";
    if (bits > 16 && bits <= 24 && size < pixels * 4) /* else the firmware only left the unused bits out */
        return "its pixels are 24 bits wide";
    if (bits <= 8)
        return "its pixels are 8 bits wide";
    if (fb->width < LETTER_WIDTH || fb->height < LETTER_HEIGHT || fb->pitch < fb->width || MAX(fb->pitch, fb->height) > PIXELS_MAX)
        return "its width, height and length of a line make no picture";
    if (size && size < pixels * (bits <= 16 ? 2 : 4))
        return "its picture is larger than its memory";
    fb->bytes = bits <= 16 ? 2 : 4;
    fb->pitch *= fb->bytes;
    return NULL;
}
