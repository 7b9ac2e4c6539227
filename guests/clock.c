/* SPDX-License-Identifier: MIT */
/*
 * Ticks once a second, sleeping in between: ticks=N on the command line says how often, 0 for ever; 5 without. What time it is, it reads
 * from the page it shares with Pith, without a call.
 */
#include "guests/lib/event.h"

static void sleep_until(uint64_t deadline)
{
    while (pith_clock() < deadline)
        (void)pith_wait(deadline); /* an interrupt may end it early */
}

int guest_main(const struct pith_start *start)
{
    uint64_t ticks = pith_option(start, "ticks", 5), begin = pith_clock();

    for (uint64_t n = 1; ticks == 0 || n <= ticks; n++) {
        uint64_t now;

        sleep_until(begin + n * PITH_NS_PER_S);
        now = pith_clock();
        pith_printf("tick %lu at %lu.%03lu s\n", n, now / PITH_NS_PER_S, now % PITH_NS_PER_S / 1000000);
    }
    return 0;
}
