/* SPDX-License-Identifier: MIT */
/*
 * The loader's memory map: sorted, page-aligned, disjoint and merged, whatever the firmware said.
 * LINK: boot/ranges.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/ranges.h"

#define K4 4096ull

static struct handoff_range in[2048], out[RANGES_OUT(2048)];

static u32 tidy(const struct handoff_range *r, u32 n)
{
    memcpy(in, r, n * sizeof(*r));
    memset(out, 0xee, sizeof(out));
    return ranges_tidy(in, n, out);
}
#define TIDY(...) \
    ({ \
        const struct handoff_range given[] = { __VA_ARGS__ }; \
        tidy(given, ARRAY_SIZE(given)); \
    })

static void expect(u32 i, u64 base, u64 end, u32 kind)
{
    assert_int_equal(out[i].base, base);
    assert_int_equal(out[i].size, end - base);
    assert_int_equal(out[i].kind, kind);
    assert_int_equal(out[i].pad, 0);
}

static void nothing_in_nothing_out(void **state)
{
    (void)state;
    assert_int_equal(ranges_tidy(in, 0, out), 0);
    assert_int_equal(TIDY({ 0x5000, 0, HANDOFF_RESERVED, 0 }, { 0x5001, 0, HANDOFF_FREE, 0 }), 0);
}

static void sorts_and_merges(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ 0x9000, K4, HANDOFF_FREE, 0 }, { 0x7000, K4, HANDOFF_FREE, 0 },
                          { 0x8000, K4, HANDOFF_FREE, 0 }, { 0xa000, K4, HANDOFF_ACPI, 0 },
                          { 0xc000, K4, HANDOFF_ACPI, 0 }),
                     3);
    expect(0, 0x7000, 0xa000, HANDOFF_FREE);
    expect(1, 0xa000, 0xb000, HANDOFF_ACPI);
    expect(2, 0xc000, 0xd000, HANDOFF_ACPI);
}

static void loader_memory_is_cut_out_of_free(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ 0, 16 * K4, HANDOFF_FREE, 0 }, { 4 * K4, 2 * K4, HANDOFF_MODULE, 0 },
                          { 6 * K4, K4, HANDOFF_HV_IMAGE, 0 }, { 15 * K4, K4, HANDOFF_MODULE, 0 }),
                     5);
    expect(0, 0, 4 * K4, HANDOFF_FREE);
    expect(1, 4 * K4, 6 * K4, HANDOFF_MODULE);
    expect(2, 6 * K4, 7 * K4, HANDOFF_HV_IMAGE);
    expect(3, 7 * K4, 15 * K4, HANDOFF_FREE);
    expect(4, 15 * K4, 16 * K4, HANDOFF_MODULE);
}

static void restrictive_kind_wins(void **state)
{
    static const u32 order[] = { HANDOFF_FREE, HANDOFF_MODULE, HANDOFF_HV_IMAGE,
                                 HANDOFF_ACPI, HANDOFF_EFI_RUNTIME, HANDOFF_RESERVED };

    (void)state;
    for (u32 i = 0; i + 1 < ARRAY_SIZE(order); i++) {
        assert_int_equal(TIDY({ 0x1000, 3 * K4, order[i], 0 }, { 0x2000, 3 * K4, order[i + 1], 0 }),
                         2);
        expect(0, 0x1000, 0x2000, order[i]);
        expect(1, 0x2000, 0x5000, order[i + 1]);
        assert_int_equal(TIDY({ 0x1000, 3 * K4, order[i + 1], 0 }, { 0x2000, 3 * K4, order[i], 0 }),
                         2);
        expect(0, 0x1000, 0x4000, order[i + 1]);
        expect(1, 0x4000, 0x5000, order[i]);
    }
}

static void same_base_and_containment(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ 0x1000, 8 * K4, HANDOFF_FREE, 0 }, { 0x1000, K4, HANDOFF_RESERVED, 0 },
                          { 0x1000, 2 * K4, HANDOFF_ACPI, 0 }),
                     3);
    expect(0, 0x1000, 0x2000, HANDOFF_RESERVED);
    expect(1, 0x2000, 0x3000, HANDOFF_ACPI);
    expect(2, 0x3000, 0x9000, HANDOFF_FREE);
    assert_int_equal(TIDY({ 0x1000, 8 * K4, HANDOFF_RESERVED, 0 }, { 0x2000, K4, HANDOFF_FREE, 0 }),
                     1);
    expect(0, 0x1000, 0x9000, HANDOFF_RESERVED);
}

static void unaligned_free_shrinks_others_grow(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ 0x1001, 0x1fff, HANDOFF_FREE, 0 }, { 0x5fff, 2, HANDOFF_ACPI, 0 },
                          { 0x9001, 0xffe, HANDOFF_FREE, 0 }),
                     2);
    expect(0, 0x2000, 0x3000, HANDOFF_FREE);
    expect(1, 0x5000, 0x7000, HANDOFF_ACPI);
}

/* A page that is partly free and partly not belongs to the other. */
static void shared_page_is_not_free(void **state)
{
    (void)state;
    assert_int_equal(
        TIDY({ 0x1000, 0x1800, HANDOFF_FREE, 0 }, { 0x2800, 0x1800, HANDOFF_RESERVED, 0 }), 2);
    expect(0, 0x1000, 0x2000, HANDOFF_FREE);
    expect(1, 0x2000, 0x4000, HANDOFF_RESERVED);
}

static void end_of_address_space(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ ~0ull - 0x1fff, ~0ull, HANDOFF_RESERVED, 0 },
                          { ~0ull, 1, HANDOFF_FREE, 0 },
                          { ~0ull - 0x7fff, ~0ull, HANDOFF_FREE, 0 }),
                     2);
    expect(0, ~0ull - 0x7fff, ~0ull - 0x1fff, HANDOFF_FREE);
    expect(1, ~0ull - 0x1fff, ~0ull - 0xfff, HANDOFF_RESERVED);
}

static void unknown_kind_is_kept_and_wins(void **state)
{
    (void)state;
    assert_int_equal(TIDY({ 0x1000, K4, HANDOFF_EFI_RUNTIME, 0 }, { 0x1000, K4, 77, 0 }), 1);
    expect(0, 0x1000, 0x2000, 77);
}

/* As many ranges as the worst interleaving gives: the room that RANGES_OUT() promises is enough. */
static void fragmented_map_fits(void **state)
{
    static struct handoff_range r[2048];

    (void)state;
    r[0] = (struct handoff_range){ 0, 5000 * K4, HANDOFF_FREE, 0 };
    for (u32 i = 1; i < 2048; i++)
        r[i] = (struct handoff_range){ (2 * i - 1) * K4, K4, HANDOFF_RESERVED, 0 };
    assert_int_equal(tidy(r, 2048), 4095);
    expect(0, 0, K4, HANDOFF_FREE);
    expect(1, K4, 2 * K4, HANDOFF_RESERVED);
    expect(4094, 4094 * K4, 5000 * K4, HANDOFF_FREE);
}

enum { MODEL_PAGES = 64 };

/* Which kind each page has, said the slow way. */
static void model(const struct handoff_range *r, u32 n, u32 pages[MODEL_PAGES])
{
    static const u32 rank[] = { 0, 1, 3, 2, 4, 6, 5 };

    memset(pages, 0, MODEL_PAGES * sizeof(*pages));
    for (u32 i = 0; i < n; i++) {
        for (u32 k = 0; k < MODEL_PAGES; k++) {
            u64 from = MAX(r[i].base, k * K4), to = MIN(r[i].base + r[i].size, (k + 1) * K4);
            bool covers = r[i].kind == HANDOFF_FREE ? from == k * K4 && to == (k + 1) * K4
                                                    : from < to;

            if (covers && rank[r[i].kind] > rank[pages[k]])
                pages[k] = r[i].kind;
        }
    }
}

static void check_against_model(const struct handoff_range *r, u32 n)
{
    u32 pages[MODEL_PAGES], nr_out, k = 0;

    model(r, n, pages);
    nr_out = tidy(r, n);
    assert_true(nr_out <= RANGES_OUT(n));
    for (u32 i = 0; i < nr_out; i++) {
        assert_int_equal((out[i].base | out[i].size) % K4, 0);
        assert_true(out[i].size > 0);
        assert_false(i && out[i - 1].base + out[i - 1].size == out[i].base &&
                     out[i - 1].kind == out[i].kind);
        for (; k < out[i].base / K4; k++)
            assert_int_equal(pages[k], 0);
        for (; k < (out[i].base + out[i].size) / K4; k++)
            assert_int_equal(pages[k], out[i].kind);
    }
    for (; k < MODEL_PAGES; k++)
        assert_int_equal(pages[k], 0);
}

static void agrees_with_a_model(void **state)
{
    struct handoff_range r[12];

    (void)state;
    srand(1);
    for (u32 round = 0; round < 5000; round++) {
        u32 n = (u32)rand() % ARRAY_SIZE(r);

        for (u32 i = 0; i < n; i++) {
            bool whole = rand() % 4;
            u64 unit = whole ? K4 : 512;
            u64 base = (u64)rand() % (MODEL_PAGES * K4 / unit) * unit;
            u64 room = MODEL_PAGES * K4 - base, size = (u64)rand() % (20 * K4 / unit) * unit;

            r[i] = (struct handoff_range){ base, MIN(room, size), 1 + (u32)rand() % 6, 0 };
        }
        check_against_model(r, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_nothing_out),
        cmocka_unit_test(sorts_and_merges),
        cmocka_unit_test(loader_memory_is_cut_out_of_free),
        cmocka_unit_test(restrictive_kind_wins),
        cmocka_unit_test(same_base_and_containment),
        cmocka_unit_test(unaligned_free_shrinks_others_grow),
        cmocka_unit_test(shared_page_is_not_free),
        cmocka_unit_test(end_of_address_space),
        cmocka_unit_test(unknown_kind_is_kept_and_wins),
        cmocka_unit_test(fragmented_map_fits),
        cmocka_unit_test(agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
