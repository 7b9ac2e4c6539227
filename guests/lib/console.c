/* SPDX-License-Identifier: MIT */
/* A small printf on top of the console call. */
#include "guests/lib/pith.h"

struct out { char *buf; size_t len, size; va_list ap; };
struct spec { bool zero; unsigned width, longs; };

static void put_char(struct out *o, char c)
{
    if (o->len < o->size - 1)
        o->buf[o->len++] = c;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    for (size_t i = len; i < s->width; i++)
        put_char(o, s->zero ? '0' : ' ');
    for (size_t i = 0; i < len; i++)
        put_char(o, text[i]);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool upper, bool negative)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    size_t at = sizeof(text);

    do {
        text[--at] = digits[v % base];
        v /= base;
    } while (v);
    if (negative)
        text[--at] = '-';
    put_padded(o, s, text + at, sizeof(text) - at);
}

static const char *parse_spec(const char *p, struct spec *s)
{
    *s = (struct spec){ .zero = *p == '0' };
    for (; *p >= '0' && *p <= '9'; p++)
        s->width = s->width * 10 + (unsigned)(*p - '0');
    for (; *p == 'l' || *p == 'z'; p++)
        s->longs++;
    return p;
}

static void put_signed(struct out *o, const struct spec *s, int64_t v)
{
    put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false, v < 0);
}

static const char *text_or_null(const char *text)
{
    return text ? text : "(null)";
}

void pith_puts(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t n = left < PITH_CONSOLE_MAX ? left : PITH_CONSOLE_MAX;

        (void)pith_console_write((uintptr_t)text, n);
        text += n;
        left -= n;
    }
}

static uint64_t next_unsigned(struct out *o, const struct spec *s)
{
    return s->longs ? va_arg(o->ap, uint64_t) : va_arg(o->ap, unsigned);
}

static void put_conversion(struct out *o, const struct spec *s, char conversion)
{
    const char *text;
    char c;

    switch (conversion) {
    case 's':
        text = text_or_null(va_arg(o->ap, const char *));
        put_padded(o, s, text, strlen(text));
        break;
    case 'c':
        c = (char)va_arg(o->ap, int);
        put_padded(o, s, &c, 1);
        break;
    case 'd':
    case 'i':
        put_signed(o, s, s->longs ? va_arg(o->ap, int64_t) : va_arg(o->ap, int));
        break;
    case 'u':
        put_number(o, s, next_unsigned(o, s), 10, false, false);
        break;
    case 'x':
    case 'X':
        put_number(o, s, next_unsigned(o, s), 16, conversion == 'X', false);
        break;
    case 'p':
        put_number(o, s, (uintptr_t)va_arg(o->ap, void *), 16, false, false);
        break;
    default:
        put_char(o, conversion);
    }
}

size_t pith_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = { .buf = buf, .size = size };
    struct spec s;

    va_copy(o.ap, ap);
    while (*fmt) {
        if (*fmt != '%') {
            put_char(&o, *fmt++);
            continue;
        }
        fmt = parse_spec(fmt + 1, &s);
        if (*fmt)
            put_conversion(&o, &s, *fmt++);
    }
    va_end(o.ap);
    buf[o.len] = '\0';
    return o.len;
}

size_t pith_format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    va_start(ap, fmt);
    len = pith_vformat(buf, size, fmt, ap);
    va_end(ap);
    return len;
}

void pith_vprintf(const char *fmt, va_list ap)
{
    char line[512];

    (void)pith_vformat(line, sizeof(line), fmt, ap);
    pith_puts(line);
}

void pith_printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    pith_vprintf(fmt, ap);
    va_end(ap);
}
