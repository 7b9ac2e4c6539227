/* SPDX-License-Identifier: MIT */
/* Never gives the processor back: interrupts off and a jump to itself, or strings=1: to an instruction that takes long to emulate. Others
 * must run beside it all the same. */
#include "guests/lib/pith.h"

int guest_main(const struct pith_start *start)
{
    pith_puts("spinning with interrupts off\n");
    if (pith_option(start, "strings", 0))
        __asm__ volatile("cli; 1: mov %0, %%rsi; outsb; jmp 1b" : : "r"(start), "d"(0x80) : "rsi");
    __asm__ volatile("cli; 1: jmp 1b");
    return 1;
}
