/* SPDX-License-Identifier: MIT */
/* The smallest guest: says who it is and what it was given, and ends. */
#include "guests/lib/pith.h"

int guest_main(const struct pith_start *start)
{
    uint64_t version = pith_version().rbx;

    pith_printf("hello from Pith, my name is %s\n", start->name);
    pith_printf("%u vcpu%s, %lu MiB, ABI %u.%u\n", start->nr_vcpus, start->nr_vcpus == 1 ? "" : "s",
                pith_memory(start) >> 20, (unsigned)(version >> 16), (unsigned)(version & 0xffff));
    return 0;
}
