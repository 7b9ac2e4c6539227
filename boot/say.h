/* SPDX-License-Identifier: MIT */
/* Lines on the screen and on the serial line, "[pith] " before each. */
#pragma once

#include "hv/abi/manifest.h"
#include "hv/abi/stages.h"
#include "hv/lib/types.h"

void say_init(void); /* at the line that the firmware's tables name, or COM1, if it is there */
/* Goes on at that line, says which it is; NULL, or what is wrong with it. While the firmware is there. */
const char *say_at(const struct manifest_serial *line) MUST_CHECK;
void say_leave(void); /* the firmware's services are gone: from here on only to the serial line */
void say_set_level(u32 level); /* of pith.conf: 0 error, 1 warn, 2 info, 3 debug */
void say(const char *fmt, ...) PRINTF(1, 2);
void say_info(const char *fmt, ...) PRINTF(1, 2);
void boot_stage(enum boot_stage stage); /* it begins */
/* "cannot start: what - what to do"; waits for a key or 60 s, then returns to the firmware. Says which stage it was, too. */
NORETURN void boot_fail(const char *fmt, ...) PRINTF(1, 2);
