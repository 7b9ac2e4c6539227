/* SPDX-License-Identifier: MIT */
/* Text on a frame buffer: only letters that changed are drawn, some at a time, so scrolling costs what moved and no read. */
#include "drivers/screen.h"

#include "hv/lib/string.h"

#define TAB       8u
#define PAPER     0x101828u
#define LEAST_COLUMNS 100u /* that larger letters must leave, if smaller ones have them */
#define LEAST_ROWS    25u

/* Red, green and blue, 8 bits each: all of them light, on a dark paper. */
static const u32 inks[SCREEN_INKS] = {
    0xf0f4e8, 0xffe080, 0x8cd0ff, 0xa8e88c, 0xffb38c, 0xd8b4ff, 0x80e6d8, 0xffa8c8, 0xd8d890, 0xb0c4ff
};

/* Frame buffers are written in whole words, wherever those lie. */
typedef u64 __attribute__((aligned(2), may_alias)) pixels_word;
typedef u32 __attribute__((aligned(2), may_alias)) pixels_large;
typedef u16 __attribute__((may_alias)) pixels_small;

static u32 part(u32 rgb, u32 from, struct screen_colour c)
{
    u32 value = rgb >> from & 0xff;

    return (c.bits < 8 ? value >> (8 - c.bits) : value << (c.bits - 8)) << c.shift;
}

static u32 pixel(const struct screen_desc *d, u32 rgb)
{
    return part(rgb, 16, d->red) | part(rgb, 8, d->green) | part(rgb, 0, d->blue);
}

static void write_pixel(void *at, u32 bytes, u32 value)
{
    memcpy(at, &value, bytes == 4 ? 4 : 2);
}

static void choose_pixels(struct screen *s)
{
    s->paper = pixel(&s->desc, PAPER);
    for (u32 ink = 0; ink < SCREEN_INKS; ink++) {
        s->ink_pixels[ink] = pixel(&s->desc, inks[ink]);
        for (u32 bits = 0; bits < 256; bits++)
            for (u32 x = 0; x < FONT_WIDTH; x++)
                write_pixel((u8 *)s->dots[ink][bits].word + x * 4, 4, bits & (0x80u >> x) ? s->ink_pixels[ink] : s->paper);
    }
}

static void draw_large(const struct screen *s, volatile u8 *to, const u8 *glyph, u32 ink)
{
    u64 line[FONT_WIDTH * SCREEN_SCALE * 4 / 8];
    u32 bytes = s->desc.bytes, pixels = FONT_WIDTH * s->scale;

    for (u32 y = 0; y < FONT_HEIGHT * s->scale; y++, to += s->desc.pitch) {
        u8 bits = glyph[y / (FONT_HEIGHT / FONT_ROWS * s->scale)];

        if (y % (FONT_HEIGHT / FONT_ROWS * s->scale) == 0)
            for (u32 x = 0; x < pixels; x++)
                write_pixel((u8 *)line + x * bytes, bytes, bits & (0x80u >> x / s->scale) ? s->ink_pixels[ink] : s->paper);
        for (u32 i = 0; i < pixels * bytes / 8; i++)
            ((volatile pixels_word *)to)[i] = line[i];
    }
}

/* One row of a letter, two lines of pixels. */
static inline void draw_row(volatile u8 *to, u64 pitch, u64 w0, u64 w1, u64 w2, u64 w3)
{
    volatile pixels_word *a = (volatile pixels_word *)to, *b = (volatile pixels_word *)(to + pitch);

    a[0] = w0, a[1] = w1, a[2] = w2, a[3] = w3;
    b[0] = w0, b[1] = w1, b[2] = w2, b[3] = w3;
}

/* Half a letter: four of its rows. */
static inline void draw_half(volatile u8 *to, u64 pitch, const u64 *one, const u64 *two, const u64 *three, const u64 *four)
{
    draw_row(to, pitch, one[0], one[1], one[2], one[3]);
    draw_row(to + 2 * pitch, pitch, two[0], two[1], two[2], two[3]);
    draw_row(to + 4 * pitch, pitch, three[0], three[1], three[2], three[3]);
    draw_row(to + 6 * pitch, pitch, four[0], four[1], four[2], four[3]);
}

/* The same where a dot is one pixel of 32 bits, as on most screens: to scroll a full one takes a million instructions this way. */
static void draw_small(volatile u8 *to, u64 pitch, const u8 *glyph, const struct screen_dots *dots)
{
    draw_half(to, pitch, dots[glyph[0]].word, dots[glyph[1]].word, dots[glyph[2]].word, dots[glyph[3]].word);
    draw_half(to + 8 * pitch, pitch, dots[glyph[4]].word, dots[glyph[5]].word, dots[glyph[6]].word, dots[glyph[7]].word);
}

static void draw_blank(volatile u8 *to, u64 pitch, u64 paper)
{
    for (u32 y = 0; y < FONT_ROWS; y++, to += 2 * pitch)
        draw_row(to, pitch, paper, paper, paper, paper);
}

static u16 *row_of(struct screen *s, u32 row)
{
    return s->text[(s->top + row) % s->rows];
}

/* Most of a screen is as it was. */
static bool four_alike(const u16 *a, const u16 *b)
{
    u64 x, y;

    __builtin_memcpy(&x, a, sizeof(x)); /* without __builtin_ it is a call */
    __builtin_memcpy(&y, b, sizeof(y));
    return x == y;
}

static void draw(const struct screen *s, volatile u8 *to, u16 cell)
{
    const u8 *glyph = s->desc.font[(cell & 0xff) - FONT_FIRST];

    if (!s->small)
        draw_large(s, to, glyph, cell >> 8);
    else if ((cell & 0xff) == ' ')
        draw_blank(to, s->desc.pitch, s->dots[0][0].word[0]);
    else
        draw_small(to, s->desc.pitch, glyph, s->dots[cell >> 8]);
}

/* Returns how many letters more it would have drawn. */
static u32 show_row(struct screen *s, u32 row, u32 letters)
{
    const u16 *wanted = row <= s->row ? row_of(s, row) : s->blank, *end = wanted + s->columns;
    u16 *shown = s->shown[row];
    u32 step = FONT_WIDTH * s->scale * s->desc.bytes;
    volatile u8 *to = s->pixels + (u64)row * FONT_HEIGHT * s->scale * s->desc.pitch;

    for (; wanted < end && letters; wanted++, shown++, to += step) {
        if (*wanted != *shown) {
            draw(s, to, *wanted);
            *shown = *wanted;
            letters--;
        } else if (end - wanted >= 4 && four_alike(wanted, shown)) {
            wanted += 3, shown += 3, to += 3 * step;
        }
    }
    return letters;
}

bool screen_show(struct screen *s, u32 letters)
{
    for (; s->stale < s->stale_end; s->stale++) {
        letters = show_row(s, s->stale, letters);
        if (!letters--)   /* to look at a row takes about as long as a letter */
            return false; /* perhaps: the next call finds out */
    }
    s->stale = s->rows;
    s->stale_end = 0;
    return true;
}

static void blank(u16 *cells, u32 rows)
{
    const u64 four = ' ' * 0x0001000100010001ull;

    for (u32 i = 0; i < rows * SCREEN_COLUMNS; i += 4)
        __builtin_memcpy(cells + i, &four, sizeof(four));
}

static void touch(struct screen *s, u32 row)
{
    s->stale = MIN(s->stale, row);
    s->stale_end = MAX(s->stale_end, row + 1);
}

/* Pixels a dot: so that the arrays hold all of the screen, unless letters become too few. */
static u32 scale_for(const struct screen_desc *d)
{
    u32 scale = MAX((d->width - 1) / (SCREEN_COLUMNS * FONT_WIDTH), (d->height - 1) / (SCREEN_ROWS * FONT_HEIGHT)) + 1;

    scale = MIN(scale, SCREEN_SCALE);
    while (scale > 1 && (d->width / (FONT_WIDTH * scale) < LEAST_COLUMNS || d->height / (FONT_HEIGHT * scale) < LEAST_ROWS))
        scale--;
    return scale;
}

static bool fits(const struct screen_desc *d)
{
    return d->width >= FONT_WIDTH && d->height >= FONT_HEIGHT && (d->bytes == 2 || d->bytes == 4) && d->pitch % 2 == 0 &&
           d->pitch / d->bytes >= d->width;
}

static void fill(volatile u8 *line, u32 pixels, u32 bytes, u32 value)
{
    for (u32 x = 0; x < pixels; x++)
        if (bytes == 4)
            *(volatile pixels_large *)(line + x * 4) = value;
        else
            *(volatile pixels_small *)(line + x * 2) = (u16)value;
}

static void clear(struct screen *s)
{
    s->column = s->row = s->ink = 0;
    s->top = 0;
    blank(s->text[0], 1);
}

bool screen_init(struct screen *s, const struct screen_desc *desc, volatile void *pixels)
{
    s->pixels = NULL;
    if (!fits(desc))
        return false;

    s->desc = *desc;
    s->pixels = pixels;
    s->scale = scale_for(desc);
    s->small = s->scale == 1 && desc->bytes == 4;
    s->columns = MIN(desc->width / (FONT_WIDTH * s->scale), SCREEN_COLUMNS);
    s->rows = MIN(desc->height / (FONT_HEIGHT * s->scale), SCREEN_ROWS);
    s->stale = s->rows;
    s->stale_end = 0;
    choose_pixels(s);
    clear(s);
    blank(s->blank, 1);
    blank(s->shown[0], SCREEN_ROWS);
    for (u32 y = 0; y < desc->height; y++)
        fill(s->pixels + (u64)y * desc->pitch, desc->width, desc->bytes, s->paper);
    return true;
}

static void scroll(struct screen *s)
{
    u32 by = (s->rows + 1) / 2; /* else all letters change with every line */

    s->top = (s->top + by) % s->rows;
    s->row = s->rows - by;
    s->stale = 0;
    s->stale_end = s->rows;
}

static void new_line(struct screen *s)
{
    s->column = 0;
    if (++s->row == s->rows)
        scroll(s);
    blank(row_of(s, s->row), 1);
}

static void put(struct screen *s, char c)
{
    if (s->column == s->columns)
        new_line(s);
    row_of(s, s->row)[s->column++] = (u16)(s->ink << 8 | (c >= FONT_FIRST && c <= '~' ? c : '?'));
    touch(s, s->row);
}

static void put_byte(struct screen *s, char c)
{
    u8 ink = (u8)((u8)c - SCREEN_INK);

    if (ink < SCREEN_INKS) {
        s->ink = ink;
        return;
    }
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
}

void screen_narrow(struct screen *s, u32 columns)
{
    clear(s);
    s->stale = 0;
    s->stale_end = s->rows;
    (void)screen_show(s, ~0u);
    s->columns = MIN(columns, s->columns);
}

void screen_box(const struct screen *s, u32 left, u32 top, u32 width, u32 height, bool white)
{
    u32 right = MIN(left + width, s->desc.width), bottom = MIN(top + height, s->desc.height);

    for (u32 y = top; y < bottom && left < right; y++)
        fill(s->pixels + (u64)y * s->desc.pitch + left * s->desc.bytes, right - left, s->desc.bytes, pixel(&s->desc, white ? 0xffffff : 0));
}
