/* SPDX-License-Identifier: MIT */
/*
 * Two partitions that talk by synchronous calls: `pong` serves, `ping` calls it calls=N times and says what a call costs. The server
 * adds one to the first word, and counts in the second.
 */
#include "guests/lib/pith.h"

/* Answers until the client says goodbye with an odd second word. */
static int serve(void)
{
    struct pith_result r = pith_ipc_wait(0);
    uint64_t calls = 0;

    while (r.status == PITH_OK) {
        if (r.rbx && r.rdx) {
            (void)pith_ipc_reply_wait(r.rbx, calls, 0, 0, pith_now() + 1); /* the last one: nobody calls any more */
            break;
        }
        calls += r.rbx != 0;
        r = r.rbx ? pith_ipc_reply_wait(r.rbx, r.rcx + 1, calls, 0, 0) : pith_ipc_wait(0); /* 0: an interrupt woke us */
    }
    pith_printf("answered %lu calls\n", calls);
    return 0;
}

/* The server may not be up yet. */
static struct pith_result call(uint64_t server, uint64_t number, uint64_t bye)
{
    struct pith_result r;

    while ((r = pith_ipc_call(server, number, bye, 0, 0)).status == PITH_E_GONE)
        (void)pith_wait(pith_now() + PITH_NS_PER_S / 100);
    return r;
}

static int play(uint64_t server, uint64_t calls)
{
    uint64_t best = ~0ull, from = 0;

    for (uint64_t n = 0; n < calls; n++) {
        struct pith_result r;
        uint64_t ticks;

        from = pith_tsc();
        r = call(server, n, 0);
        ticks = pith_tsc() - from;
        best = ticks < best ? ticks : best;
        if (r.status != PITH_OK || r.rbx != n + 1) {
            pith_printf("call %lu: status %ld, answer %lu\n", n, r.status, r.rbx);
            return 1;
        }
    }
    pith_printf("%lu calls, the fastest took %lu ticks; the server counts %lu\n", calls, best, call(server, 0, 1).rbx);
    return 0;
}

int guest_main(const struct pith_start *start)
{
    struct pith_words name = pith_name("pong");
    struct pith_result server = pith_part_find(name.low, name.high);

    if (server.status != PITH_OK) {
        pith_puts("there is no partition 'pong' that we may call\n");
        return 1;
    }
    if (server.rbx == pith_self().rbx)
        return serve();
    return play(server.rbx, pith_option(start, "calls", 1000));
}
