/* SPDX-License-Identifier: MIT */
/*
 * The second-stage walker, with the entries of both vendors.
 * LINK: arch/x86/s2.c hv/lib/frames.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/s2.h"
#include "arch/x86/s2_mem.h"
#include "arch/x86/vm_ops.h"
#include "hv/lib/panic.h"

#define POOL   0x40000000ull
#define FRAMES 600

static u64 memory[FRAMES][512], bits[ALIGN_UP(FRAMES, 64) / 64];
static struct frame_pool pool;
static struct vm_caps caps;
static struct vm_ops ops;
static struct arch_vm vm;
static jmp_buf panicked;

void panic(const char *fmt, ...)
{
    (void)fmt;
    longjmp(panicked, 1);
}

u64 *s2_table_at(hpa_t table)
{
    assert_true(table >= POOL && table < POOL + FRAMES * PAGE_SIZE && !(table & PAGE_MASK));
    return memory[(table - POOL) / PAGE_SIZE];
}

const struct vm_ops *vm_ops_get(void)
{
    return &ops;
}

const struct vm_caps *arch_vm_caps(void)
{
    return &caps;
}

static u64 ept_leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type)
{
    return hpa | prot | (type == S2_WB ? 6u << 3 : 0) | (level > 1 ? BIT(7) : 0);
}

static u64 npt_leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type)
{
    return hpa | 1 | (prot & S2_W ? 2 : 0) | 4 | (type == S2_UC ? BIT(3) | BIT(4) : 0) | (prot & S2_X ? 0 : BIT(63)) |
           (level > 1 ? BIT(7) : 0);
}

static u64 any_table(hpa_t next)
{
    return next | 7;
}

static int setup(u64 (*leaf)(hpa_t, unsigned, enum s2_prot, enum s2_type))
{
    memset(memory, 0xa5, sizeof(memory)); /* frames are not zeroed by the pool */
    frames_init(&pool, POOL, FRAMES, bits);
    caps = (struct vm_caps){ .page_2m = true, .page_1g = true, .itlb_safe = true };
    ops = (struct vm_ops){ .s2_leaf = leaf, .s2_table = any_table };
    vm = (struct arch_vm){ .frames = &pool, .s2_epoch = 1 };
    return s2_init(&vm);
}

static int setup_ept(void **state)
{
    (void)state;
    return setup(ept_leaf);
}

static int setup_npt(void **state)
{
    (void)state;
    return setup(npt_leaf);
}

/* Every frame comes back. */
static int teardown(void **state)
{
    (void)state;
    s2_fini(&vm);
    return pool.nr_free != FRAMES;
}

static void expect(gpa_t gpa, hpa_t hpa, enum s2_prot need)
{
    hpa_t got = 0;

    assert_true(arch_vm_translate(&vm, gpa, need, &got));
    assert_int_equal(got, hpa);
}

static void expect_none(gpa_t gpa)
{
    hpa_t got;

    assert_false(arch_vm_translate(&vm, gpa, S2_NONE, &got));
}

static u64 tables_used(void)
{
    return FRAMES - pool.nr_free;
}

/* The leaf's level by the hardware's rules, and the leaf itself. */
static unsigned leaf_of(gpa_t gpa, u64 *leaf)
{
    u64 entry = vm.s2_root;

    for (unsigned level = 4; level; level--) {
        entry = s2_table_at(entry & 0x000ffffffffff000ull)[gpa >> (3 + 9 * level) & 511];
        if (!(entry & 7))
            return 0;
        *leaf = entry;
        if (level == 1 || (entry & BIT(7)))
            return level;
    }
    return 0;
}

static void test_small_pages(void **state)
{
    (void)state;
    assert_int_equal(arch_vm_map(&vm, 0x1000, 0x777000, 0x3000, S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(tables_used(), 4);
    expect(0x1000, 0x777000, S2_RWX);
    expect(0x3fff, 0x779fff, S2_X);
    expect_none(0xfff);
    expect_none(0x4000);
    expect_none(BIT(48) + 0x1000);
}

static void test_rights(void **state)
{
    static const enum s2_prot prots[] = { S2_R, S2_RW, S2_R | S2_X, S2_RWX };
    hpa_t hpa;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
        gpa_t gpa = i * PAGE_SIZE;

        assert_int_equal(arch_vm_map(&vm, gpa, POOL, PAGE_SIZE, prots[i], S2_WB), PITH_OK);
        for (unsigned need = 0; need < 8; need++)
            assert_int_equal(arch_vm_translate(&vm, gpa, need, &hpa), (need & ~prots[i]) == 0);
    }
}

static void test_largest_pages(void **state)
{
    gpa_t gpa = GIB(3) - MIB(2) - PAGE_SIZE;
    u64 leaf;

    (void)state;
    /* 1 GiB at 3 GiB with 2 MiB and 4 KiB around it. */
    assert_int_equal(arch_vm_map(&vm, gpa, GIB(5) + gpa, GIB(1) + MIB(4) + 2 * PAGE_SIZE, S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(gpa, &leaf), 1);
    assert_int_equal(leaf_of(GIB(3) - MIB(2), &leaf), 2);
    assert_int_equal(leaf_of(GIB(3), &leaf), 3);
    assert_int_equal(leaf, ops.s2_leaf(GIB(8), 3, S2_RWX, S2_WB));
    assert_int_equal(leaf_of(GIB(4), &leaf), 2);
    assert_int_equal(leaf_of(GIB(4) + MIB(2), &leaf), 1);
    assert_int_equal(leaf_of(GIB(4) + MIB(2) + PAGE_SIZE, &leaf), 0);
    expect(GIB(3) + 12345, GIB(8) + 12345, S2_RWX);
    expect(GIB(4) + MIB(1), GIB(9) + MIB(1), S2_RWX);
}

static void test_host_alignment_limits_pages(void **state)
{
    u64 leaf;

    (void)state;
    assert_int_equal(arch_vm_map(&vm, 0, MIB(2), GIB(1), S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(0, &leaf), 2);
    assert_int_equal(arch_vm_map(&vm, GIB(1), PAGE_SIZE, MIB(2), S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(GIB(1), &leaf), 1);
    expect(GIB(1) + MIB(1), MIB(1) + PAGE_SIZE, S2_RWX);
}

static void test_capabilities_limit_pages(void **state)
{
    u64 leaf;

    (void)state;
    caps.itlb_safe = false;
    assert_int_equal(arch_vm_map(&vm, 0, 0, MIB(2), S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(0, &leaf), 1);
    assert_int_equal(arch_vm_map(&vm, GIB(1), 0, GIB(1), S2_RW, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(GIB(1), &leaf), 3);
    caps.page_1g = false;
    assert_int_equal(arch_vm_map(&vm, GIB(2), 0, GIB(1), S2_RW, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(GIB(2), &leaf), 2);
    caps.page_2m = false;
    assert_int_equal(arch_vm_map(&vm, GIB(3), 0, MIB(2), S2_RW, S2_WB), PITH_OK);
    assert_int_equal(leaf_of(GIB(3), &leaf), 1);
}

static void test_bad_arguments(void **state)
{
    static const struct { u64 gpa, hpa, size, prot; } bad[] = {
        { 1, 0, PAGE_SIZE, S2_RWX },
        { 0, 8, PAGE_SIZE, S2_RWX },
        { 0, 0, 100, S2_RWX },
        { 0, 0, 0, S2_RWX },
        { BIT(48), 0, PAGE_SIZE, S2_RWX },
        { BIT(48) - PAGE_SIZE, 0, 2 * PAGE_SIZE, S2_RWX },
        { 0 - PAGE_SIZE, 0, 2 * PAGE_SIZE, S2_RWX },
        { 0, BIT(52) - PAGE_SIZE, 2 * PAGE_SIZE, S2_RWX },
        { 0, 0 - PAGE_SIZE, PAGE_SIZE, S2_RWX },
        { 0, 0, 0 - PAGE_SIZE, S2_RWX },
        { 0, 0, PAGE_SIZE, S2_NONE },
        { 0, 0, PAGE_SIZE, S2_W },
        { 0, 0, PAGE_SIZE, S2_X },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(arch_vm_map(&vm, bad[i].gpa, bad[i].hpa, bad[i].size, (enum s2_prot)bad[i].prot, S2_WB), PITH_E_ARG);
    assert_int_equal(tables_used(), 1);
    assert_int_equal(arch_vm_map(&vm, BIT(48) - PAGE_SIZE, BIT(52) - PAGE_SIZE, PAGE_SIZE, S2_RW, S2_UC), PITH_OK);
    expect(BIT(48) - 1, BIT(52) - 1, S2_RW);
}

static void test_overlap_changes_nothing(void **state)
{
    u64 used;

    (void)state;
    assert_int_equal(arch_vm_map(&vm, GIB(1), GIB(5), MIB(2), S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(arch_vm_map(&vm, MIB(2) + PAGE_SIZE, GIB(6), PAGE_SIZE, S2_R, S2_WB), PITH_OK);
    used = tables_used();
    assert_int_equal(arch_vm_map(&vm, GIB(1) + PAGE_SIZE, 0, PAGE_SIZE, S2_R, S2_WB), PITH_E_ARG);
    assert_int_equal(arch_vm_map(&vm, 0, GIB(7), GIB(2), S2_RWX, S2_WB), PITH_E_ARG);
    assert_int_equal(arch_vm_map(&vm, MIB(2), GIB(7), 2 * PAGE_SIZE, S2_RWX, S2_WB), PITH_E_ARG);
    assert_int_equal(tables_used(), used);
    expect_none(0);
    expect_none(MIB(2));
    expect(MIB(2) + PAGE_SIZE, GIB(6), S2_R);
    expect(GIB(1), GIB(5), S2_RWX);
    assert_int_equal(vm.s2_epoch, 1);
}

static void test_out_of_frames_changes_nothing(void **state)
{
    static u64 before[FRAMES][512];
    hpa_t hog[FRAMES];
    unsigned held = 0;

    (void)state;
    assert_int_equal(arch_vm_map(&vm, 0, 0, PAGE_SIZE, S2_RWX, S2_WB), PITH_OK);
    while (pool.nr_free > 2)
        hog[held++] = frames_alloc(&pool, 1, 1);
    memcpy(before, memory, sizeof(before));
    assert_int_equal(arch_vm_map(&vm, GIB(1) - PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, S2_RWX, S2_WB), PITH_E_MEM); /* needs 3 */
    assert_int_equal(pool.nr_free, 2);
    for (unsigned i = 0; i < FRAMES; i++) {
        if (bits[i / 64] >> i % 64 & 1)
            assert_memory_equal(before[i], memory[i], PAGE_SIZE);
    }
    assert_int_equal(arch_vm_map(&vm, GIB(2), PAGE_SIZE, PAGE_SIZE, S2_RWX, S2_WB), PITH_OK); /* needs 2 */
    while (held)
        frames_free(&pool, hog[--held], 1);
}

static void test_unmap_bumps_epoch(void **state)
{
    u64 used;

    (void)state;
    assert_int_equal(arch_vm_map(&vm, 0, 0, MIB(4), S2_RWX, S2_WB), PITH_OK);
    assert_int_equal(vm.s2_epoch, 1);
    used = tables_used();
    arch_vm_unmap(&vm, MIB(4), GIB(1));
    assert_int_equal(vm.s2_epoch, 1); /* nothing was there */
    arch_vm_unmap(&vm, 0, MIB(2));
    assert_int_equal(vm.s2_epoch, 2);
    assert_int_equal(tables_used(), used);
    expect_none(MIB(2) - 1);
    expect(MIB(2), MIB(2), S2_RWX);
    arch_vm_unmap(&vm, 0, BIT(48));
    assert_int_equal(vm.s2_epoch, 3);
    expect_none(MIB(2));
    assert_int_equal(arch_vm_map(&vm, 0, MIB(6), MIB(4), S2_RW, S2_UC), PITH_OK); /* the tables are used again */
    assert_int_equal(tables_used(), used);
    expect(0, MIB(6), S2_RW);
    if (!setjmp(panicked)) {
        arch_vm_unmap(&vm, 8, PAGE_SIZE);
        fail_msg("no panic");
    }
}

static void test_unmap_splits(void **state)
{
    static const enum s2_type types[] = { S2_WB, S2_UC };
    u64 leaf;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        gpa_t gpa = GIB(1 + i);

        assert_int_equal(arch_vm_map(&vm, gpa, GIB(16), GIB(1), S2_RW, types[i]), PITH_OK);
        leaf_of(gpa, &leaf);
        s2_table_at(s2_table_at(vm.s2_root)[0] & ~0xfffull)[1 + i] |= BIT(5) | BIT(6) | BIT(8) | BIT(9); /* A and D */
        arch_vm_unmap(&vm, gpa + MIB(4) + PAGE_SIZE, PAGE_SIZE);
        expect_none(gpa + MIB(4) + PAGE_SIZE);
        expect(gpa + MIB(4), GIB(16) + MIB(4), S2_RW);
        expect(gpa + MIB(4) + 2 * PAGE_SIZE, GIB(16) + MIB(4) + 2 * PAGE_SIZE, S2_RW);
        expect(gpa + MIB(6), GIB(16) + MIB(6), S2_RW);
        assert_int_equal(leaf_of(gpa + MIB(4), &leaf), 1);
        assert_int_equal(leaf, ops.s2_leaf(GIB(16) + MIB(4), 1, S2_RW, types[i]));
        assert_int_equal(leaf_of(gpa + MIB(6), &leaf), 2);
        assert_int_equal(leaf, ops.s2_leaf(GIB(16) + MIB(6), 2, S2_RW, types[i]));
    }
}

static void test_unmap_without_frames_takes_more(void **state)
{
    hpa_t hog[FRAMES];
    unsigned held = 0;

    (void)state;
    assert_int_equal(arch_vm_map(&vm, 0, 0, MIB(6), S2_RWX, S2_WB), PITH_OK);
    while (pool.nr_free)
        hog[held++] = frames_alloc(&pool, 1, 1);
    arch_vm_unmap(&vm, MIB(2) - PAGE_SIZE, MIB(2) + PAGE_SIZE);
    expect_none(0);
    expect_none(MIB(2));
    expect(MIB(4), MIB(4), S2_RWX);
    assert_int_equal(vm.s2_epoch, 2);
    while (held)
        frames_free(&pool, hog[--held], 1);
}

/* How far arch_vm_extent() shall come from page @i of the model: to the end of the large page or table at most. */
static u64 run_of(const u64 *model, u64 i, u64 max)
{
    u64 n = 1;

    while (n < max && (i + n) % 512 && model[i + n] == model[i] + n * PAGE_SIZE)
        n++;
    return n;
}

/* Random maps and unmaps of the low 16 MiB against one word a page. */
static void test_random_against_model(void **state)
{
    enum { PAGES = 4096 };
    static u64 model[PAGES]; /* hpa | prot, 0: none */
    unsigned seed = 3;

    (void)state;
    memset(model, 0, sizeof(model));
    for (int round = 0; round < 400; round++) {
        u64 unit = rand_r(&seed) % 2 ? 1 : 512, n = unit * (1 + (u64)rand_r(&seed) % 3);
        u64 first = (u64)rand_r(&seed) % PAGES / unit * unit, hpa = first * PAGE_SIZE + (u64)rand_r(&seed) % 4 * GIB(4);
        enum s2_prot prot = rand_r(&seed) % 2 ? S2_RWX : S2_R;
        bool overlap = false;

        n = MIN(n, PAGES - first);
        for (u64 i = first; i < first + n; i++)
            overlap |= model[i] != 0;
        if (rand_r(&seed) % 2) {
            arch_vm_unmap(&vm, first * PAGE_SIZE, n * PAGE_SIZE);
            memset(model + first, 0, n * sizeof(u64));
        } else {
            assert_int_equal(arch_vm_map(&vm, first * PAGE_SIZE, hpa, n * PAGE_SIZE, prot, S2_WB),
                             overlap ? PITH_E_ARG : PITH_OK);
            for (u64 i = 0; i < n && !overlap; i++)
                model[first + i] = (hpa + i * PAGE_SIZE) | prot;
        }
        for (u64 i = 0; i < PAGES; i += 1 + (u64)rand_r(&seed) % 16) {
            u64 max = 1 + (u64)rand_r(&seed) % 600, at = 0;

            assert_int_equal(arch_vm_extent(&vm, i * PAGE_SIZE, max * PAGE_SIZE, S2_R, &at),
                             model[i] ? run_of(model, i, max) * PAGE_SIZE : 0);
            assert_true(!model[i] || at == (model[i] & ~PAGE_MASK));
            assert_int_equal(arch_vm_extent(&vm, i * PAGE_SIZE, max * PAGE_SIZE, S2_RW, &at) != 0, (model[i] & S2_W) != 0);
            if (model[i])
                expect(i * PAGE_SIZE + 5, (model[i] & ~PAGE_MASK) + 5, (enum s2_prot)(model[i] & 7));
            else
                expect_none(i * PAGE_SIZE);
        }
    }
}

static void test_init_without_frames(void **state)
{
    struct arch_vm other = { .frames = &pool };

    (void)state;
    frames_init(&pool, POOL, 0, bits);
    assert_int_equal(s2_init(&other), PITH_E_MEM);
}

#define BOTH(test)                                                  \
    { #test ", EPT", test, setup_ept, teardown, NULL },             \
    { #test ", NPT", test, setup_npt, teardown, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_small_pages),
        BOTH(test_rights),
        BOTH(test_largest_pages),
        BOTH(test_host_alignment_limits_pages),
        BOTH(test_capabilities_limit_pages),
        BOTH(test_bad_arguments),
        BOTH(test_overlap_changes_nothing),
        BOTH(test_out_of_frames_changes_nothing),
        BOTH(test_unmap_bumps_epoch),
        BOTH(test_unmap_splits),
        BOTH(test_unmap_without_frames_takes_more),
        BOTH(test_random_against_model),
        cmocka_unit_test_setup(test_init_without_frames, setup_ept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
