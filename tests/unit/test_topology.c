/* SPDX-License-Identifier: MIT */
/*
 * Threads of one core, by what processors say of themselves.
 * LINK: boot/topology.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/topology.h"

static struct { u32 leaf, a, b, c; } said[8];

static void ask(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
    *a = *b = *c = *d = 0;
    for (u32 i = 0; i < ARRAY_SIZE(said) && sub == 0; i++)
        if (said[i].leaf == leaf && (said[i].a | said[i].b | said[i].c))
            *a = said[i].a, *b = said[i].b, *c = said[i].c;
}

static int forget(void **state)
{
    (void)state;
    memset(said, 0, sizeof(said));
    return 0;
}

static void say(u32 leaf, u32 a, u32 b, u32 c)
{
    u32 i = 0;

    while (said[i].a | said[i].b | said[i].c)
        i++;
    said[i].leaf = leaf, said[i].a = a, said[i].b = b, said[i].c = c;
}

static void by_levels(void **state)
{
    (void)state;
    say(0, 0xd, 0, 0);
    say(0xb, 1, 2, 0x100);
    say(0x1f, 3, 8, 0x100); /* above the highest: not there */
    assert_int_equal(topology_thread_bits(ask), 1);
    said[0].a = 0x1f;
    assert_int_equal(topology_thread_bits(ask), 3);
}

static void one_thread_each(void **state)
{
    (void)state;
    say(0, 0x1f, 0, 0);
    say(0xb, 0, 1, 0x100);
    assert_int_equal(topology_thread_bits(ask), 0);
}

/* Leaf 1FH without levels, then 0BH that begins with cores: no word about threads. */
static void no_level_of_threads(void **state)
{
    (void)state;
    say(0, 0x1f, 0, 0);
    say(0xb, 4, 16, 0x200);
    assert_int_equal(topology_thread_bits(ask), 0);
}

static void by_units(void **state)
{
    static const struct {
        u32 threads, bits;
    } cases[] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 } };

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)forget(state);
        say(0, 7, 0, 0);
        say(0x80000000, 0x8000001e, 0, 0);
        say(0x80000001, 0, 0, BIT(22));
        say(0x8000001e, 5, (cases[i].threads - 1) << 8 | 0x42, 0);
        assert_int_equal(topology_thread_bits(ask), cases[i].bits);
        said[2].c = 1; /* no such leaf then */
        assert_int_equal(topology_thread_bits(ask), 0);
    }
    said[2].c = BIT(22);
    said[1].a = 0x8000001d;
    assert_int_equal(topology_thread_bits(ask), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_levels, forget),
        cmocka_unit_test_setup(one_thread_each, forget),
        cmocka_unit_test_setup(no_level_of_threads, forget),
        cmocka_unit_test_setup(by_units, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
