/* SPDX-License-Identifier: MIT */
/*
 * Serial line and screen. Text goes into a ring; core 0 moves it out as fast as the line takes it, so that nobody waits for
 * a slow or dead line. Until terminal_start(), and once a panic has begun, text is out before the call returns.
 */
#pragma once

#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

void terminal_early(void);                       /* serial only: before memory is mapped */
void terminal_screen(const struct handoff *h);   /* adds the screen, if there is one */
void terminal_start(void);                       /* from here on core 0 drains */
void terminal_stop(void);                        /* core 0, before the end: as before terminal_start() again */
bool terminal_urgent(void);                      /* a panic has begun */
/* Under the console's lock. What finds the ring full is lost, and counted in a line once there is room. */
void terminal_put(const char *text, size_t len);
void terminal_kick(void);                        /* any core, after terminal_put(): has core 0 look */
void terminal_drain(void);                       /* core 0: some of it; comes again by itself while there is more */
int terminal_getc(void);                         /* core 0: a typed byte, -1: none */
