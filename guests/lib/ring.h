/* SPDX-License-Identifier: MIT */
/*
 * A queue in shared memory, from one vCPU to one other, of the same partition or of two that are writers of a channel: without
 * locks and, while the receiver is awake, without calls. Each side keeps a struct ring of its own; what the other side wrote is
 * never trusted: a hostile one can make messages wrong or missing, and do no more.
 *
 *   receiver:  while (!ring_get(&r, &m)) {            sender:  switch (ring_put(&r, &m)) {
 *                  if (ring_sleep(&r))                         case RING_WAKE: send the event; break;
 *                      wait for the event;                     case RING_FULL: try again later; break;
 *                  ring_awake(&r);                             case RING_SENT: break;
 *              }                                               }
 */
#pragma once

#include "guests/lib/pith.h"

/* In shared memory, which was zero at first. The sender writes head, the receiver tail, both asleep; a cache line each. */
struct ring_shared {
    uint64_t head __attribute__((aligned(64)));
    uint64_t tail __attribute__((aligned(64)));
    uint32_t asleep __attribute__((aligned(64)));
    uint8_t slots[] __attribute__((aligned(64)));
};

struct ring {
    struct ring_shared *shared;
    uint64_t mine, theirs;      /* messages sent or taken on this side; what the other side's count was when it was last looked at */
    uint32_t nr, size;          /* slots, a power of two; bytes of each, a multiple of 8 */
};

enum ring_sent { RING_FULL, RING_SENT, RING_WAKE };

static inline uint64_t ring_bytes(uint32_t nr, uint32_t size)
{
    return sizeof(struct ring_shared) + (uint64_t)nr * size;
}

/* One side of the ring at @memory, of ring_bytes(); for one that comes back, too: it goes on where it was. */
static inline struct ring ring_open(void *memory, uint32_t nr, uint32_t size, bool sender)
{
    struct ring_shared *s = (struct ring_shared *)memory;
    uint64_t head = __atomic_load_n(&s->head, __ATOMIC_ACQUIRE), tail = __atomic_load_n(&s->tail, __ATOMIC_ACQUIRE);
    struct ring r = { s, sender ? head : tail, sender ? tail : head, nr, size };

    return r;
}

static inline void *ring_slot(const struct ring *r)
{
    return r->shared->slots + (r->mine & (r->nr - 1)) * r->size;
}

static inline void ring_copy(void *to, const void *from, uint32_t size)
{
    for (uint32_t i = 0; i < size / 8; i++)
        ((uint64_t *)to)[i] = ((const uint64_t *)from)[i];
}

static inline enum ring_sent ring_put(struct ring *r, const void *message)
{
    struct ring_shared *s = r->shared;

    if (r->mine - r->theirs >= r->nr) {
        /* ACQUIRE: pairs with the receiver's RELEASE; the slot was read before it is written again. */
        r->theirs = __atomic_load_n(&s->tail, __ATOMIC_ACQUIRE);
        if (r->mine - r->theirs >= r->nr)
            return RING_FULL;
    }
    ring_copy(ring_slot(r), message, r->size);
    /* SEQ_CST, both: against a receiver that says that it sleeps and then looks at head. */
    __atomic_store_n(&s->head, ++r->mine, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&s->asleep, __ATOMIC_SEQ_CST))
        return RING_SENT;
    return __atomic_exchange_n(&s->asleep, 0, __ATOMIC_SEQ_CST) ? RING_WAKE : RING_SENT;
}

/* False: there is none. */
static inline bool ring_get(struct ring *r, void *message)
{
    struct ring_shared *s = r->shared;

    if (r->mine == r->theirs) {
        /* ACQUIRE: pairs with the sender's SEQ_CST; what it announces is there. */
        r->theirs = __atomic_load_n(&s->head, __ATOMIC_ACQUIRE);
        if (r->mine == r->theirs)
            return false;
    }
    ring_copy(message, ring_slot(r), r->size);
    __atomic_store_n(&s->tail, ++r->mine, __ATOMIC_RELEASE);
    return true;
}

/* True: it may sleep until the sender's event; false: a message came. Then ring_awake(), in both cases. */
static inline bool ring_sleep(struct ring *r)
{
    __atomic_store_n(&r->shared->asleep, 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&r->shared->head, __ATOMIC_SEQ_CST) == r->mine;
}

static inline void ring_awake(struct ring *r)
{
    __atomic_store_n(&r->shared->asleep, 0, __ATOMIC_RELAXED);
}
