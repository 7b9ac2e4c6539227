/* SPDX-License-Identifier: MIT */
/* Starts the partition that it may manage again whenever that fails, lives=N times, and shows why it failed. */
#include "guests/lib/event.h"

#define CHANGED 0u /* the event for changes of state */

static char report[512];

/* Of a failure: what the hypervisor said about it. */
static void show(uint64_t worker)
{
    struct pith_result r = pith_part_report(worker, (uintptr_t)report, sizeof(report) - 1);

    if (r.status != PITH_OK || !r.rbx)
        return;
    report[r.rbx] = '\0';
    for (char *c = report; *c; c++)
        if (*c == '\n')
            *c = '\0'; /* registers follow: the log has them */
    pith_printf("because of: %s\n", report);
}

/* Waits until it has ended. */
static struct pith_result end_of(uint64_t worker)
{
    struct pith_result r;

    while ((r = pith_part_state(worker)).status == PITH_OK && r.rbx != PITH_PART_STOPPED)
        (void)pith_event_wait(1u << CHANGED, 0);
    return r;
}

int guest_main(const struct pith_start *start)
{
    uint64_t lives = pith_option(start, "lives", 3), worker = pith_part_next(0).rbx;

    if (!worker || pith_event_bind(CHANGED, 0, 0).status != PITH_OK || pith_part_watch(CHANGED).status != PITH_OK) {
        pith_puts("nobody to look after: pith.conf needs may-manage\n");
        return 1;
    }
    for (uint64_t n = 1;; n++) {
        struct pith_result r = end_of(worker);

        if (r.status != PITH_OK || r.rsi != PITH_END_FAULT)
            return 0;
        pith_printf("the worker has failed %lu of %lu times\n", n, lives);
        show(worker);
        if (n == lives)
            return 0;
        if (pith_part_start(worker).status != PITH_OK)
            pith_puts("it cannot be started\n");
        (void)pith_event_wait(1u << CHANGED, 0);
    }
}
