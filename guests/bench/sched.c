/* SPDX-License-Identifier: MIT */
#include "guests/bench/sched.h"

struct bench_options options;
struct board *board;

static const struct { const char *word; void (*run)(const struct pith_start *start); } parts[] = {
    { "spin", shares_part }, { "periods", periods_part }, { "hog", hog_part }, { "yields", yields_part }, { "ipi", ipi_part },
    { "manager", manager_part }, { "idle", idle_part },
};

static bool begins_with(const char *text, const char *word)
{
    size_t n = strlen(word);

    return memcmp(text, word, n) == 0 && (text[n] == ' ' || !text[n]);
}

bool sched_part(const struct pith_start *start)
{
    const char *text = (const char *)(uintptr_t)start->cmdline;
    struct pith_words name = pith_name("board");

    options.me = pith_option(start, "me", 0);
    options.of = pith_option(start, "of", 1);
    options.shift = pith_option(start, "shift", 0);
    options.khz = pith_time().rcx;
    board = (struct board *)(uintptr_t)pith_channel(name.low, name.high).rbx;
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!begins_with(text, parts[i].word))
            continue;
        parts[i].run(start);
        return true;
    }
    return false;
}
