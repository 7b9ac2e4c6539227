/* SPDX-License-Identifier: MIT */
/* Ends with the status that status=N on the command line asks for; 42 without. */
#include "guests/lib/pith.h"

int guest_main(const struct pith_start *start)
{
    uint64_t status = pith_option(start, "status", 42);

    pith_printf("exit status %lu\n", status);
    pith_quit(status);
}
