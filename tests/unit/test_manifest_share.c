/* SPDX-License-Identifier: MIT */
/*
 * What every manifest must satisfy: rights, partitions made on request, channels and where they lie.
 * LINK: boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/manifest_fixture.h"

static void rights(void **state)
{
    u64 *const sets[] = { &A->may.manage, &A->may.signal, &A->may.call, &A->may.share };

    add("b");
    for (u32 i = 0; i < ARRAY_SIZE(sets); i++) {
        *sets[i] = 2;
        expect_good(1);
        *sets[i] = 3;
        expect_bad(1, "pith.conf:10: ", "holds itself or a partition that is not there");
        *sets[i] = 4;
        expect_bad(1, "pith.conf:10: ", "holds itself or a partition that is not there");
        *sets[i] = BIT(63);
        expect_bad(1, "pith.conf:10: ", "holds itself or a partition that is not there");
        fresh(state);
        add("b");
    }
}

static void on_request(void **state)
{
    struct manifest_partition *b = add("b"), *c = add("c");

    (void)state;
    b->flags = c->flags = MANIFEST_ON_REQUEST;
    b->may.manage = 4;
    expect_bad(1, "pith.conf:20: ", "nobody may ask");
    c->may.manage = 2;
    expect_bad(1, "pith.conf:20: ", "nobody may ask");
    A->may.manage = 4;
    expect_good(1);
    c->may.manage = 0;
    expect_bad(1, "pith.conf:20: ", "nobody may ask");
    A->may.manage = 2;
    expect_good(1);
    A->flags = MANIFEST_ON_REQUEST;
    expect_bad(1, "pith.conf:10: ", "nobody may ask");
}

static struct manifest_channel *add_channel(const char *name, u64 size)
{
    struct manifest_channel *c = &m.channels[m.nr_channels++];

    *c = (struct manifest_channel){ .size = size, .writers = 1, .readers = 2, .line = 100 * m.nr_channels };
    strcpy(c->name, name);
    return c;
}

static void channels(void **state)
{
    static const u64 bad_sizes[] = { 0, 1, PAGE_SIZE - 1, PAGE_SIZE + 1, MANIFEST_CHANNEL_MAX + PAGE_SIZE, ~0ull, BIT(63) };
    static const struct { u64 writers, readers; const char *words; } bad[] = {
        { 0, 0, "nobody has" }, { 1, 0, "one partition alone" }, { 0, 2, "one partition alone" }, { 0, 3, "nobody writes" },
        { 3, 2, "'b' is a writer" }, { 1, 1, "'a' is a writer" }, { 1, 4, "not there" }, { BIT(63), 1, "not there" },
    };
    struct manifest_channel *c;

    (void)state;
    add("b");
    c = add_channel("a", MIB(64)); /* a partition's name */
    expect_good(1);
    for (u32 i = 0; i < ARRAY_SIZE(bad_sizes); i++) {
        c->size = bad_sizes[i];
        expect_bad(1, "pith.conf:100: ", "channel 'a'");
    }
    c->size = PAGE_SIZE;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        c->writers = bad[i].writers;
        c->readers = bad[i].readers;
        expect_bad(1, "pith.conf:100: ", bad[i].words);
    }
    c->writers = 3;
    c->readers = 0;
    expect_good(1);
    add_channel("a", PAGE_SIZE);
    expect_bad(1, "pith.conf:200: ", "on line 100 already");
    strcpy(m.channels[1].name, "a b");
    expect_bad(1, "pith.conf:200: ", "channel name 'a b'");
    memset(m.channels[1].name, 'a', sizeof(m.channels[1].name));
    expect_bad(1, "pith.conf:1: ", "damaged");
    fresh(state);
    m.nr_channels = MANIFEST_CHANNELS + 1;
    expect_bad(1, "pith.conf:1: ", "damaged");
}

static void room_of_channels(void **state)
{
    (void)state;
    add("b");
    add_channel("one", PAGE_SIZE);
    add_channel("two", MIB(2));
    add_channel("three", MIB(2) + PAGE_SIZE);
    assert_int_equal(manifest_channel_address(&m, 0), 0xc0200000);
    assert_int_equal(manifest_channel_address(&m, 1), 0xc0400000);
    assert_int_equal(manifest_channel_address(&m, 2), 0xc0600000);
    assert_int_equal(manifest_channel_address(&m, 3), 0xc0a00000);
    add_channel("four", MIB(64));
    add_channel("five", MIB(64));
    add_channel("six", MIB(64));
    add_channel("seven", MIB(254 - 8 - 192));
    expect_good(1);
    assert_int_equal(manifest_channel_address(&m, 7), PITH_CHANNELS_END);
    m.channels[6].size += PAGE_SIZE;
    expect_bad(1, "pith.conf:700: ", "no room for channel 'seven'");
    m.channels[6].size -= PAGE_SIZE;
    add_channel("eight", PAGE_SIZE);
    expect_bad(1, "pith.conf:800: ", "no room for channel 'eight'");
    while (m.nr_channels < MANIFEST_CHANNELS)
        add_channel((char[]){ (char)('a' + m.nr_channels), 0 }, MANIFEST_CHANNEL_MAX);
    expect_bad(1, "pith.conf:800: ", "no room for channel 'eight'");
}

static void mmio_and_channels(void **state)
{
    static const struct manifest_range bad[] = {
        { 0xc0200000, 0xc0200fff }, { 0xc0202000, 0xc0202fff }, { 0xc0401000, 0xc0401fff }, { 0xc0200000, 0xdfffffff },
    };

    (void)state;
    add("b");
    add("c");
    add_channel("one", PAGE_SIZE);
    add_channel("two", 2 * PAGE_SIZE);
    add_channel("three", MIB(4))->writers = 4;
    A->nr_mmio = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->mmio[0] = bad[i];
        expect_bad(1, "pith.conf:10: ", "its channels up to 'two'");
    }
    A->mmio[0] = (struct manifest_range){ 0x80000000, 0xbfffffff };
    expect_good(1);
    A->mmio[0] = (struct manifest_range){ 0xc0402000, 0xcfffffff }; /* behind its last; channel 'three' is not its own */
    expect_good(1);
    m.channels[2].readers = 1;
    m.channels[2].writers = 2;
    expect_bad(1, "pith.conf:10: ", "its channels up to 'three'");
    A->mmio[0].first = 0xc0a00000;
    expect_good(1);
}

static void mmio_and_grants(void **state)
{
    static const struct manifest_range bad[] = {
        { 0xd0000000, 0xd0000fff }, { 0xd3fff000, 0xd3ffffff }, { 0xcf000000, 0xdfffffff },
    };
    struct manifest_partition *b = add("b");

    (void)state;
    A->nr_mmio = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->mmio[0] = bad[i];
        expect_good(1);
    }
    b->may.share = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->mmio[0] = bad[i];
        expect_bad(1, "pith.conf:10: ", "where it maps memory of 'b'");
    }
    A->mmio[0] = (struct manifest_range){ 0xcffff000, 0xcfffffff };
    expect_good(1);
    A->mmio[0] = (struct manifest_range){ 0xd4000000, 0xd4000fff };
    expect_good(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rights, fresh),
        cmocka_unit_test_setup(on_request, fresh),
        cmocka_unit_test_setup(channels, fresh),
        cmocka_unit_test_setup(room_of_channels, fresh),
        cmocka_unit_test_setup(mmio_and_channels, fresh),
        cmocka_unit_test_setup(mmio_and_grants, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
