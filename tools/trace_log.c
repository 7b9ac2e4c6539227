/* SPDX-License-Identifier: MIT */
/* Parser of traces. Whatever the bytes are, it says what is wrong with them. */
#include "tools/trace_log.h"

#include "hv/abi/hypercall.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "[monitor] "

struct line { const char *at; size_t len; };
struct reader {
    struct trace_log *log;
    uint32_t line;
    size_t first;     /* entry of this dump */
    bool begun, ended;
};

static bool fail(struct trace_log *log, uint32_t line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool fail(struct trace_log *log, uint32_t line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(log->error, sizeof(log->error), fmt, ap);
    va_end(ap);
    log->error_line = line;
    return false;
}

const char *trace_kind_name(uint32_t kind)
{
    static const char *const names[PITH_TRACE_KINDS] = {
#define KIND(nr, name) [nr] = #name,
        PITH_TRACE_EXITS(KIND) PITH_TRACE_EVENTS(KIND)
#undef KIND
    };

    return kind < PITH_TRACE_KINDS ? names[kind] : NULL;
}

static bool add(struct trace_log *log, uint32_t line, uint32_t core, const struct pith_trace *t)
{
    if (t->kind == PITH_TRACE_PENDING)
        return true;
    if (!trace_kind_name(t->kind))
        return fail(log, line, "there is no kind %u of record - damaged, or of another version of Pith", t->kind);
    if (log->nr == log->room) {
        size_t room = log->room ? 2 * log->room : 1024;
        struct trace_entry *bigger = realloc(log->entries, room * sizeof(*bigger));

        if (!bigger)
            return fail(log, line, "out of memory after %zu records", log->nr);
        log->entries = bigger;
        log->room = room;
    }
    log->entries[log->nr++] = (struct trace_entry){ *t, core };
    return true;
}

/* --- text */

static bool starts(struct line *l, const char *text)
{
    size_t len = strlen(text);

    if (l->len < len || memcmp(l->at, text, len) != 0)
        return false;
    l->at += len;
    l->len -= len;
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* A number at the start of @l, then a space, which goes too, or the end. */
static bool number(struct line *l, unsigned base, uint64_t *n)
{
    size_t i = 0;

    for (*n = 0; i < l->len && (unsigned)digit(l->at[i]) < base; i++) {
        if (*n > UINT64_MAX / base)
            return false;
        *n = *n * base + (unsigned)digit(l->at[i]);
    }
    if (i == 0 || (i < l->len && l->at[i] != ' '))
        return false;
    i += i < l->len;
    l->at += i;
    l->len -= i;
    return true;
}

static bool name_line(struct reader *r, struct line l)
{
    uint64_t i;

    if (!number(&l, 10, &i) || i >= TRACE_PARTITIONS || l.len == 0 || l.len > 15)
        return fail(r->log, r->line, "a line 'T partition' has a number below 16 and a name - this one is damaged");
    if (i == 0) { /* the first line of a dump */
        r->log->nr = r->first;
        r->begun = true;
        r->ended = false;
    }
    memcpy(r->log->names[i], l.at, l.len);
    r->log->names[i][l.len] = 0;
    return true;
}

static bool ring_line(struct reader *r, struct line l)
{
    uint64_t core, khz;

    if (!number(&l, 10, &core) || !number(&l, 10, &khz) || l.len || core >= TRACE_CORES || khz == 0 || khz > UINT32_MAX)
        return fail(r->log, r->line, "a line 'T ring' has a core and its kHz - this one is damaged");
    r->log->khz[core] = (uint32_t)khz;
    return true;
}

static bool record_line(struct reader *r, struct line l)
{
    uint64_t core, words[4];
    struct pith_trace t;

    if (!number(&l, 10, &core) || core >= TRACE_CORES || !r->log->khz[core])
        return fail(r->log, r->line, "a record of a core that has no 'T ring' line - the console lost some, or it is damaged");
    for (unsigned i = 0; i < 4; i++)
        if (!number(&l, 16, &words[i]))
            return fail(r->log, r->line, "word %u of a record is no hexadecimal number of 64 bits - damaged", i + 1);
    if (l.len)
        return fail(r->log, r->line, "a record has four words and here is more - damaged");
    memcpy(&t, words, sizeof(t));
    if (!r->log->names[t.source >> 4][0])
        return fail(r->log, r->line, "a record of partition %u, which has no 'T partition' line - damaged", t.source >> 4);
    return add(r->log, r->line, (uint32_t)core, &t);
}

static bool end_line(struct reader *r, struct line l)
{
    uint64_t records, dropped;

    if (!r->begun || !number(&l, 10, &records) || !starts(&l, "records, ") || !number(&l, 10, &dropped))
        return fail(r->log, r->line, "the end of a dump says how many records it had, and follows them - damaged");
    if (records != r->log->nr - r->first)
        return fail(r->log, r->line, "%zu records are here and the dump had %llu - the console lost some: dump again",
                    r->log->nr - r->first, (unsigned long long)records);
    r->log->dropped += dropped;
    r->ended = true;
    return true;
}

static bool one_line(struct reader *r, struct line l)
{
    if (l.len && l.at[l.len - 1] == '\r')
        l.len--;
    if (!starts(&l, PREFIX))
        return true;
    if (starts(&l, "trace end "))
        return end_line(r, l);
    if (!starts(&l, "T "))
        return true;
    if (starts(&l, "partition "))
        return name_line(r, l);
    if (!r->begun || r->ended)
        return fail(r->log, r->line, "this is in no dump, the lines 'T partition' before it are missing - cut off or damaged");
    return starts(&l, "ring ") ? ring_line(r, l) : record_line(r, l);
}

static bool add_text(struct trace_log *log, const char *text, size_t size)
{
    struct reader r = { .log = log, .first = log->nr };

    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        struct line l = { text, (size_t)((newline ? newline : end) - text) };

        r.line++;
        if (!one_line(&r, l))
            return false;
        text += l.len + 1;
        if (!newline)
            break;
    }
    if (!r.begun)
        return fail(log, r.line, "there is no trace here - type `trace dump` in the monitor");
    return r.ended || fail(log, r.line, "the dump does not end - the log was cut off");
}

/* --- a ring */

static bool add_ring(struct trace_log *log, const char *data, size_t size)
{
    struct pith_trace_ring r;
    struct pith_trace t;
    uint64_t records;

    memcpy(&r, data, sizeof(r));
    records = r.mask + 1ull;
    if (r.core >= TRACE_CORES || r.khz == 0 || (r.mask & (r.mask + 1)) || r.mask == UINT32_MAX || r.from > r.head)
        return fail(log, 0, "the head of the ring makes no sense - damaged");
    if ((size - sizeof(r)) / sizeof(t) < records)
        return fail(log, 0, "a ring of %llu records has %zu bytes, not %zu - cut off", (unsigned long long)records,
                    sizeof(r) + records * sizeof(t), size);
    log->khz[r.core] = r.khz;
    if (r.head - r.from > records) {
        log->dropped += r.head - r.from - records;
        r.from = r.head - records;
    }
    for (; r.from < r.head; r.from++) {
        memcpy(&t, data + sizeof(r) + (r.from & r.mask) * sizeof(t), sizeof(t));
        if (!add(log, 0, r.core, &t))
            return false;
    }
    return true;
}

bool trace_add(struct trace_log *log, const void *data, size_t size)
{
    const uint32_t magic = PITH_TRACE_MAGIC;

    if (size >= sizeof(struct pith_trace_ring) && memcmp(data, &magic, sizeof(magic)) == 0)
        return add_ring(log, data, size);
    return add_text(log, data, size);
}

static int by_time(const void *a, const void *b)
{
    const struct trace_entry *x = a, *y = b;

    if (x->t.tsc != y->t.tsc)
        return x->t.tsc < y->t.tsc ? -1 : 1;
    return (x->core > y->core) - (x->core < y->core);
}

void trace_sort(struct trace_log *log)
{
    if (log->nr)
        qsort(log->entries, log->nr, sizeof(*log->entries), by_time);
}

void trace_free(struct trace_log *log)
{
    free(log->entries);
    memset(log, 0, sizeof(*log));
}

/* --- text of a record */

static const char *access_of(const struct pith_trace *t)
{
    return t->flags & PITH_TRACE_WRITE ? "write" : "read";
}

static const char *call_name(unsigned nr)
{
    static const char *const names[] = {
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) [nr] = #NAME,
#include "hv/abi/hypercalls.def"
#undef HC
    };

    return nr < sizeof(names) / sizeof(names[0]) && names[nr] ? names[nr] : "?";
}

static int put(const struct pith_trace *t, char *buf, size_t size)
{
    static const char *const leaves[] = { "yield", "block", "stop" };
    static const char *const ends[] = { "none", "exit", "fault", "stopped", "reset" };
    unsigned long long value = t->value;
    unsigned low = t->operand & 0xffff, high = t->operand >> 16;

    switch (t->kind) {
    case PITH_TRACE_CPUID:
        return snprintf(buf, size, "leaf=%x sub=%llx", t->operand, value);
    case PITH_TRACE_MSR:
        return snprintf(buf, size, "%s msr=%x value=%llx", access_of(t), t->operand, value);
    case PITH_TRACE_CR:
    case PITH_TRACE_DR:
        return snprintf(buf, size, "%s number=%u gpr=%u", access_of(t), t->operand & 0xff, t->operand >> 8 & 0xff);
    case PITH_TRACE_XSETBV:
        return snprintf(buf, size, "xcr=%x value=%llx", t->operand, value);
    case PITH_TRACE_PIO:
        return snprintf(buf, size, "%s%s%s port=%x size=%u value=%llx", access_of(t), t->flags & PITH_TRACE_STRING ? " string" : "",
                        t->flags & PITH_TRACE_REP ? " rep" : "", low, high, value & ((1ull << 8 * (high & 7)) - 1));
    case PITH_TRACE_S2_FAULT:
        return snprintf(buf, size, "%s%s%s gpa=%llx", t->flags & PITH_TRACE_FETCH ? "fetch" : access_of(t),
                        t->flags & PITH_TRACE_MAPPED ? " mapped" : "", t->flags & PITH_TRACE_WALK ? " walk" : "", value);
    case PITH_TRACE_HYPERCALL:
        if (high == PITH_CALL_BASE >> 16)
            return snprintf(buf, size, "call=%u %s first=%x status=%d", low, call_name(low), (unsigned)value, (int)(value >> 32));
        return snprintf(buf, size, "call=none eax=%x first=%x status=%d", t->operand, (unsigned)value, (int)(value >> 32));
    case PITH_TRACE_INSN:
        return snprintf(buf, size, "which=%u", t->operand);
    case PITH_TRACE_EXCEPTION:
        return snprintf(buf, size, "vector=%u error=%x info=%llx", low, high, value);
    case PITH_TRACE_INJECT:
        return snprintf(buf, size, "vector=%u error=%x type=%llu", low, high, value);
    case PITH_TRACE_ENTRY_FAILED:
    case PITH_TRACE_OTHER:
        return snprintf(buf, size, "reason=%x detail=%llx", t->operand, value);
    case PITH_TRACE_SCHED_OUT:
        return snprintf(buf, size, "%s after=%llu", t->operand < 3 ? leaves[t->operand] : "?", value);
    case PITH_TRACE_STOP:
    case PITH_TRACE_END:
        return snprintf(buf, size, "%s status=%llu", t->operand < 5 ? ends[t->operand] : "?", value);
    case PITH_TRACE_RESTART:
        return snprintf(buf, size, "count=%u ms=%llu", t->operand, value);
    default:
        return snprintf(buf, size, "%s", "");
    }
}

size_t trace_details(const struct pith_trace *t, char *buf, size_t size)
{
    int n = put(t, buf, size);

    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* --- summary */

static int by_group(const void *a, const void *b)
{
    const struct pith_trace *x = a, *y = b;

    if (x->source >> 4 != y->source >> 4)
        return (x->source >> 4) - (y->source >> 4);
    if (x->kind != y->kind)
        return x->kind - y->kind;
    return (x->ticks > y->ticks) - (x->ticks < y->ticks);
}

static struct trace_sum sum_of(const struct pith_trace *first, size_t n)
{
    struct trace_sum s = { .partition = first->source >> 4, .kind = first->kind, .count = n };

    s.min = first->ticks;
    s.median = first[(n - 1) / 2].ticks;
    s.max = first[n - 1].ticks;
    for (size_t i = 0; i < n; i++)
        s.total += first[i].ticks;
    return s;
}

size_t trace_summary(const struct trace_log *log, struct trace_sum *sums, size_t room)
{
    struct pith_trace *all = malloc((log->nr + 1) * sizeof(*all));
    size_t nr = 0, groups = 0, n;

    if (!all)
        return 0;
    for (size_t i = 0; i < log->nr; i++)
        if (log->entries[i].t.kind < PITH_TRACE_INJECT)
            all[nr++] = log->entries[i].t;
    qsort(all, nr, sizeof(*all), by_group);
    for (size_t i = 0; i < nr; i += n) {
        for (n = 1; i + n < nr && all[i + n].kind == all[i].kind && all[i + n].source >> 4 == all[i].source >> 4;)
            n++;
        if (groups < room)
            sums[groups] = sum_of(&all[i], n);
        groups++;
    }
    free(all);
    return groups;
}
