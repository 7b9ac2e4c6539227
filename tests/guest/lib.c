/* SPDX-License-Identifier: MIT */
/* guests/lib itself: formatting, options, memory functions. */
#include "guests/lib/test.h"

static bool text_is(const char *have, const char *want)
{
    return strlen(have) == strlen(want) && memcmp(have, want, strlen(want)) == 0;
}

static void formatting(void)
{
    char buf[64];

    test_equal(pith_format(buf, sizeof(buf), "%s|%c|%%|%5s|", "a", 'b', "cd"), 12, "format-length");
    test_ok(text_is(buf, "a|b|%|   cd|"), "format-text");
    pith_format(buf, sizeof(buf), "%d %i %u %ld", -1, 0, 4000000000u, INT64_MIN);
    test_ok(text_is(buf, "-1 0 4000000000 -9223372036854775808"), "format-decimal");
    pith_format(buf, sizeof(buf), "%x %X %08x %lx %4u", 0xabu, 0xabu, 0x12u, ~0ul, 7u);
    test_ok(text_is(buf, "ab AB 00000012 ffffffffffffffff    7"), "format-hexadecimal");
    test_equal(pith_format(buf, 5, "%s", "abcdefgh"), 4, "format-cut-length");
    test_ok(text_is(buf, "abcd"), "format-cut");
}

static void options(void)
{
    static const char line[] = "ticks=12 xticks=5 last=4294967296 empty= ticks2=9";
    struct pith_start start = { .cmdline = (uintptr_t)line };

    test_equal(pith_option(&start, "ticks", 1), 12, "option-first");
    test_equal(pith_option(&start, "last", 1), 4294967296, "option-large");
    test_equal(pith_option(&start, "empty", 1), 0, "option-empty");
    test_equal(pith_option(&start, "ticks2", 1), 9, "option-last");
    test_equal(pith_option(&start, "icks", 3), 3, "option-inside-a-word");
    test_equal(pith_option(&start, "missing", 3), 3, "option-missing");
}

static void memory_functions(void)
{
    char text[16] = "0123456789";

    memmove(text + 2, text, 5);
    test_ok(text_is(text, "0101234789"), "memmove-up");
    memmove(text, text + 2, 5);
    test_ok(text_is(text, "0123434789"), "memmove-down");
    test_ok(memcmp("a", "b", 1) < 0 && memcmp("\xff", "a", 1) > 0 && memcmp("x", "y", 0) == 0, "memcmp");
}

int guest_main(const struct pith_start *start)
{
    (void)start;
    formatting();
    options();
    memory_functions();
    return test_end();
}
