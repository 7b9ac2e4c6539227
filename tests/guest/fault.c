/* SPDX-License-Identifier: MIT */
/* A triple fault: an exception without an IDT. The partition must end as failed, and nothing else with it. */
#include "guests/lib/pith.h"

struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };

int guest_main(const struct pith_start *start)
{
    const struct table none = { 0, 0 };

    (void)start;
    pith_puts("about to triple-fault\n");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    pith_puts("not ok still running\n");
    return 0;
}
