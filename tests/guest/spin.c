/* SPDX-License-Identifier: MIT */
/* Never gives the processor back: interrupts off and a jump to itself. Others must run beside it all the same. */
#include "guests/lib/pith.h"

int guest_main(const struct pith_start *start)
{
    (void)start;
    pith_puts("spinning with interrupts off\n");
    __asm__ volatile("cli; 1: jmp 1b");
    return 1;
}
