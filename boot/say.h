/* SPDX-License-Identifier: MIT */
/* Lines on the screen and on COM1, "[pith] " before each. */
#pragma once

#include "hv/abi/stages.h"
#include "hv/lib/types.h"

void say_init(void);
void say_leave(void); /* the firmware's services are gone: from here on only to COM1 */
void say_set_level(u32 level); /* of pith.conf: 0 error, 1 warn, 2 info, 3 debug */
void say(const char *fmt, ...) PRINTF(1, 2);
void say_info(const char *fmt, ...) PRINTF(1, 2);
void boot_stage(enum boot_stage stage); /* it begins */
/* "cannot start: what - what to do"; waits for a key or 60 s, then returns to the firmware. Says which stage it was, too. */
NORETURN void boot_fail(const char *fmt, ...) PRINTF(1, 2);
