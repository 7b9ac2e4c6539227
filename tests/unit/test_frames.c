/* SPDX-License-Identifier: MIT */
/*
 * The frame pool, by hand and against a slow model.
 * LINK: hv/lib/frames.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/frames.h"
#include "hv/lib/panic.h"

#define BASE  0x12345000ull
#define TOTAL 300

static u64 bits[ALIGN_UP(TOTAL, 64) / 64];
static struct frame_pool pool;
static jmp_buf panicked;

void panic(const char *fmt, ...)
{
    (void)fmt;
    longjmp(panicked, 1);
}

#define assert_panics(call)           \
    do {                              \
        if (!setjmp(panicked)) {      \
            (void)!(call);            \
            fail_msg("no panic");     \
        }                             \
        pool.lock.val = 0;            \
    } while (0)

static int free_it(hpa_t first, u64 n)
{
    frames_free(&pool, first, n);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    memset(bits, 0xff, sizeof(bits));
    frames_init(&pool, BASE, TOTAL, bits);
    return 0;
}

static void test_first_fit(void **state)
{
    (void)state;
    assert_int_equal(frames_alloc(&pool, 1, 1), BASE);
    assert_int_equal(frames_alloc(&pool, 3, 1), BASE + PAGE_SIZE);
    assert_int_equal(frames_alloc(&pool, 2, 1), BASE + 4 * PAGE_SIZE);
    frames_free(&pool, BASE + PAGE_SIZE, 3);
    assert_int_equal(frames_alloc(&pool, 4, 1), BASE + 6 * PAGE_SIZE);
    assert_int_equal(frames_alloc(&pool, 2, 1), BASE + PAGE_SIZE);
    assert_int_equal(frames_alloc(&pool, 1, 1), BASE + 3 * PAGE_SIZE);
    assert_int_equal(pool.nr_free, TOTAL - 10);
}

static void test_alignment_is_of_the_address(void **state)
{
    hpa_t a = frames_alloc(&pool, 1, 64);

    (void)state;
    assert_int_equal(a, 0x12380000);
    assert_int_equal(frames_alloc(&pool, 2, 128), 0x12400000);
    assert_int_equal(frames_alloc(&pool, 1, 1), BASE);
    assert_int_equal(frames_alloc(&pool, 1, 1024), 0); /* none in range */
}

static void test_exhaustion(void **state)
{
    (void)state;
    assert_int_equal(frames_alloc(&pool, TOTAL + 1, 1), 0);
    assert_int_equal(frames_alloc(&pool, ~0ull, 1), 0);
    assert_int_equal(frames_alloc(&pool, TOTAL, 1), BASE);
    assert_int_equal(pool.nr_free, 0);
    assert_int_equal(frames_alloc(&pool, 1, 1), 0);
    frames_free(&pool, BASE + (TOTAL - 1) * PAGE_SIZE, 1);
    assert_int_equal(frames_alloc(&pool, 1, 1), BASE + (TOTAL - 1) * PAGE_SIZE);
    frames_free(&pool, BASE, TOTAL);
    assert_int_equal(pool.nr_free, TOTAL);
}

static void test_frame_zero_stays(void **state)
{
    (void)state;
    frames_init(&pool, 0, 4, bits);
    assert_int_equal(pool.nr_free, 3);
    assert_int_equal(frames_alloc(&pool, 4, 1), 0);
    assert_int_equal(frames_alloc(&pool, 3, 1), PAGE_SIZE);
    assert_panics(free_it(0, 1));
}

static void test_empty_pool(void **state)
{
    (void)state;
    frames_init(&pool, BASE, 0, NULL);
    assert_int_equal(frames_alloc(&pool, 1, 1), 0);
}

static void test_misuse_panics(void **state)
{
    hpa_t a = frames_alloc(&pool, 70, 1);

    (void)state;
    assert_int_equal(a, BASE);
    frames_free(&pool, a + 69 * PAGE_SIZE, 1);
    assert_panics(free_it(a, 70));
    assert_panics(free_it(a + 69 * PAGE_SIZE, 1));
    assert_panics(free_it(BASE - PAGE_SIZE, 1));
    assert_panics(free_it(BASE + TOTAL * PAGE_SIZE, 1));
    assert_panics(free_it(BASE + (TOTAL - 1) * PAGE_SIZE, 2));
    assert_panics(free_it(BASE, ~0ull));
    assert_panics(free_it(BASE + 8, 1));
    assert_panics(frames_alloc(&pool, 0, 1));
    assert_panics(frames_alloc(&pool, 1, 3));
    assert_int_equal(pool.nr_free, TOTAL - 69);
}

/* The same questions to a byte per frame. */
static u64 model_find(const u8 *used, u64 n, u64 align)
{
    for (u64 i = 0; i + n <= TOTAL; i++) {
        u64 k = 0;

        if (((BASE >> PAGE_SHIFT) + i) % align)
            continue;
        while (k < n && !used[i + k])
            k++;
        if (k == n)
            return BASE + i * PAGE_SIZE;
    }
    return 0;
}

static void test_random_against_model(void **state)
{
    u8 used[TOTAL] = { 0 };
    struct { hpa_t first; u64 n; } held[64] = { 0 };
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned slot = (unsigned)rand_r(&seed) % 64, r = (unsigned)rand_r(&seed);

        if (held[slot].first) {
            frames_free(&pool, held[slot].first, held[slot].n);
            memset(used + (held[slot].first - BASE) / PAGE_SIZE, 0, held[slot].n);
            held[slot].first = 0;
        } else {
            u64 n = r % 8 ? 1 + r / 8 % 6 : 1 + r / 8 % 90, align = 1ull << r / 1024 % 5, want = model_find(used, n, align);

            held[slot].first = frames_alloc(&pool, n, align);
            held[slot].n = n;
            assert_int_equal(held[slot].first, want);
            if (want)
                memset(used + (want - BASE) / PAGE_SIZE, 1, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_fit, reset),
        cmocka_unit_test_setup(test_alignment_is_of_the_address, reset),
        cmocka_unit_test_setup(test_exhaustion, reset),
        cmocka_unit_test_setup(test_frame_zero_stays, reset),
        cmocka_unit_test_setup(test_empty_pool, reset),
        cmocka_unit_test_setup(test_misuse_panics, reset),
        cmocka_unit_test_setup(test_random_against_model, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
