/* SPDX-License-Identifier: MIT */
/*
 * One terminal for all: whole lines "[NAME] text" on serial and screen, each from column 0. The source in focus also
 * shows its unfinished line (a prompt); when another line comes between, it is shown again below.
 */
#pragma once

#include "hv/lib/types.h"
#include "hv/terminal.h"

#define CONSOLE_LINE   240u
#define CONSOLE_ESCAPE 0x14u /* Ctrl-T: next focus */

struct console_source {
    const char *name;
    u8 ink;              /* of its lines on the screen: below TERMINAL_INKS */
    u16 len, shown;      /* bytes of the unfinished line, and how many of them stand on the terminal */
    u8 escape;           /* state of the filter that drops terminal control sequences */
    struct terminal_account account;
    char line[CONSOLE_LINE];
};

/* Text from a guest (or the monitor): control characters other than \n, \b and \t are dropped. Any core. */
void console_write(struct console_source *s, const char *text, size_t len);
/* The next @len bytes come in pieces: all of them are taken, or none. */
void console_begin(struct console_source *s, size_t len);
void console_end(struct console_source *s);             /* its guest ended: finishes the line it left, forgets half a sequence */
void console_line(const char *line, size_t len);        /* the log's sink: a finished line, '\n' included */
void console_focus(struct console_source *s);           /* who shows its unfinished line; NULL: nobody */
