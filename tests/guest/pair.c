/* SPDX-License-Identifier: MIT */
/* Two partitions that wake each other by events: peer=N is the other one's number, first=1 begins. */
#include "guests/lib/event.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define ROUNDS        300u
#define BY_WAIT       1ull
#define BY_IRQ        2ull
#define LONG          (120 * PITH_NS_PER_S) /* cores may be shared by many */

static uint64_t peer, sent, irqs;

/* The other one may not have come that far yet. */
static void send(uint64_t event)
{
    uint64_t end = pith_now() + LONG;

    while (pith_event_send(peer, event).status != PITH_OK && pith_now() < end)
        (void)pith_wait(pith_now() + 1000000);
}

static bool wait_round(bool first)
{
    uint64_t taken;

    if (first)
        send(0);
    taken = pith_event_wait(BY_WAIT, pith_now() + LONG).rbx;
    if (!first)
        send(0);
    return taken == BY_WAIT;
}

static void on_irq(void)
{
    irqs += pith_events_take(BY_IRQ) != 0;
    if (sent < ROUNDS)
        sent += pith_event_send(peer, 1).status == PITH_OK;
}

static void irq_rounds(bool first)
{
    uint64_t end = pith_now() + LONG;

    trap_on_irq = on_irq;
    (void)pith_event_bind(1, 0, TRAP_IRQ);
    if (first) {
        send(1);
        sent = 1;
    }
    while (irqs < ROUNDS && pith_now() < end) {
        (void)pith_wait(end);
        __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    }
}

int guest_main(const struct pith_start *start)
{
    bool first = pith_option(start, "first", 0);
    unsigned rounds = 0;

    peer = pith_option(start, "peer", 0);
    trap_init();
    trap_lapic_on();
    (void)pith_event_bind(0, 0, 0);
    while (rounds < ROUNDS && wait_round(first))
        rounds++;
    test_equal(rounds, ROUNDS, "pair-by-wait");
    irq_rounds(first);
    test_equal(irqs, ROUNDS, "pair-by-interrupt");
    test_equal(sent, ROUNDS, "pair-sent");
    return test_end();
}
