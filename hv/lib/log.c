/* SPDX-License-Identifier: MIT */
/* The log: a ring in memory, then the sink. */
#include "hv/lib/log.h"

#include "hv/lib/fmt.h"
#include "hv/lib/spinlock.h"

#define RING_SIZE KIB(16)
#define PREFIX    "[pith] "

static struct spinlock lock; /* of ring and head */
static char ring[RING_SIZE];
static u64 head; /* bytes ever written; the next one goes to ring[head % RING_SIZE] */
static log_sink_fn *sink_fn;
static bool panicking;
static enum log_level max_level = LOG_INFO;

void log_set_sink(log_sink_fn *sink)
{
    __atomic_store_n(&sink_fn, sink, __ATOMIC_RELEASE); /* pairs with the ACQUIRE in log_line() */
}

void log_set_level(enum log_level max)
{
    __atomic_store_n(&max_level, max, __ATOMIC_RELAXED);
}

void log_panic_begin(void)
{
    __atomic_store_n(&panicking, true, __ATOMIC_SEQ_CST);
}

bool log_panicking(void)
{
    return __atomic_load_n(&panicking, __ATOMIC_SEQ_CST);
}

/* In a panic nobody waits: whoever holds the lock, this core perhaps, will not give it back. */
static bool ring_lock(void)
{
    if (log_panicking())
        return false;
    spin_lock(&lock);
    return true;
}

static void ring_unlock(bool locked)
{
    if (locked)
        spin_unlock(&lock);
}

static void ring_put(const char *line, size_t len)
{
    bool locked = ring_lock();
    u64 at = head;

    for (size_t i = 0; i < len; i++)
        ring[(at + i) % RING_SIZE] = line[i];
    head = at + len;
    ring_unlock(locked);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[256] = PREFIX;
    size_t len = sizeof(PREFIX) - 1;
    log_sink_fn *sink = __atomic_load_n(&sink_fn, __ATOMIC_ACQUIRE);
    va_list ap;

    if (level > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
        return;
    va_start(ap, fmt);
    len += fmt_vstr(line + len, sizeof(line) - 1 - len, fmt, ap);
    va_end(ap);
    line[len++] = '\n';

    ring_put(line, len);
    if (sink)
        sink(line, len);
}

size_t log_tail(char *buf, size_t size)
{
    bool locked = ring_lock();
    u64 n = MIN(MIN(head, RING_SIZE), size);

    for (u64 i = 0; i < n; i++)
        buf[i] = ring[(head - n + i) % RING_SIZE];
    ring_unlock(locked);
    return n;
}
