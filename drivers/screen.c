/* SPDX-License-Identifier: MIT */
/* Text on a frame buffer: only letters that changed are drawn, so scrolling costs what moved and no read. */
#include "drivers/screen.h"

#include "hv/lib/string.h"

#define TAB         8u
#define SCROLL      8u /* rows at once: drawing a full screen anew for every line would take most of a busy log's time */
#define PAPER_RED   0x10u
#define PAPER_GREEN 0x18u
#define PAPER_BLUE  0x28u
#define INK_RED     0xf0u
#define INK_GREEN   0xf4u
#define INK_BLUE    0xe8u

static u32 pixel(enum screen_format format, u32 red, u32 green, u32 blue)
{
    return format == SCREEN_RGBX ? red | green << 8 | blue << 16 : blue | green << 8 | red << 16;
}

static void draw(const struct screen *s, u32 row, u32 column)
{
    const u8 *glyph = s->desc.font[(u8)s->wanted[row][column] - FONT_FIRST];

    for (u32 y = 0; y < FONT_HEIGHT; y++) {
        volatile u32 *line = s->pixels + ((u64)row * FONT_HEIGHT + y) * (s->desc.pitch / 4) + column * FONT_WIDTH;
        u8 bits = glyph[y / 2];

        for (u32 x = 0; x < FONT_WIDTH; x++)
            line[x] = bits & (0x80u >> x) ? s->ink : s->paper;
    }
}

static void update(struct screen *s)
{
    for (u32 row = s->stale; row < s->stale_end; row++)
        for (u32 column = 0; column < s->columns; column++) {
            if (s->wanted[row][column] == s->shown[row][column])
                continue;
            draw(s, row, column);
            s->shown[row][column] = s->wanted[row][column];
        }
    s->stale = s->rows;
    s->stale_end = 0;
}

static void touch(struct screen *s, u32 row)
{
    s->stale = MIN(s->stale, row);
    s->stale_end = MAX(s->stale_end, row + 1);
}

bool screen_init(struct screen *s, const struct screen_desc *desc, volatile void *pixels)
{
    s->pixels = NULL;
    if (desc->width < FONT_WIDTH || desc->height < FONT_HEIGHT || desc->pitch % 4 || desc->pitch / 4 < desc->width)
        return false;

    s->desc = *desc;
    s->pixels = pixels;
    s->ink = pixel(desc->format, INK_RED, INK_GREEN, INK_BLUE);
    s->paper = pixel(desc->format, PAPER_RED, PAPER_GREEN, PAPER_BLUE);
    s->columns = MIN(desc->width / FONT_WIDTH, SCREEN_COLUMNS);
    s->rows = MIN(desc->height / FONT_HEIGHT, SCREEN_ROWS);
    s->column = 0;
    s->row = 0;
    s->stale = s->rows;
    s->stale_end = 0;
    memset(s->wanted, ' ', sizeof(s->wanted));
    memset(s->shown, ' ', sizeof(s->shown));
    for (u32 y = 0; y < desc->height; y++)
        for (u32 x = 0; x < desc->width; x++)
            s->pixels[(u64)y * (desc->pitch / 4) + x] = s->paper;
    return true;
}

static void scroll(struct screen *s)
{
    u32 by = MIN(SCROLL, s->rows);

    memmove(s->wanted[0], s->wanted[by], (s->rows - by) * sizeof(s->wanted[0]));
    memset(s->wanted[s->rows - by], ' ', by * sizeof(s->wanted[0]));
    s->row = s->rows - by;
    s->stale = 0;
    s->stale_end = s->rows;
}

static void new_line(struct screen *s)
{
    s->column = 0;
    if (++s->row == s->rows)
        scroll(s);
}

static void put(struct screen *s, char c)
{
    if (s->column == s->columns)
        new_line(s);
    s->wanted[s->row][s->column++] = c >= FONT_FIRST && c <= '~' ? c : '?';
    touch(s, s->row);
}

static void put_byte(struct screen *s, char c)
{
    switch (c) {
    case '\n':
        new_line(s);
        return;
    case '\r':
        s->column = 0;
        return;
    case '\b':
        if (s->column)
            s->column--;
        return;
    case '\t':
        do
            put(s, ' ');
        while (s->column % TAB && s->column < s->columns);
        return;
    default:
        put(s, c);
    }
}

void screen_write(struct screen *s, const char *text, size_t len)
{
    if (!s->pixels)
        return;
    for (size_t i = 0; i < len; i++)
        put_byte(s, text[i]);
    update(s);
}
