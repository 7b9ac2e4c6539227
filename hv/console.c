/* SPDX-License-Identifier: MIT */
/* The one terminal: serial line and screen, shared by the hypervisor and every partition. */
#include "hv/console.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/host.h"
#include "drivers/screen.h"
#include "drivers/uart16550.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"

#define COM1       0x3f8u
#define LOCK_SPINS (1u << 26) /* far longer than any holder needs: then it was stopped by a panic, and output goes on */

static bool have_uart, have_screen;
static struct screen screen;
static u32 locked;
static struct console_source *open;   /* whose unfinished line stands on the terminal */
static struct console_source *focus;

static void lock(void)
{
    for (u32 i = 0; i < LOCK_SPINS && __atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE); i++)
        cpu_relax();
}

static void unlock(void)
{
    __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

static void put(const char *text, size_t len)
{
    for (size_t i = 0; have_uart && i < len; i++) {
        if (text[i] == '\n')
            uart_put(COM1, '\r');
        uart_put(COM1, (u8)text[i]);
    }
    if (have_screen)
        screen_write(&screen, text, len);
}

void console_early(void)
{
    have_uart = uart_init(COM1);
}

void console_screen(const struct handoff *h)
{
    struct screen_desc desc = { .width = h->fb.width, .height = h->fb.height, .pitch = h->fb.pitch };
    static char text[2048];
    void *pixels;

    if (h->fb.format == HANDOFF_FB_NONE)
        return;
    desc.format = h->fb.format == HANDOFF_FB_RGBX ? SCREEN_RGBX : SCREEN_BGRX;
    pixels = host_map(h->fb.base, (u64)desc.pitch * desc.height, HOST_WC);
    if (!pixels || !screen_init(&screen, &desc, pixels)) {
        log_warn("the screen (%ux%u) cannot be used", desc.width, desc.height);
        return;
    }
    have_screen = true;
    screen_write(&screen, text, log_tail(text, sizeof(text))); /* what was said before there was a screen */
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

static void put_name(const struct console_source *s)
{
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
    put(s->line + s->shown, (size_t)(s->len - s->shown));
    s->shown = s->len;
}

static void show_focus(void)
{
    if (focus && focus->len > focus->shown)
        show(focus);
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
        put("\b", 1);
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
    if (s->len == CONSOLE_LINE)
        finish_line(s);
    s->line[s->len++] = (char)c;
}

void console_write(struct console_source *s, const char *text, size_t len)
{
    lock();
    for (size_t i = 0; i < len; i++)
        take(s, (u8)text[i]);
    show_focus();
    unlock();
}

void console_line(const char *line, size_t len)
{
    lock();
    close_open();
    put(line, len);
    show_focus();
    unlock();
}

void console_focus(struct console_source *s)
{
    lock();
    focus = s;
    unlock();
}

int console_getc(void)
{
    return have_uart ? uart_get(COM1) : -1;
}
