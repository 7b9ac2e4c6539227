/* SPDX-License-Identifier: MIT */
/*
 * Traces as pith-trace gets them: dumps in logs, with lines, words and bytes changed, and rings with odd heads. What it accepts
 * must come out in order and add up; what it refuses it must explain.
 * LINK: tools/trace_log.c
 */
#include <stdarg.h>
#include <stddef.h>

#include "tests/fuzz/fuzz.h"
#include "tools/trace_log.h"

enum { TEXT_MAX = 8192, RECORDS = 16 };

static const char *const words[] = {
    "[monitor] T partition 0 a\n", "[monitor] T partition 15 abcdefghijklmno\n", "[monitor] T ring 0 1000\n",
    "[monitor] T ring 255 4294967295\n", "[monitor] trace end 0 records, 0 dropped\n",
    "[monitor] trace end 1 records, 18446744073709551615 dropped\n", "[monitor] ", "T ", "\r\n", "\n", " ",
    "0", "ffffffffffffffff", "10000000000000000", "4294967296", "256", "16", "-1", "partition", "ring", "records, ",
};

static size_t add(char *text, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static size_t add(char *text, size_t at, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text + at, TEXT_MAX - at, fmt, ap);
    va_end(ap);
    return MIN(at + (size_t)n, (size_t)TEXT_MAX - 1);
}

/* Kinds mostly that there are. */
static u64 last_word(void)
{
    u64 kind = fuzz_below(2) ? fuzz_below(20) : 32 + fuzz_below(9);

    if (fuzz_below(50) == 0)
        kind = fuzz_next() & 0xff;
    return (fuzz_next() & 0x30ffff00ffffffffull) | kind << 32;
}

static size_t make_log(char *text)
{
    u64 n = fuzz_below(RECORDS);
    size_t size = 0;

    for (u32 i = 0; i < 4; i++)
        size = add(text, size, "[monitor] T partition %u p%u\n", i, i);
    for (u32 i = 0; i < 2; i++)
        size = add(text, size, "[monitor] T ring %u %lu\n", i, 1 + fuzz_below(5000000));
    for (u64 i = 0; i < n; i++)
        size = add(text, size, "[monitor] T %lu %lx %lx %lx %lx\n", fuzz_below(2), fuzz_number(), fuzz_number(), fuzz_next(), last_word());
    return add(text, size, "[monitor] trace end %lu records, %lu dropped\n", n, fuzz_below(9));
}

static size_t change(char *text, size_t size)
{
    const char *word = words[fuzz_below(ARRAY_SIZE(words))];
    size_t at = fuzz_below(size + 1), len = strlen(word), cut = fuzz_below(size - at + 1);

    switch (fuzz_below(5)) {
    case 0:
        if (at < size)
            text[at] = (char)fuzz_next();
        return size;
    case 1: return at; /* cut off */
    case 2:
        cut = MIN(cut, (size_t)8);
        memmove(text + at, text + at + cut, size - at - cut);
        return size - cut;
    case 3: return size;
    default:
        if (size + len >= TEXT_MAX)
            return size;
        memmove(text + at + len, text + at, size - at);
        memcpy(text + at, word, len);
        return size + len;
    }
}

static size_t make_ring(char *data)
{
    struct pith_trace_ring r = { .magic = PITH_TRACE_MAGIC, .core = (u32)fuzz_below(260), .mask = (1u << fuzz_below(5)) - 1,
                                 .khz = (u32)fuzz_below(3), .head = fuzz_number(), .from = fuzz_number() };
    size_t size = sizeof(r) + (r.mask + 1ul) * sizeof(struct pith_trace);

    if (fuzz_below(4))
        r.from = r.head - MIN(r.head, fuzz_below(40));
    if (fuzz_below(8) == 0)
        r.mask = (u32)fuzz_next();
    memcpy(data, &r, sizeof(r));
    for (size_t i = sizeof(r); i < size; i += 8) {
        u64 word = i % 32 == 24 ? last_word() : fuzz_number();

        memcpy(data + i, &word, sizeof(word));
    }
    return fuzz_below(4) ? size : fuzz_below(size + 1);
}

static void check(struct trace_log *log)
{
    struct trace_sum sums[3];
    char details[40];
    size_t exits = 0, groups;

    trace_sort(log);
    groups = trace_summary(log, sums, ARRAY_SIZE(sums));
    for (size_t i = 0; i < log->nr; i++) {
        FUZZ_CHECK(i == 0 || log->entries[i - 1].t.tsc <= log->entries[i].t.tsc);
        FUZZ_CHECK(trace_kind_name(log->entries[i].t.kind) && log->khz[log->entries[i].core]);
        FUZZ_CHECK(trace_details(&log->entries[i].t, details, sizeof(details)) < sizeof(details));
        exits += log->entries[i].t.kind < PITH_TRACE_INJECT;
    }
    FUZZ_CHECK(groups <= exits && (groups > 0) == (exits > 0));
    for (size_t i = 0; i < MIN(groups, ARRAY_SIZE(sums)); i++)
        FUZZ_CHECK(sums[i].count && sums[i].min <= sums[i].median && sums[i].median <= sums[i].max && sums[i].total >= sums[i].max);
    fuzz_accepted++;
}

static void one(void)
{
    static char data[TEXT_MAX];
    struct trace_log log = { 0 };
    bool ring = fuzz_below(3) == 0;
    size_t size = ring ? make_ring(data) : make_log(data);
    char *exact;

    for (u64 n = ring ? 0 : fuzz_below(4); n > 0; n--)
        size = change(data, size);
    exact = malloc(size ? size : 1); /* no byte more, so that reading one is seen */
    memcpy(exact, data, size);
    if (trace_add(&log, exact, size))
        check(&log);
    else
        FUZZ_CHECK(memchr(log.error, 0, sizeof(log.error)) && strstr(log.error, " - "));
    free(exact);
    trace_free(&log);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one, 40000, 2000000);
}
