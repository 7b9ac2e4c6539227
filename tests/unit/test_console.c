/* SPDX-License-Identifier: MIT */
/*
 * Many sources on one terminal.
 * LINK: hv/console.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/console.h"
#include "hv/lib/panic.h"
#include "hv/terminal.h"

static char out[4096];
static size_t out_len;
static unsigned kicks;
static struct console_source a, b;

static unsigned ink; /* what was last chosen */

void terminal_put(const char *text, size_t len)
{
    assert_in_range(out_len + len, 0, sizeof(out) - 1);
    for (size_t i = 0; i < len; i++)
        if ((u8)text[i] - TERMINAL_INK < TERMINAL_INKS)
            ink = (u8)text[i] - TERMINAL_INK;
        else
            out[out_len++] = text[i];
    out[out_len] = 0;
}
static bool full;
static u32 lost;
u32 terminal_take_lost(void) { u32 n = lost; lost = 0; return n; }
void terminal_admit_all(struct terminal_account *acc, u32 len) { acc->rest = len; }
bool terminal_admit(struct terminal_account *acc, size_t len)
{
    acc->rest -= MIN((u32)len, acc->rest);
    return !full;
}
void terminal_charge(struct terminal_account *acc) { (void)acc; }
void terminal_kick(void) { kicks++; }
bool terminal_urgent(void) { return false; }

static void say(struct console_source *s, const char *text)
{
    console_write(s, text, strlen(text));
}

static int set_up(void **state)
{
    (void)state;
    console_focus(NULL);
    console_line("", 0); /* leaves what the last test left on the terminal */
    out_len = 0;
    out[0] = 0;
    kicks = 0;
    a = (struct console_source){ .name = "a", .ink = 2 };
    b = (struct console_source){ .name = "b" };
    return 0;
}

static void lines_have_their_ink(void **state)
{
    (void)state;
    say(&a, "one\n");
    assert_int_equal(ink, 2);
    say(&b, "one\n");
    assert_int_equal(ink, 0);
    say(&a, "two\n");
    console_line("[pith] x\n", 9);
    assert_int_equal(ink, 0);
    say(&a, "\x85three\n"); /* a guest chooses none */
    assert_int_equal(ink, 2);
}

static void lines_have_their_name(void **state)
{
    (void)state;
    say(&a, "one\ntwo\n");
    assert_string_equal(out, "[a] one\n[a] two\n");
    assert_int_equal(kicks, 1);
}

static void unfinished_lines_wait(void **state)
{
    (void)state;
    say(&a, "hel");
    say(&b, "other\n");
    assert_int_equal(kicks, 1);
    say(&a, "lo\n");
    assert_string_equal(out, "[b] other\n[a] hello\n");
}

static void the_focus_shows_its_prompt(void **state)
{
    (void)state;
    console_focus(&a);
    say(&a, "# ");
    assert_string_equal(out, "[a] # ");
    say(&b, "between\n");
    assert_string_equal(out, "[a] # \n[b] between\n[a] # ");
    say(&a, "ls\n");
    assert_string_equal(out, "[a] # \n[b] between\n[a] # ls\n");
}

static void the_log_comes_between(void **state)
{
    (void)state;
    console_focus(&a);
    say(&a, "# ");
    console_line("[pith] x\n", 9);
    assert_string_equal(out, "[a] # \n[pith] x\n[a] # ");
}

/* A write that comes in pieces shows nothing of a line before all of it is there, though somebody else says something. */
static void pieces_are_not_shown(void **state)
{
    (void)state;
    console_focus(&a);
    console_begin(&a, 8);
    say(&a, "one ");
    say(&b, "between\n");
    assert_string_equal(out, "[b] between\n");
    say(&a, "two\n");
    assert_string_equal(out, "[b] between\n[a] one two\n");
    console_begin(&a, 4);
    say(&a, "# ");
    console_end(&a); /* the rest never comes */
    assert_string_equal(out, "[b] between\n[a] one two\n[a] # \n");
}

static void rubbing_out(void **state)
{
    (void)state;
    console_focus(&a);
    say(&a, "ab\b \bc\n");
    assert_string_equal(out, "[a] ac\n");
    say(&a, "xy");
    say(&a, "\b \b");
    say(&a, "\b\b\b\b"); /* not beyond the start of the line */
    say(&a, "z\n");
    assert_string_equal(out + 7, "[a] xy\b \b\b \bz\n");
}

static void nobody_speaks_for_pith(void **state)
{
    (void)state;
    say(&a, "\r[pith] lies\n");
    say(&a, "\x1b[1A\x1b[2K[pith] lies\n");
    say(&a, "\x1b]0;title\x07[pith] lies\n");
    say(&a, "\x9b"
            "1A[pith] \v\f\x7flies\n");
    assert_string_equal(out, "[a] [pith] lies\n[a] [pith] lies\n[a] [pith] lies\n[a] ?1A[pith] lies\n");
}

static void half_a_sequence_ends_with_its_guest(void **state)
{
    (void)state;
    say(&a, "text\x1b]never ends");
    console_end(&a);
    say(&a, "next\n");
    assert_string_equal(out, "[a] text\n[a] next\n");
}

/* What finds no room is lost whole: nothing of it, and no half prefix, is on the terminal. */
static void no_room(void **state)
{
    (void)state;
    say(&a, "one\nhalf");
    full = true;
    say(&a, " a line\n[pith] ");
    full = false;
    lost = 16;
    say(&b, "other\n");
    say(&a, " line\n");
    assert_string_equal(out, "[a] one\n[pith] console: 16 bytes lost\n[b] other\n[a] half line\n");
}

static void long_lines_are_broken(void **state)
{
    char text[CONSOLE_LINE + 2];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    console_write(&a, text, sizeof(text));
    assert_int_equal(out[4 + CONSOLE_LINE], '\n');
    assert_string_equal(out + 4 + CONSOLE_LINE, "\n[a] x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_have_their_ink, set_up),
        cmocka_unit_test_setup(lines_have_their_name, set_up),
        cmocka_unit_test_setup(unfinished_lines_wait, set_up),
        cmocka_unit_test_setup(the_focus_shows_its_prompt, set_up),
        cmocka_unit_test_setup(the_log_comes_between, set_up),
        cmocka_unit_test_setup(pieces_are_not_shown, set_up), cmocka_unit_test_setup(rubbing_out, set_up),
        cmocka_unit_test_setup(nobody_speaks_for_pith, set_up),
        cmocka_unit_test_setup(half_a_sequence_ends_with_its_guest, set_up),
        cmocka_unit_test_setup(no_room, set_up),
        cmocka_unit_test_setup(long_lines_are_broken, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
