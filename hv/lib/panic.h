/* SPDX-License-Identifier: MIT */
/* For broken invariants of the hypervisor only: whatever a guest does ends in vcpu_fail(), never here. */
#pragma once

#include "hv/lib/types.h"

/* What shows the report on a screen, when it is in the log and the other cores stand still. It may have no work or no screen: false. */
void panic_set_screen(bool (*show)(void));
/* What is done after the report, for good; until this is set: nothing. */
void panic_set_rest(void (*rest)(void));
/* Prints the report (registers, backtrace), stops the other cores and halts. */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#define ASSERT(cond)                                                          \
    do {                                                                      \
        if (__builtin_expect(!(cond), 0))                                     \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);  \
    } while (0)
