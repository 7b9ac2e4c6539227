/* SPDX-License-Identifier: MIT */
/*
 * Messages through shared memory: `producer` sends messages=N numbers, `consumer` adds them up. While both are awake nobody calls
 * the hypervisor; an event wakes who sleeps. guests/lib/ring.h is the queue.
 */
#include "guests/lib/event.h"
#include "guests/lib/ring.h"

#define SLOTS 256u
#define DATA  0u /* event: there are messages */
#define ROOM  1u /* event: there is room again; the consumer sends it every SLOTS / 2 messages, once it was asked to */

struct message { uint64_t number, last; };

static struct ring ring;
static uint64_t *full;
static uint64_t other, slept;

/* The other one may not be up yet, or not have bound the event: that it looks at the ring when it is, is enough. */
static void ring_bell(uint64_t event)
{
    (void)pith_event_send(other, event);
}

static void sleep_until(uint64_t event)
{
    slept++;
    (void)pith_event_wait(1u << event, pith_now() + PITH_NS_PER_S / 10); /* a bell that rang before we were up is lost */
}

static int produce(uint64_t messages)
{
    uint64_t from = pith_tsc();

    for (uint64_t n = 1; n <= messages;) {
        struct message m = { n, n == messages };

        switch (ring_put(&ring, &m)) {
        case RING_WAKE:
            ring_bell(DATA);
            n++;
            break;
        case RING_SENT:
            n++;
            break;
        case RING_FULL:
            __atomic_store_n(full, 1, __ATOMIC_SEQ_CST);
            sleep_until(ROOM);
        }
    }
    pith_printf("%lu messages, %lu ticks each; slept %lu times\n", messages, (pith_tsc() - from) / messages, slept);
    return 0;
}

static int consume(void)
{
    struct message m = { 0, 0 };
    uint64_t sum = 0, count = 0;

    while (!m.last) {
        if (!ring_get(&ring, &m)) {
            if (ring_sleep(&ring))
                sleep_until(DATA);
            ring_awake(&ring);
            continue;
        }
        sum += m.number;
        if (++count % (SLOTS / 2) == 0 && __atomic_load_n(full, __ATOMIC_RELAXED) && __atomic_exchange_n(full, 0, __ATOMIC_SEQ_CST))
            ring_bell(ROOM);
    }
    pith_printf("%lu messages, their sum is %s; slept %lu times\n", count, sum == count * (count + 1) / 2 ? "right" : "wrong", slept);
    return sum != count * (count + 1) / 2;
}

int guest_main(const struct pith_start *start)
{
    bool producer = start->name[0] == 'p';
    struct pith_words name = pith_name("ring"), peer = pith_name(producer ? "consumer" : "producer");
    struct pith_result channel = pith_channel(name.low, name.high);

    if (channel.status != PITH_OK || channel.rcx < sizeof(uint64_t) + ring_bytes(SLOTS, sizeof(struct message))) {
        pith_puts("there is no channel 'ring': see guests/demo/ring.conf\n");
        return 1;
    }
    other = pith_part_find(peer.low, peer.high).rbx;
    full = (uint64_t *)(uintptr_t)channel.rbx;
    ring = ring_open(full + 8, SLOTS, sizeof(struct message), producer);
    (void)pith_event_bind(producer ? ROOM : DATA, 0, 0);
    return producer ? produce(pith_option(start, "messages", 100000)) : consume();
}
