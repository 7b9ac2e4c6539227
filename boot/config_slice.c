/* SPDX-License-Identifier: MIT */
/*
 * Slices of the text of pith.conf: cutting, comparing, numbers, and the nearest known word for a
 * mistyped one.
 */
#include "boot/config_parser.h"

#define WORD_MAX 24u /* longer than any key or value word */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool slice_is(struct slice s, const char *word)
{
    size_t i = 0;

    while (i < s.len && word[i] && s.at[i] == word[i])
        i++;
    return i == s.len && word[i] == '\0';
}

bool slice_cut(struct slice *s, char c, struct slice *before)
{
    for (size_t i = 0; i < s->len; i++) {
        if (s->at[i] == c) {
            *before = (struct slice){ s->at, i };
            *s = (struct slice){ s->at + i + 1, s->len - i - 1 };
            return true;
        }
    }
    return false;
}

/* Value of one digit, or 255. */
u32 slice_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (u32)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (u32)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (u32)(c - 'A') + 10;
    return 255;
}

bool slice_number(struct slice s, u64 *n)
{
    u32 base = 10;

    if (s.len > 2 && s.at[0] == '0' && (s.at[1] == 'x' || s.at[1] == 'X')) {
        base = 16;
        s = (struct slice){ s.at + 2, s.len - 2 };
    }
    *n = 0;
    for (size_t i = 0; i < s.len; i++) {
        u32 d = slice_digit(s.at[i]);

        if (d >= base || __builtin_mul_overflow(*n, base, n) || __builtin_add_overflow(*n, d, n))
            return false;
    }
    return s.len > 0;
}

const char *slice_quote(struct slice s, char buf[CONFIG_QUOTE])
{
    bool cut = s.len >= CONFIG_QUOTE;
    size_t n = cut ? CONFIG_QUOTE - 4 : s.len;

    for (size_t i = 0; i < n; i++)
        buf[i] = s.at[i] >= ' ' && s.at[i] <= '~' ? s.at[i] : '?';
    for (size_t i = 0; cut && i < 3; i++)
        buf[n++] = '.';
    buf[n] = '\0';
    return buf;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters must be inserted, removed or replaced to get from one word to the other. */
static u32 edit_distance(struct slice s, const char *word)
{
    u32 row[WORD_MAX + 1], n = 0;

    for (; word[n] && n < WORD_MAX; n++)
        row[n] = n;
    row[n] = n;
    for (u32 i = 0; i < s.len; i++) {
        u32 diagonal = row[0];

        row[0] = i + 1;
        for (u32 k = 1; k <= n; k++) {
            u32 replace = diagonal + (lower(s.at[i]) != word[k - 1]);

            diagonal = row[k];
            row[k] = MIN(replace, 1 + MIN(row[k], row[k - 1]));
        }
    }
    return row[n];
}

const char *slice_nearest(struct slice s, const void *names, size_t stride, u32 n)
{
    const char *best = NULL;
    u32 best_distance = s.len > 4 ? 3 : MIN((u32)s.len, 2); /* further off is no typing mistake */

    if (s.len > WORD_MAX)
        return NULL;
    for (u32 i = 0; i < n; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)names + i * stride);
        u32 d = edit_distance(s, name);

        if (d < best_distance) {
            best_distance = d;
            best = name;
        }
    }
    return best;
}
