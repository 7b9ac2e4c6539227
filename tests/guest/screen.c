/* SPDX-License-Identifier: MIT */
/* What a full screen costs that scrolls: the hypervisor's own code, on this guest's memory. For tests/bench/run.py. */
#include "boot/font.c"
#include "drivers/screen.c"
#include "guests/lib/pith.h"

enum { WIDTH = 1024, HEIGHT = 768 };

static struct screen screen;
static u32 pixels[WIDTH * HEIGHT];

int guest_main(const struct pith_start *start)
{
    const struct screen_desc desc = {
        .width = WIDTH, .height = HEIGHT, .pitch = WIDTH * 4, .bytes = 4,
        .red = { 16, 8 }, .green = { 8, 8 }, .blue = { 0, 8 }, .font = font_rows
    };
    uint64_t from;

    (void)start;
    if (!screen_init(&screen, &desc, pixels))
        return 1;
    for (u32 i = 0; i < screen.columns * screen.rows; i++) {
        char c = (char)('!' + (i * 7 + i / screen.columns * 3) % 90);

        screen_write(&screen, &c, 1);
    }
    (void)screen_show(&screen, ~0u);
    from = pith_tsc();
    screen_write(&screen, "\n", 1);
    (void)screen_show(&screen, ~0u);
    pith_printf("bench screen_scroll %lu\nbench done\n", pith_tsc() - from);
    return 0;
}
