/* SPDX-License-Identifier: MIT */
/* printf-style formatting: one pass, no allocation, output beyond the buffer is dropped. */
#include "hv/lib/fmt.h"

struct out {
    char *buf;
    size_t size, len;
};

struct spec {
    bool left, zero;
    size_t width, precision; /* precision: of %s, SIZE_MAX when not given */
    unsigned longs;          /* 0: int, else 64 bits */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len++] = c;
}

static void put_many(struct out *o, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
}

static void pad(struct out *o, char c, size_t width, size_t used)
{
    for (size_t i = used; i < width && o->len + 1 < o->size; i++)
        put(o, c);
}

static void put_text(struct out *o, const struct spec *spec, const char *s)
{
    size_t n = 0;

    if (!s)
        s = "(null)";
    while (n < spec->precision && s[n])
        n++;
    if (!spec->left)
        pad(o, ' ', spec->width, n);
    put_many(o, s, n);
    if (spec->left)
        pad(o, ' ', spec->width, n);
}

static void put_number(struct out *o, const struct spec *spec, u64 v, unsigned radix, bool negative)
{
    char text[20]; /* 2^64 - 1 has 20 digits */
    size_t first = sizeof(text), n;

    do {
        text[--first] = "0123456789abcdef"[v % radix];
        v /= radix;
    } while (v);
    n = negative + sizeof(text) - first;

    if (!spec->left && !spec->zero)
        pad(o, ' ', spec->width, n);
    if (negative)
        put(o, '-');
    if (!spec->left && spec->zero)
        pad(o, '0', spec->width, n);
    put_many(o, text + first, sizeof(text) - first);
    if (spec->left)
        pad(o, ' ', spec->width, n);
}

/* va_list travels inside a structure: passed as a parameter it may be an array or a copy, by the ABI's whim. */
struct args {
    va_list ap;
};

static void put_signed(struct out *o, const struct spec *spec, struct args *a)
{
    s64 v = spec->longs ? va_arg(a->ap, long long) : va_arg(a->ap, int);

    put_number(o, spec, v < 0 ? 0 - (u64)v : (u64)v, 10, v < 0);
}

static void put_unsigned(struct out *o, const struct spec *spec, struct args *a, char conv)
{
    u64 v = spec->longs ? va_arg(a->ap, unsigned long long) : va_arg(a->ap, unsigned);

    put_number(o, spec, v, conv == 'u' ? 10 : 16, false);
}

static const char *read_size(const char *f, size_t *size)
{
    *size = 0;
    for (; *f >= '0' && *f <= '9'; f++)
        *size = *size * 10 + (size_t)(*f - '0');
    return f;
}

static const char *read_spec(const char *f, struct spec *spec)
{
    *spec = (struct spec){ .precision = SIZE_MAX };
    for (; *f == '0' || *f == '-'; f++) {
        spec->zero |= *f == '0';
        spec->left |= *f == '-';
    }
    f = read_size(f, &spec->width);
    if (*f == '.')
        f = read_size(f + 1, &spec->precision);
    for (; *f == 'l' || *f == 'z'; f++)
        spec->longs++;
    return f;
}

static void convert(struct out *o, const struct spec *spec, struct args *a, char conv)
{
    char c[2] = { 0, 0 };

    switch (conv) {
    case 's':
        put_text(o, spec, va_arg(a->ap, const char *));
        return;
    case 'd':
        put_signed(o, spec, a);
        return;
    case 'u':
    case 'x':
        put_unsigned(o, spec, a, conv);
        return;
    case 'c':
        c[0] = (char)va_arg(a->ap, int);
        put_text(o, spec, c);
        return;
    case '%':
        put(o, '%');
        return;
    default: /* visible, rather than silently wrong */
        put(o, '%');
        put(o, conv);
    }
}

size_t fmt_vstr(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = { buf, size, 0 };
    struct args a;
    struct spec spec;

    if (!size)
        return 0;
    va_copy(a.ap, ap);
    while (*fmt) {
        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt = read_spec(fmt + 1, &spec);
        if (!*fmt)
            break;
        convert(&o, &spec, &a, *fmt++);
    }
    va_end(a.ap);
    buf[o.len] = 0;
    return o.len;
}

size_t fmt_str(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = fmt_vstr(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
