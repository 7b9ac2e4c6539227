/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own check of the manifest: it believes neither the parser nor the loader.
 * LINK: boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/manifest_fixture.h"

static void cores_of(struct manifest_partition *p, u64 mask, u32 flags)
{
    p->cores[0] = mask;
    p->flags = flags | (mask ? MANIFEST_CORES_GIVEN : 0);
}

static void good_ones(void **state)
{
    (void)state;
    expect_good(1);
    m.focus = MANIFEST_NONE;
    A->initrd = 3;
    A->nr_modules = 4;
    A->vcpus = 16;
    A->memory = MANIFEST_MEMORY_MAX;
    expect_good(1);
    A->memory = MANIFEST_MEMORY_MIN;
    while (m.nr_partitions < MANIFEST_PARTITIONS)
        add((char[]){ (char)('a' + m.nr_partitions), 0 });
    expect_good(256);
}

static void damaged(void **state)
{
    u32 *const words[] = { &m.magic, &m.version, &m.size, &A->nr_modules,
                           &A->nr_ports, &A->nr_mmio, &A->nr_irqs };

    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        fresh(state);
        *words[i] = 0xffff;
        expect_bad(1, "pith.conf:1: ", "damaged");
    }
    fresh(state);
    m.nr_partitions = MANIFEST_PARTITIONS + 1;
    expect_bad(1, "pith.conf:1: ", "damaged");
    fresh(state);
    memset(A->name, 'a', sizeof(A->name));
    expect_bad(1, "pith.conf:1: ", "damaged");
    fresh(state);
    memset(A->cmdline, 'a', sizeof(A->cmdline));
    expect_bad(1, "pith.conf:1: ", "damaged");
}

static void nothing_to_run(void **state)
{
    (void)state;
    m.nr_partitions = 0;
    expect_bad(1, "pith.conf:1: ", "no partition");
    m.nr_partitions = 1;
    m.focus = 1;
    expect_bad(1, "pith.conf:1: ", "focus");
}

static void names(void **state)
{
    static const char *const bad[] = { "", "A", "a b", "a_b", "\x80", "pith", "monitor" };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        strcpy(A->name, bad[i]);
        expect_bad(1, "pith.conf:10: ", "name");
    }
    strcpy(A->name, "abcdefghij-1234");
    expect_good(1);
    add("abcdefghij-1234");
    expect_bad(1, "pith.conf:20: ", "on line 10 already");
}

static void files(void **state)
{
    (void)state;
    A->image = MANIFEST_NONE;
    expect_bad(1, "pith.conf:10: ", "no image");
    A->image = 4;
    expect_bad(1, "pith.conf:10: ", "image of 'a' was not loaded");
    A->image = 0;
    A->initrd = 4;
    expect_bad(1, "pith.conf:10: ", "initrd");
    A->initrd = MANIFEST_NONE;
    A->nr_modules = 2;
    A->modules[1] = MANIFEST_NONE;
    expect_bad(1, "pith.conf:10: ", "module 2");
}

static void values(void **state)
{
    static const u64 bad_memory[] = { 0, MIB(1) - 1, MIB(1) + 1, MANIFEST_MEMORY_MAX + MIB(1),
                                      ~0ull };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad_memory); i++) {
        A->memory = bad_memory[i];
        expect_bad(1, "pith.conf:10: ", "memory");
    }
    A->memory = MIB(1);
    A->vcpus = 0;
    expect_bad(1, "pith.conf:10: ", "vCPUs");
    A->vcpus = 17;
    expect_bad(1, "pith.conf:10: ", "vCPUs");
    A->vcpus = 1;
    A->restart = 3;
    expect_bad(1, "pith.conf:10: ", "restart");
}

static void kept_ports(void **state)
{
    static const struct manifest_range bad[] = {
        { 0, 0 }, /* DMA */
        { 0x20, 0x20 },
        { 0x40, 0x43 },
        { 0x64, 0x64 }, /* reset, as 92h */
        { 0x70, 0x71 },
        { 0x92, 0x92 },
        { 0xff, 0x100 },
        { 0x3b0, 0x3b0 },
        { 0x3df, 0x3e0 },
        { 0, 0xffff },
        { 0x3ff, 0x400 },
        { 0x3f0, 0x3f8 },
        { 0x481, 0x481 },
        { 0x602, 0x602 },
        { 0xcf8, 0xcf8 },
        { 0xcf9, 0xcf9 },
        { 0xcfc, 0xcff },
        { 0x4d1, 0x4d1 },
        { 5, 4 },
        { 0, 0x10000 },
        { ~0ull, ~0ull },
    };
    static const struct manifest_range good[] = {
        { 0x100, 0x3af }, { 0x3bc, 0x3bf }, { 0x3f0, 0x3f7 }, { 0x400, 0x47f }, { 0xd00, 0xffff }
    };

    (void)state;
    A->nr_ports = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->ports[0] = bad[i];
        expect_bad(1, "pith.conf:10: ", "ports");
    }
    for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
        A->ports[0] = good[i];
        expect_good(1);
    }
}

static void mmio(void **state)
{
    static const struct manifest_range bad[] = {
        { 0xfe000000, 0xfe000000 },
        { 0xfe000001, 0xfe000fff },
        { 0xfe001000, 0xfe000fff },
        { 0xfec00000, 0xfec00fff },
        { 0xfed00000, 0xfed00fff },
        { 0xfed40000, 0xfed40fff },
        { 0xfed90000, 0xfed90fff },
        { 0xfeeff000, 0xfeefffff },
        { 0xff000000, 0xff000fff },
        { 0xfe000000, 0xffffffff },
        { 0, ~0ull },
        { BIT(52), BIT(52) + 4095 },
        { 0x3fff000, 0x3ffffff },
    };

    (void)state;
    A->nr_mmio = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->mmio[0] = bad[i];
        expect_bad(1, "pith.conf:10: ", "");
    }
    A->mmio[0] = (struct manifest_range){ 0x4000000, 0x4000fff }; /* right above its 64 MiB */
    expect_good(1);
    A->mmio[0] = (struct manifest_range){ GIB(4), GIB(4) + 4095 };
    expect_good(1);
    A->memory = GIB(3) + MIB(1); /* the last MiB lies from 4 GiB */
    expect_bad(1, "pith.conf:10: ", "its own memory");
    A->mmio[0] = (struct manifest_range){ GIB(4) + MIB(1), GIB(4) + MIB(2) - 1 };
    expect_good(1);
    A->mmio[0] = (struct manifest_range){ 0xc0200000, 0xcfffffff };
    expect_good(1);
    A->mmio[0].first -= PAGE_SIZE;
    expect_bad(1, "pith.conf:10: ", "shares with every guest");
    A->mmio[0] = (struct manifest_range){ GIB(3), GIB(3) + 4095 };
    expect_bad(1, "pith.conf:10: ", "shares with every guest");
}

static void given_once(void **state)
{
    struct manifest_partition *b;

    (void)state;
    b = add("b");
    A->nr_ports = b->nr_ports = A->nr_irqs = b->nr_irqs = A->nr_mmio = b->nr_mmio = 1;
    A->ports[0] = (struct manifest_range){ 0x160, 0x164 };
    b->ports[0] = (struct manifest_range){ 0x165, 0x170 };
    A->mmio[0] = (struct manifest_range){ 0xfe000000, 0xfe001fff };
    b->mmio[0] = (struct manifest_range){ 0xfe002000, 0xfe002fff };
    A->irqs[0] = 3;
    b->irqs[0] = 5;
    expect_good(1);
    b->ports[0].first = 0x164;
    expect_bad(1, "pith.conf:20: ", "ports 0x164-0x170 of 'b' overlaps 0x160-0x164 of 'a'");
    b->ports[0].first = 0x165;
    b->mmio[0].first = 0xfe001000;
    expect_bad(1, "pith.conf:20: ", "mmio");
    b->mmio[0].first = 0xfe002000;
    b->irqs[0] = 3;
    expect_bad(1, "pith.conf:20: ", "interrupt 3 of 'b'");
    b->irqs[0] = MANIFEST_IRQ_MAX + 1;
    expect_bad(1, "pith.conf:20: ", "interrupt 24");
}

static void cores_that_exist(void **state)
{
    (void)state;
    cores_of(A, BIT(3), 0);
    expect_good(4);
    expect_bad(3, "pith.conf:10: ", "core 3 and this machine has 3");
    cores_of(A, 0, 0);
    A->cores[3] = BIT(63);
    expect_good(MANIFEST_CORES);
    expect_good(1000); /* a machine with more cores than a manifest can name */
    expect_bad(255, "pith.conf:10: ", "core 255");
}

static void dedicated_cores(void **state)
{
    struct manifest_partition *b;

    (void)state;
    cores_of(A, 6, MANIFEST_DEDICATED);
    A->vcpus = 2;
    expect_good(4);
    A->vcpus = 3;
    expect_bad(4, "pith.conf:10: ", "3 vCPUs and 2 dedicated cores");
    cores_of(A, 6, 0);
    expect_good(4);
    A->vcpus = 1;
    cores_of(A, 6, MANIFEST_DEDICATED);
    b = add("b");
    cores_of(b, 12, 0);
    expect_bad(4, "pith.conf:20: ", "core 2 is listed by 'a' and 'b'");
    cores_of(b, 8, 0);
    expect_good(4);
    cores_of(A, 8, 0);
    expect_good(4);
    cores_of(b, 8, MANIFEST_DEDICATED);
    expect_bad(4, "pith.conf:20: ", "core 3 is listed by 'a' and 'b'");
}

static void dedicated_without_a_list(void **state)
{
    struct manifest_partition *b;

    (void)state;
    cores_of(A, 0, MANIFEST_DEDICATED);
    A->vcpus = 2;
    expect_good(3);
    expect_bad(2, "pith.conf:10: ", "wants 2 cores of its own and 1 are free, without core 0");
    expect_bad(1, "pith.conf:10: ", "wants 2 cores of its own and 1 are free");
    b = add("b");
    expect_good(3);
    A->vcpus = 1;
    expect_bad(1, "pith.conf:20: ", "no core is left for 'b'");
    A->vcpus = 2;
    cores_of(b, 1, 0);
    expect_good(3);
    expect_bad(2, "pith.conf:10: ", "wants 2 cores of its own and 1 are free");
    add("c"); /* shares core 0 with b */
    expect_good(3);
}

/* Core 0 keeps house, unless there is no other. */
static void dedicated_core_0(void **state)
{
    (void)state;
    cores_of(A, 1, MANIFEST_DEDICATED);
    expect_good(1);
    expect_good(MANIFEST_CORES); /* nobody knows yet */
    expect_bad(2, "pith.conf:10: ", "core 0 keeps house for all and 'a' wants it dedicated");
    cores_of(A, 3, MANIFEST_DEDICATED);
    expect_bad(MANIFEST_CORES, "pith.conf:10: ", "core 0 keeps house");
    cores_of(A, 1, MANIFEST_DEDICATED);
    cores_of(add("b"), 2, 0);
    expect_bad(MANIFEST_CORES, "pith.conf:10: ", "core 0 keeps house");
    cores_of(A, 0, MANIFEST_DEDICATED);
    m.nr_partitions = 1;
    expect_good(1);
    expect_good(2);
}

static void count_mistake(void *ctx, const struct manifest_place *at, const char *text)
{
    u32 *n = ctx;

    assert_true(at->part == A);
    assert_string_equal(at->key, *n == 0 ? "image" : "vcpus");
    assert_non_null(text);
    ++*n;
}

static void all_are_reported(void **state)
{
    u32 n = 0;

    (void)state;
    A->image = MANIFEST_NONE;
    A->vcpus = 0;
    manifest_examine(&m, 4, 1, count_mistake, &n);
    assert_int_equal(n, 2);
}

static void irqs(void **state)
{
    static const u32 bad[] = { 0, 1, 2, 4, MANIFEST_IRQ_MAX + 1, ~0u };
    static const u32 good[] = { 3, 5, 12, MANIFEST_IRQ_MAX };

    (void)state;
    A->nr_irqs = 1;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        A->irqs[0] = bad[i];
        expect_bad(1, "pith.conf:10: ", "interrupt");
    }
    for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
        A->irqs[0] = good[i];
        expect_good(1);
        assert_int_equal(manifest_check(&m, 4, 1, why, sizeof(why)), PITH_OK);
    }
}

static void short_buffer(void **state)
{
    char small[12];

    (void)state;
    A->vcpus = 0;
    assert_int_equal(manifest_check(&m, 4, 1, small, sizeof(small)), PITH_E_ARG);
    assert_string_equal(small, "pith.conf:1");
}

/* Whatever stands in the manifest, the check stays inside it. */
static void any_bytes(void **state)
{
    srand(3);
    for (u32 round = 0; round < 2000; round++) {
        fresh(state);
        add("b");
        for (u32 i = 0; i < 8; i++)
            ((u8 *)m.partitions)[(u32)rand() % (2 * sizeof(m.partitions[0]))] = (u8)rand();
        m.nr_channels = 3;
        for (u32 i = 0; i < 20; i++)
            ((u8 *)m.channels)[(u32)rand() % (3 * sizeof(m.channels[0]))] = (u8)rand();
        assert_in_range(manifest_check(&m, 4, 4, why, sizeof(why)), PITH_OK, PITH_E_ARG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good_ones, fresh),
        cmocka_unit_test_setup(damaged, fresh),
        cmocka_unit_test_setup(nothing_to_run, fresh),
        cmocka_unit_test_setup(names, fresh),
        cmocka_unit_test_setup(files, fresh),
        cmocka_unit_test_setup(values, fresh),
        cmocka_unit_test_setup(irqs, fresh),
        cmocka_unit_test_setup(kept_ports, fresh),
        cmocka_unit_test_setup(mmio, fresh),
        cmocka_unit_test_setup(given_once, fresh),
        cmocka_unit_test_setup(cores_that_exist, fresh),
        cmocka_unit_test_setup(dedicated_cores, fresh),
        cmocka_unit_test_setup(dedicated_without_a_list, fresh), cmocka_unit_test_setup(dedicated_core_0, fresh),
        cmocka_unit_test_setup(all_are_reported, fresh),
        cmocka_unit_test_setup(short_buffer, fresh),
        cmocka_unit_test_setup(any_bytes, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
