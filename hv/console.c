/* SPDX-License-Identifier: MIT */
/* Lines of many on one terminal. */
#include "hv/console.h"

#include "hv/lib/fmt.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"
#include "hv/terminal.h"

static struct spinlock console_lock;
static struct console_source *open;   /* whose unfinished line stands on the terminal */
static struct console_source *focus;

/* A panic does not wait: whoever holds the lock may be stopped for good. */
static bool lock(void)
{
    if (terminal_urgent())
        return false;
    spin_lock(&console_lock);
    return true;
}

static void unlock(bool locked)
{
    if (locked)
        spin_unlock(&console_lock);
}

static void put(const char *text, size_t len)
{
    terminal_put(text, len);
}

/* Leaves the unfinished line that stands on the terminal; it is shown again later. */
static void close_open(void)
{
    if (!open)
        return;
    put("\n", 1);
    open->shown = 0;
    open = NULL;
}

static void put_ink(u8 ink)
{
    char mark = (char)(TERMINAL_INK + ink);

    put(&mark, 1);
}

static void put_name(const struct console_source *s)
{
    put_ink(s->ink);
    put("[", 1);
    put(s->name, strlen(s->name));
    put("] ", 2);
}

static void show(struct console_source *s)
{
    if (open != s) {
        close_open();
        put_name(s);
        open = s;
    }
    if (s->len > s->shown)
        put(s->line + s->shown, (size_t)(s->len - s->shown));
    s->shown = s->len;
}

static void show_focus(void)
{
    if (focus && focus->len > focus->shown && !focus->account.rest) /* what is on its way is not torn */
        show(focus);
}

/* Between lines only: in the middle of one it would let the rest of that line stand without its name. */
static void tell_lost(void)
{
    u32 n = terminal_take_lost();
    char line[64];

    if (!n)
        return;
    close_open();
    put_ink(0);
    put(line, fmt_str(line, sizeof(line), "[pith] console: %u bytes lost\n", n));
}

static void finish_line(struct console_source *s)
{
    show(s);
    put("\n", 1);
    open = NULL;
    s->len = s->shown = 0;
}

static void rub_out(struct console_source *s)
{
    if (!s->len)
        return;
    s->len--;
    if (s->shown > s->len) {
        s->shown = s->len;
        put("\b \b", 3);
    }
}

enum { TEXT, AFTER_ESC, IN_CSI, IN_OSC };

/* Terminal control sequences are dropped: on a shared terminal they would let a guest overwrite other people's lines. */
static bool filtered(struct console_source *s, u8 c)
{
    switch (s->escape) {
    case AFTER_ESC:
        s->escape = c == '[' ? IN_CSI : c == ']' ? IN_OSC : TEXT;
        return true;
    case IN_CSI:
        if (c >= 0x40 && c <= 0x7e)
            s->escape = TEXT;
        return true;
    case IN_OSC:
        if (c == 7 || c == 0x1b)
            s->escape = c == 7 ? TEXT : AFTER_ESC;
        return true;
    default:
        if (c == 0x1b)
            s->escape = AFTER_ESC;
        return c == 0x1b;
    }
}

static void take(struct console_source *s, u8 c)
{
    if (filtered(s, c))
        return;
    if (c == '\n') {
        finish_line(s);
        return;
    }
    if (c == '\b') {
        rub_out(s);
        return;
    }
    if (c == '\t')
        c = ' ';
    if (c < ' ' || c == 0x7f)
        return;
    if (c >= 0x80) /* some terminals take 80-9F for control sequences */
        c = '?';
    if (s->len == CONSOLE_LINE)
        finish_line(s);
    s->line[s->len++] = (char)c;
}

void console_write(struct console_source *s, const char *text, size_t len)
{
    bool locked = lock();
    bool whole_line = false;

    if (terminal_admit(&s->account, len)) {
        tell_lost();
        for (size_t i = 0; i < len; i++) {
            take(s, (u8)text[i]);
            whole_line |= text[i] == '\n';
        }
        show_focus();
        terminal_charge(&s->account);
    }
    unlock(locked);
    if (whole_line)
        terminal_kick(); /* less can wait for core 0's next look: an IPI a byte would disturb its guests */
}

void console_begin(struct console_source *s, size_t len)
{
    bool locked = lock();

    terminal_admit_all(&s->account, (u32)len);
    unlock(locked);
}

void console_end(struct console_source *s)
{
    s->escape = TEXT;
    s->account.rest = 0;
    if (s->len)
        console_write(s, "\n", 1);
}

void console_line(const char *line, size_t len)
{
    bool locked = lock();

    tell_lost();
    close_open();
    put_ink(0);
    put(line, len);
    show_focus();
    unlock(locked);
    terminal_kick();
}

void console_focus(struct console_source *s)
{
    bool locked = lock();

    focus = s;
    unlock(locked);
}
