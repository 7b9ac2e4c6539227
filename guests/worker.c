/* SPDX-License-Identifier: MIT */
/* Does jobs=N jobs, then follows a wild pointer: the other half of supervisor.c. */
#include "guests/lib/pith.h"

int guest_main(const struct pith_start *start)
{
    uint64_t jobs = pith_option(start, "jobs", 3);

    for (uint64_t n = 1; n <= jobs; n++) {
        pith_printf("job %lu of %lu\n", n, jobs);
        (void)pith_wait(pith_now() + PITH_NS_PER_S / 5);
    }
    return *(volatile int *)(uintptr_t)0x123456789000; /* no page there, and nobody to handle the fault */
}
