/* SPDX-License-Identifier: MIT */
/*
 * Serial line and screen. Text goes into a ring; core 0 moves it out as fast as the line takes it, so that nobody waits for
 * a slow or dead line. Until terminal_start(), and once a panic has begun, text is out before the call returns.
 */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

#define TERMINAL_INK  0x80u /* bytes from here on, in the text: what follows is in that colour on the screen; 0: the usual one */
#define TERMINAL_INKS 10u

struct screen;

/* What one source has in the ring since that was last empty. */
struct terminal_account { u32 epoch, bytes, from, rest; bool refused; };

void terminal_early(const struct handoff *h);    /* the serial line, where entry.S's tables show it */
void terminal_screen_early(const struct handoff *h); /* adds the screen, likewise */
void terminal_late(const struct handoff *h);     /* adds both wherever they are, if they are */
bool terminal_line_interrupt(u8 vector);         /* core 0: has the serial line interrupt it; false: it is to be polled */
u32 terminal_line_gsi(void);                     /* by which interrupt; HANDOFF_NO_GSI: none */
struct screen *terminal_get_screen(void);       /* NULL: none */
void terminal_start(void);                       /* from here on core 0 drains */
void terminal_stop(void);                        /* core 0, before the end: as before terminal_start() again */
bool terminal_urgent(void);                      /* a panic has begun */
/* Under the console's lock. What finds the ring full is lost and counted. */
void terminal_put(const char *text, size_t len);
/*
 * Under the console's lock, around all that a guest's write of @len bytes puts: false, and the text is lost whole, when the
 * source has its share of the ring or there is little room. So no flood tears or drops the lines of others.
 */
bool terminal_admit(struct terminal_account *a, size_t len);
/* Decides now for the next @len bytes, which come in pieces: all of them or none. */
void terminal_admit_all(struct terminal_account *a, u32 len);
void terminal_charge(struct terminal_account *a);
bool terminal_has_room(const struct terminal_account *a); /* any core: would terminal_admit() take more, after the next few lines too? */
u32 terminal_take_lost(void);                    /* bytes lost since the last call */
void terminal_kick(void);                        /* any core, after terminal_put(): has core 0 look */
void terminal_drain(void);                       /* core 0: some of it; comes again by itself while there is more */
void terminal_keyboard(void);                    /* adds the keyboard, if there is one */
void terminal_keyboard_rang(void);               /* core 0, from its interrupt or now and then: there may be something */
int terminal_getc(void);                         /* core 0: a typed byte, -1: none */
