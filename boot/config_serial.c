/* SPDX-License-Identifier: MIT */
/* serial = in [pith]: which 16550 is Pith's, and how it is reached. */
#include "boot/config_parser.h"

#include "hv/abi/handoff.h"

enum { PORTS = 1, MEMORY = 2, PCI = 4 }; /* which of them an option is for */

/* A word and a number behind it; or a word in place of the number. */
static const struct option {
    const char *name;
    u32 offset; /* in struct manifest_serial */
    u32 kinds, least, most;
    const char *word, *values;
    u32 word_value;
} options[] = {
#define AT(field) offsetof(struct manifest_serial, field)
    { "irq", AT(irq), PORTS | MEMORY | PCI, 0, 255, "none", "none, or 0 to 255", MANIFEST_NONE },
    { "baud", AT(baud), PORTS | MEMORY | PCI, 50, 4000000, "keep", "keep (as the firmware left it), or 50 to 4000000", MANIFEST_BAUD_KEEP },
    { "clock", AT(clock), PORTS | MEMORY | PCI, 10000, 200000000, "", "Hz, 10000 to 200000000", 0 },
    { "stride", AT(stride), MEMORY | PCI, 1, 4, "", "1, 2 or 4", 0 },
    { "bits", AT(bits), MEMORY | PCI, 8, 32, "", "8 or 32", 0 },
    { "bar", AT(bar), PCI, 0, 5, "", "0 to 5", 0 },
    { "offset", AT(base), PCI, 0, 0xffff, "", "0 to 0xffff", 0 },
#undef AT
};

static struct slice next_word(struct slice *v)
{
    struct slice word;

    *v = slice_trim(*v);
    word = *v;
    for (word.len = 0; v->len && *v->at != ' ' && *v->at != '\t'; word.len++, v->at++)
        v->len--;
    return word;
}

static bool hex(struct slice s, u32 most, u32 *n)
{
    *n = 0;
    for (size_t i = 0; i < s.len && i < 4; i++)
        *n = *n << 4 | slice_digit(s.at[i]);
    return s.len > 0 && s.len <= 2 && *n <= most;
}

/* 00:1f.3 */
static bool read_function(struct slice s, u32 *function)
{
    struct slice bus, device;
    u32 b, d, f;

    if (!slice_cut(&s, ':', &bus) || !slice_cut(&s, '.', &device) || !hex(bus, 255, &b) || !hex(device, 31, &d) || !hex(s, 7, &f))
        return false;
    *function = b << 8 | d << 3 | f;
    return true;
}

/* What the first words say; false: none of it. */
static bool read_place(struct slice word, struct slice *rest, struct manifest_serial *s)
{
    *s = manifest_com(0);
    if (word.len == 4 && slice_is((struct slice){ word.at, 3 }, "com") && word.at[3] >= '1' && word.at[3] <= '4') {
        *s = manifest_com((u32)(word.at[3] - '1'));
        return true;
    }
    s->irq = MANIFEST_NONE;
    s->base = 0;
    if (slice_is(word, "port")) {
        if (!slice_number(next_word(rest), &s->base) || s->base > 0xffff)
            return false;
        for (u32 n = 0; n < 4; n++)
            if (s->base == manifest_com(n).base)
                *s = manifest_com(n);
        return true;
    }
    if (slice_is(word, "memory")) {
        s->kind = MANIFEST_LINE_MEMORY;
        s->baud = MANIFEST_BAUD_KEEP; /* their clocks differ */
        return slice_number(next_word(rest), &s->base) && s->base;
    }
    s->kind = MANIFEST_LINE_PCI;
    return slice_is(word, "pci") && read_function(next_word(rest), &s->function);
}

static bool read_option(struct parser *p, struct slice name, struct slice value, struct manifest_serial *s)
{
    static const u32 kinds[] = { [MANIFEST_LINE_PORTS] = PORTS, [MANIFEST_LINE_MEMORY] = MEMORY, [MANIFEST_LINE_PCI] = PCI };
    const struct option *o = options;
    char quote[CONFIG_QUOTE];
    u64 n;

    while (o < options + ARRAY_SIZE(options) && !(slice_is(name, o->name) && (o->kinds & kinds[s->kind])))
        o++;
    if (o == options + ARRAY_SIZE(options)) {
        parser_error(p, "'%s' says nothing about such a serial line - %s", slice_quote(name, quote),
                     s->kind == MANIFEST_LINE_PORTS    ? "write irq, baud or clock"
                     : s->kind == MANIFEST_LINE_MEMORY ? "write irq, baud, clock, stride or bits"
                                                       : "write bar, offset, irq, baud, clock, stride or bits");
        return false;
    }
    if (*o->word && slice_is(value, o->word)) {
        n = o->word_value;
    } else if (!slice_number(value, &n) || n < o->least || n > o->most ||
               (o->offset == offsetof(struct manifest_serial, stride) && n == 3) ||
               (o->offset == offsetof(struct manifest_serial, bits) && n != 8 && n != 32)) {
        parser_error(p, "'%s' is no value of '%s' in 'serial' - write %s", slice_quote(value, quote), o->name, o->values);
        return false;
    }
    if (o->offset == offsetof(struct manifest_serial, base))
        s->base = n;
    else
        *(u32 *)(void *)((char *)s + o->offset) = (u32)n;
    return true;
}

/* What pith-check can know of it, too. */
static void check(struct parser *p, struct manifest_serial *s)
{
    bool ports = s->kind == MANIFEST_LINE_PORTS;
    u64 last;
    const char *kept;

    if (s->stride < s->bits / 8)
        s->stride = s->bits / 8;
    last = s->base + 8ull * s->stride - 1;
    kept = s->kind == MANIFEST_LINE_PCI ? NULL : manifest_kept(ports, s->base, last);
    if (kept)
        parser_error(p, "0x%lx-0x%lx is no serial line, it belongs to %s - correct serial", s->base, last, kept);
    else if (ports && last > 0xffff)
        parser_error(p, "a serial line has eight ports, and the last port is 0xffff - correct serial");
    else if (s->kind == MANIFEST_LINE_MEMORY && (last < s->base || last >= HANDOFF_SERIAL_END || s->base % (s->bits / 8)))
        parser_error(p, "serial = memory 0x%lx is above 4 TiB, or no multiple of the %u bytes of a register - correct it", s->base,
                     s->bits / 8);
}

void config_set_serial(struct parser *p, struct slice v)
{
    struct manifest_serial *s = &p->cfg->manifest.serial;
    struct slice rest = v, word = next_word(&rest);
    char quote[CONFIG_QUOTE];

    p->cfg->serial_line = p->line;
    if (slice_is(v, "auto"))
        return;
    *s = (struct manifest_serial){ .kind = MANIFEST_LINE_NONE };
    if (slice_is(v, "none"))
        return;
    if (!read_place(word, &rest, s)) {
        parser_error(p, "serial = %s names no serial line - write auto, none, com1 to com4, port 0x2f8, memory 0xfe034000 or pci 00:1f.3",
                     slice_quote(v, quote));
        *s = (struct manifest_serial){ .kind = MANIFEST_LINE_NONE };
        return;
    }
    for (word = next_word(&rest); word.len; word = next_word(&rest))
        if (!read_option(p, word, next_word(&rest), s))
            return;
    check(p, s);
}
