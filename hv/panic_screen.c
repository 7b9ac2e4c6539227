/* SPDX-License-Identifier: MIT */
/* Static memory, no locks, no other core: nothing here can wait. */
#include "hv/panic_screen.h"

#include "drivers/screen.h"
#include "hv/lib/log.h"
#include "hv/lib/pack.h"
#include "hv/lib/qr.h"
#include "hv/lib/string.h"
#include "hv/terminal.h"

#define REPORT      "[pith] *** "  /* begins its first line */
#define COLUMNS     48u            /* two registers fit into a line */
#define PIXELS_MIN  2u             /* of a module: half a millimetre on most screens */
#define LAST_WORDS  3u             /* rows for what is said when the code is there, and for where the next line would begin */

static char text[KIB(16)], letters[QR_CHARS];
static struct qr qr;

static size_t line_begin(size_t end)
{
    size_t at = end - 1; /* the line's own '\n' */

    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

/* Where the last lines begin that fit into so many rows. False: the report's first is not among them. */
static bool last_lines(size_t len, u32 columns, u32 rows, size_t *from)
{
    bool whole = false;

    *from = len;
    while (*from > 0) {
        size_t begin = line_begin(*from), chars = *from - 1 - begin;
        u32 needs = MAX(1u, ((u32)chars + columns - 1) / columns);

        if (needs > rows)
            break;
        rows -= needs;
        *from = begin;
        whole |= !strncmp(text + begin, REPORT, sizeof(REPORT) - 1);
    }
    return whole;
}

/* In the corner at the top right. */
static void draw(const struct screen *s, u32 scale)
{
    u32 size = (qr.side + 2 * QR_MARGIN) * scale, left = s->desc.width - size;

    screen_box(s, left, 0, size, size, true);
    for (u32 y = 0; y < qr.side; y++)
        for (u32 x = 0; x < qr.side; x++)
            if (qr.module[y][x] & QR_DARK)
                screen_box(s, left + (QR_MARGIN + x) * scale, (QR_MARGIN + y) * scale, scale, scale, false);
}

bool panic_screen(void)
{
    struct screen *s = terminal_get_screen();
    size_t len = log_tail(text, sizeof(text)), from;
    u32 scale, columns, side, letter;

    if (!s || s->columns < COLUMNS || s->rows < LAST_WORDS)
        return false;
    if (!qr_encode(&qr, letters, pack_log(letters, sizeof(letters), text, len)))
        return false;
    side = qr.side + 2 * QR_MARGIN;
    letter = FONT_WIDTH * s->scale;
    scale = MIN(s->desc.width - COLUMNS * letter, s->desc.height) / side;
    columns = (s->desc.width - scale * side) / letter;
    if (scale < PIXELS_MIN || !last_lines(len, columns, s->rows - LAST_WORDS, &from))
        return false;

    screen_narrow(s, columns);
    screen_write(s, text + from, len - from);
    (void)screen_show(s, ~0u);
    draw(s, scale);
    return true;
}
