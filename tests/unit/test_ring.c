/* SPDX-License-Identifier: MIT */
/* guests/lib/ring.h: one thread sends, another receives; a wake-up that is lost would leave both waiting. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guests/lib/ring.h"

uint32_t pith_hypercall_insn; /* nobody calls here */

#define NR       8u
#define MESSAGES 200000u

struct message { uint64_t number, check, more; };

static void *memory;
static uint32_t bell, slept, woken; /* bell: the event; it stays until it is taken */

static int fresh(void **state)
{
    (void)state;
    memory = aligned_alloc(64, (ring_bytes(NR, sizeof(struct message)) + 63) & ~63ull);
    memset(memory, 0, ring_bytes(NR, sizeof(struct message)));
    bell = slept = woken = 0;
    return 0;
}

static int gone(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static struct ring side(bool sender)
{
    return ring_open(memory, NR, sizeof(struct message), sender);
}

static void in_order(void **state)
{
    struct ring out = side(true), in = side(false);
    struct message m = { 0 };

    (void)state;
    assert_false(ring_get(&in, &m));
    for (uint64_t round = 0; round < 3; round++) {
        for (m.number = 0; m.number < NR; m.number++)
            assert_int_equal(ring_put(&out, &m), RING_SENT);
        assert_int_equal(ring_put(&out, &m), RING_FULL);
        for (uint64_t i = 0; i < NR; i++)
            assert_true(ring_get(&in, &m) && m.number == i);
        assert_false(ring_get(&in, &m));
    }
}

static void bell_rings_once(void **state)
{
    struct ring out = side(true), in = side(false);
    struct message m = { 0 };

    (void)state;
    assert_true(ring_sleep(&in));
    assert_int_equal(ring_put(&out, &m), RING_WAKE);
    assert_int_equal(ring_put(&out, &m), RING_SENT);
    ring_awake(&in);
    assert_true(ring_get(&in, &m) && ring_get(&in, &m));
    assert_int_equal(ring_put(&out, &m), RING_SENT);
    assert_false(ring_sleep(&in)); /* one is there */
    ring_awake(&in);
    assert_true(ring_get(&in, &m));
}

static void comes_back(void **state)
{
    struct ring out = side(true), in;
    struct message m = { 0 };

    (void)state;
    for (m.number = 0; m.number < 3; m.number++)
        ring_put(&out, &m);
    in = side(false);
    assert_true(ring_get(&in, &m) && m.number == 0);
    in = side(false);
    out = side(true);
    m.number = 3;
    assert_int_equal(ring_put(&out, &m), RING_SENT);
    for (uint64_t i = 1; i < 4; i++)
        assert_true(ring_get(&in, &m) && m.number == i);
    assert_false(ring_get(&in, &m));
}

/* Whatever the other side writes into head, tail and asleep: every access stays in the ring, which the sanitizer sees. */
static void hostile(void **state)
{
    static const uint64_t counts[] = { 0, 1, NR, NR + 1, ~0ull, 1ull << 63, 12345678901ull };
    struct ring out = side(true), in = side(false);
    struct message m = { 0 };

    (void)state;
    for (size_t i = 0; i < 7 * 7; i++) {
        in.shared->head = counts[i % 7];
        in.shared->tail = counts[i / 7];
        in.shared->asleep = (uint32_t)i;
        for (unsigned k = 0; k < 2 * NR; k++)
            (void)ring_get(&in, &m);
        in.shared->tail = counts[i / 7];
        for (unsigned k = 0; k < 2 * NR; k++)
            (void)ring_put(&out, &m);
    }
}

static void *receive(void *unused)
{
    struct ring in = side(false);
    struct message m;

    (void)unused;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        while (!ring_get(&in, &m)) {
            if (ring_sleep(&in)) {
                slept++;
                while (!__atomic_exchange_n(&bell, 0, __ATOMIC_SEQ_CST))
                    sched_yield();
            }
            ring_awake(&in);
        }
        if (m.number != i || m.check != ~i)
            return memory; /* anything but NULL */
    }
    return NULL;
}

static void two_threads(void **state)
{
    struct ring out = side(true);
    pthread_t thread;
    void *wrong;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, receive, NULL), 0);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct message m = { i, ~i, 0 };
        enum ring_sent sent;

        while ((sent = ring_put(&out, &m)) == RING_FULL)
            sched_yield();
        if (sent == RING_WAKE) {
            woken++;
            __atomic_store_n(&bell, 1, __ATOMIC_SEQ_CST);
        }
        for (uint64_t pause = i * 2654435761u >> 24 & 0x3f; pause > 60; pause--)
            sched_yield(); /* now and then the receiver finds nothing */
    }
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_true(slept && woken >= slept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order, fresh, gone),        cmocka_unit_test_setup_teardown(bell_rings_once, fresh, gone),
        cmocka_unit_test_setup_teardown(comes_back, fresh, gone),      cmocka_unit_test_setup_teardown(hostile, fresh, gone),
        cmocka_unit_test_setup_teardown(two_threads, fresh, gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
