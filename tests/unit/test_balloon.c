/* SPDX-License-Identifier: MIT */
/*
 * Memory that a partition gives and takes, on real tables and with the machine's real free memory: whatever is asked, and whatever others
 * do with what is free, its map, its list of RAM and the machine's say the same.
 * LINK: arch/x86/s2.c hv/lib/frames.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/s2.h"
#include "arch/x86/s2_mem.h"
#include "arch/x86/vm_ops.h"
#include "hv/lib/panic.h"

#include "hv/balloon.c"
#include "hv/ram.c"

#define POOL   0x40000000ull
#define FRAMES 1200u
#define MEMORY (GIB(2) + MIB(1)) /* the last MiB is no piece */
#define FIRST  GIB(4)            /* of the machine's free memory */
#define PIECES ((u32)(MEMORY / PIECE))

static u64 tables[FRAMES][512], bits[ALIGN_UP(FRAMES, 64) / 64];
static struct vm_caps caps;
static struct vm_ops ops;
static struct partition part;
static struct manifest_partition conf;
static struct vcpu vcpu;
static u64 scrubbed, houses, wakes, flushes;
static bool granted, somebody_maps;

NORETURN void panic(const char *fmt, ...)
{
    fail_msg("panic: %s", fmt);
    abort();
}

u64 *s2_table_at(hpa_t table)
{
    assert_true(table >= POOL && table < POOL + FRAMES * PAGE_SIZE && !(table & PAGE_MASK));
    return tables[(table - POOL) / PAGE_SIZE];
}

const struct vm_ops *vm_ops_get(void) { return &ops; }
const struct vm_caps *arch_vm_caps(void) { return &caps; }
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; }
void arch_irq_window(void) { }
void partitions_house(void) { }
void house_call(void (*fn)(void)) { assert_ptr_equal(fn, partitions_house); houses++; }
void vcpu_wake(struct vcpu *v) { assert_ptr_equal(v, &vcpu); wakes++; }
void vcpu_set_deadline(struct vcpu *v, u64 deadline) { (void)v, (void)deadline; fail(); }
bool grant_overlaps(struct partition *p, gpa_t gpa, u64 size) { (void)p, (void)gpa, (void)size; return granted; }
enum pith_status partition_map_begin(struct partition *p) { (void)p; return somebody_maps ? PITH_E_BUSY : PITH_OK; }
void partition_map_end(struct partition *p) { (void)p; }
void partition_flush(struct partition *p) { (void)p; flushes++; }

/* Before the partition can see it, in order. */
void host_zero(hpa_t hpa, u64 size)
{
    hpa_t there;

    assert_int_equal(size, LOAD_CHUNK);
    assert_int_equal(hpa, part.balloon.hpa + scrubbed);
    assert_false(arch_vm_translate(&part.vm, part.balloon.gpa, S2_NONE, &there));
    scrubbed += size;
}

enum pith_status partition_map_step(struct partition *p, bool map) { (void)p, (void)map; abort(); }
void partition_give_ram(struct partition *p) { (void)p; abort(); }
enum pith_status partition_take_ram(struct partition *p) { (void)p; abort(); }
u64 partition_ram_taken(const struct partition *p) { (void)p; abort(); }

static u64 leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type)
{
    return hpa | prot | (type == S2_WB ? 6u << 3 : 0) | (level > 1 ? BIT(7) : 0);
}

static u64 table(hpa_t next)
{
    return next | 7;
}

static int begin(bool small_pages)
{
    memset(tables, 0xa5, sizeof(tables));
    caps = (struct vm_caps){ .page_2m = true, .page_1g = true, .itlb_safe = !small_pages };
    ops = (struct vm_ops){ .s2_leaf = leaf, .s2_table = table };
    conf.memory = small_pages ? MIB(64) : MEMORY;
    part = (struct partition){ .conf = &conf, .nr_vcpus = 1, .features = PITH_FEATURE_BALLOON, .state = PARTITION_RUNNING };
    frames_init(&part.frames, POOL, FRAMES, bits);
    part.vm = (struct arch_vm){ .frames = &part.frames, .s2_epoch = 1 };
    vcpu = (struct vcpu){ .part = &part };
    part.vcpus[0] = &vcpu;
    nr_extents = 0;
    free_bytes = 0;
    ram_give(FIRST, GIB(3));
    part.ram[0] = (struct extent){ 0, ram_take(ALIGN_UP(conf.memory, PIECE), GIB(1), ~0ull), conf.memory };
    part.nr_ram = 1;
    assert_int_equal(s2_init(&part.vm), PITH_OK);
    assert_int_equal(arch_vm_map(&part.vm, 0, part.ram[0].hpa, conf.memory, S2_RWX, S2_WB), PITH_OK);
    part.frames_given = FRAMES - part.frames.nr_free;
    granted = somebody_maps = false;
    houses = wakes = flushes = 0;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(false);
}

static bool sleeps(void)
{
    return vcpu.arch.wait == WAIT_CALL && !vcpu.done(&vcpu, false);
}

/* The call, and core 0's part of it. */
static enum pith_status ask_for(hc_fn *call, gpa_t gpa)
{
    struct x86_gprs *g = &vcpu.arch.gpr;

    vcpu.arch.wait = WAIT_NONE;
    g->rbx = gpa;
    scrubbed = 0;
    g->rax = call(&vcpu, g);
    for (u32 i = 0; sleeps(); i++) {
        assert_true(i < 20);
        balloon_serve(&part);
    }
    assert_int_equal(part.balloon.state, BALLOON_FREE);
    assert_int_equal(part.balloon.hpa, 0);
    return (enum pith_status)g->rax;
}

#define OUT(gpa) ask_for(hc_balloon_out, gpa)
#define IN(gpa)  ask_for(hc_balloon_in, gpa)

/* Where a piece is: in the map, all of it or nothing, as in the list of RAM. */
static hpa_t where(gpa_t gpa)
{
    hpa_t first = 0, other = 0, listed = 0;
    bool there = arch_vm_translate(&part.vm, gpa, S2_RWX, &first);

    assert_int_equal(arch_vm_translate(&part.vm, gpa + PIECE - PAGE_SIZE, S2_RWX, &other), there);
    assert_true(!there || other == first + PIECE - PAGE_SIZE);
    for (const struct extent *e = part.ram; e < part.ram + part.nr_ram; e++)
        if (gpa >= e->gpa && gpa < e->gpa + e->size)
            listed = e->hpa + (gpa - e->gpa);
    assert_int_equal(listed, there ? first : 0);
    return listed;
}

static void check_all(void)
{
    gpa_t end = 0;
    u64 has = 0;

    for (gpa_t gpa = 0; gpa + PIECE <= conf.memory; gpa += PIECE)
        has += where(gpa) ? PIECE : 0;
    for (const struct extent *e = part.ram; e < part.ram + part.nr_ram; e++) {
        assert_true(e->gpa >= end && e->size);
        end = e->gpa + e->size;
    }
    assert_int_equal(partition_memory(&part), has + conf.memory % PIECE);
    assert_int_equal(part.frames_given, part.frames.nr_total - part.frames.nr_free);
    assert_int_equal(frames_count(&part.frames), part.frames_given);
    assert_int_equal(ram_count(), ram_free_bytes());
}

/* Out of a page of 1 GiB, and back. */
static void splits(void **state)
{
    u64 tables_before = part.frames_given, free_before = ram_free_bytes();
    hpa_t was = where(MIB(512));

    (void)state;
    assert_int_equal(OUT(MIB(512)), PITH_OK);
    assert_int_equal(where(MIB(512)), 0);
    assert_int_equal(where(MIB(510)), was - PIECE);
    assert_int_equal(where(MIB(514)), was + PIECE);
    assert_int_equal(part.frames_given, tables_before + 1);
    assert_int_equal(part.nr_ram, 2);
    assert_int_equal(ram_free_bytes(), free_before + PIECE);
    assert_int_equal(flushes, 1);
    check_all();
    assert_int_equal(OUT(MIB(512)), PITH_E_STATE);
    assert_int_equal(IN(MIB(512)), PITH_OK);
    assert_int_equal(scrubbed, PIECE);
    assert_int_equal(where(MIB(512)), was);
    assert_int_equal(part.nr_ram, 1);
    assert_int_equal(part.frames_given, tables_before + 1);
    assert_int_equal(IN(MIB(512)), PITH_E_STATE);
    assert_int_equal(ram_free_bytes(), free_before);
    check_all();
}

static void no_frame_to_split(void **state)
{
    (void)state;
    while (part.frames.nr_free)
        assert_true(frames_alloc(&part.frames, 1, 1));
    part.frames_given = part.frames.nr_total;
    assert_int_equal(OUT(MIB(512)), PITH_E_MEM);
    assert_int_equal(part.nr_ram, 1);
    check_all();
}

static void small_pages(void **state)
{
    (void)state;
    assert_int_equal(begin(true), 0);
    assert_int_equal(OUT(MIB(2)), PITH_OK);
    check_all();
    assert_int_equal(OUT(MIB(62)), PITH_OK);
    assert_int_equal(OUT(0), PITH_OK);
    check_all();
    assert_int_equal(IN(0), PITH_OK);
    assert_int_equal(IN(MIB(62)), PITH_OK);
    check_all();
}

static void what_is_not_its(void **state)
{
    (void)state;
    conf.memory = GIB(3) + MIB(5);
    for (u32 i = 0; i < 2; i++) {
        hc_fn *call = i ? hc_balloon_in : hc_balloon_out;

        assert_int_equal(ask_for(call, MIB(2) + PAGE_SIZE), PITH_E_ARG);
        assert_int_equal(ask_for(call, GIB(3)), PITH_E_ARG);
        assert_int_equal(ask_for(call, GIB(4) - PIECE), PITH_E_ARG);
        assert_int_equal(ask_for(call, GIB(4) + MIB(4)), PITH_E_ARG); /* half of it */
        assert_int_equal(ask_for(call, BIT(48)), PITH_E_ARG);
        assert_int_equal(ask_for(call, 0 - PIECE), PITH_E_ARG);
    }
    assert_true(partition_has(&part, GIB(4) + MIB(2), PIECE) && partition_has(&part, GIB(3) - PIECE, PIECE));
    assert_int_equal(houses, 0);
}

static void refusals(void **state)
{
    (void)state;
    granted = true;
    assert_int_equal(OUT(MIB(2)), PITH_E_STATE);
    granted = false;
    part.features = 0; /* as of one whose devices reach all memory */
    assert_int_equal(OUT(MIB(2)), PITH_E_STATE);
    assert_int_equal(IN(MIB(2)), PITH_E_STATE);
    assert_int_equal(flushes, 0);
    check_all();
}

static void too_many_pieces(void **state)
{
    u32 n = 0;

    (void)state;
    while (OUT(MIB(4) * n + MIB(2)) == PITH_OK)
        n++;
    assert_int_equal(n, PARTITION_EXTENTS - 1);
    assert_int_equal(vcpu.arch.gpr.rax, PITH_E_MEM);
    assert_int_equal(OUT(0), PITH_OK); /* makes none more */
    check_all();
    while (n--)
        assert_int_equal(IN(MIB(4) * n + MIB(2)), PITH_OK);
    assert_int_equal(part.nr_ram, 1);
    assert_int_equal(IN(0), PITH_OK);
    check_all();
}

/* Its own frames went elsewhere: what comes in ascending order is one piece all the same. */
static void elsewhere(void **state)
{
    u64 got;

    (void)state;
    for (u32 i = 0; i < 50; i++)
        assert_int_equal(OUT(MIB(100) + i * PIECE), PITH_OK);
    for (u32 i = 0; i < 50; i++)
        assert_true(ram_take_piece(part.ram[0].hpa + MIB(100) + i * PIECE));
    for (u32 i = 0; i < 50; i++)
        assert_int_equal(IN(MIB(100) + i * PIECE), PITH_OK);
    assert_int_equal(part.nr_ram, 3);
    check_all();
    assert_int_equal(OUT(MIB(2)), PITH_OK);
    while (ram_take_most(GIB(1), &got))
        continue;
    assert_int_equal(IN(MIB(2)), PITH_E_MEM);
    check_all();
}

/* Somebody changes the map: it is tried again. The partition ends meanwhile: nothing is done, nothing is lost, and nobody is told. */
static void ends_in_between(void **state)
{
    struct x86_gprs *g = &vcpu.arch.gpr;
    u64 before = ram_free_bytes();

    (void)state;
    somebody_maps = true;
    g->rbx = MIB(2);
    assert_int_equal(hc_balloon_out(&vcpu, g), PITH_OK);
    assert_int_equal(houses, 1);
    balloon_serve(&part);
    assert_int_equal(houses, 2);
    assert_true(sleeps());
    part.state = PARTITION_STOPPING;
    balloon_serve(&part);
    assert_true(sleeps() && !wakes && !flushes && part.balloon.state == BALLOON_FREE);
    check_all();
    somebody_maps = false;
    part.state = PARTITION_PAUSED; /* that is done all the same */
    assert_int_equal(OUT(MIB(2)), PITH_OK);
    assert_int_equal(hc_balloon_in(&vcpu, g), PITH_OK);
    scrubbed = 0;
    for (u32 i = 0; i < 5; i++)
        balloon_serve(&part);
    assert_true(part.balloon.hpa && ram_free_bytes() == before);
    part.state = PARTITION_STOPPED;
    balloon_serve(&part);
    assert_true(sleeps() && !part.balloon.hpa && part.balloon.state == BALLOON_FREE && ram_free_bytes() == before + PIECE);
    check_all();
}

/* It was reset while core 0 was at it, and asks for something else. */
static void asks_anew(void **state)
{
    struct x86_gprs *g = &vcpu.arch.gpr;

    (void)state;
    g->rbx = MIB(2);
    assert_int_equal(hc_balloon_out(&vcpu, g), PITH_OK);
    vcpu.arch.wait = WAIT_NONE;
    g->rbx = MIB(4);
    assert_int_equal(hc_balloon_out(&vcpu, g), PITH_E_BUSY);
    balloon_serve(&part);
    assert_int_equal(hc_balloon_out(&vcpu, g), PITH_OK);
    assert_true(sleeps());
    balloon_serve(&part);
    assert_false(sleeps());
    assert_int_equal(g->rax, PITH_OK);
    check_all();
}

static u64 seed = 815;

static u32 pick(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static void whatever_comes(void **state)
{
    hpa_t others[64] = { 0 };
    u64 all = ram_free_bytes() + partition_memory(&part);

    (void)state;
    for (u32 i = 0; i < 20000; i++) {
        gpa_t gpa = PIECE * pick(pick(4) ? 40 : PIECES);
        hpa_t was = where(gpa), *other = &others[pick(64)];
        enum pith_status st;
        u64 outside = 0;

        if (pick(4) == 0) {
            if (*other)
                ram_give(*other, PIECE);
            *other = *other ? 0 : ram_take_piece(PIECE * pick(4096));
        }
        st = pick(2) ? OUT(gpa) : IN(gpa);
        assert_true(st == PITH_OK || st == PITH_E_STATE || st == PITH_E_MEM);
        assert_int_equal(!where(gpa) != !was, st == PITH_OK);
        for (u32 k = 0; k < 64; k++)
            outside += others[k] ? PIECE : 0;
        assert_int_equal(ram_free_bytes() + partition_memory(&part) + outside, all);
        if (i % 500 == 0)
            check_all();
    }
    check_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(splits, setup), cmocka_unit_test_setup(no_frame_to_split, setup),
        cmocka_unit_test_setup(small_pages, setup), cmocka_unit_test_setup(what_is_not_its, setup),
        cmocka_unit_test_setup(refusals, setup), cmocka_unit_test_setup(too_many_pieces, setup),
        cmocka_unit_test_setup(elsewhere, setup), cmocka_unit_test_setup(ends_in_between, setup),
        cmocka_unit_test_setup(asks_anew, setup), cmocka_unit_test_setup(whatever_comes, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
