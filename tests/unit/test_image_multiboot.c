/* SPDX-License-Identifier: MIT */
/*
 * Multiboot kernels: ELF32, ELF64 and flat files; what they find when they start, and every complaint.
 * LINK: boot/image/image.c boot/image/elf.c boot/image/pith.c boot/image/pvh.c boot/image/linux.c boot/image/multiboot.c
 * LINK: boot/image/real.c boot/image/bios.S boot/image/str_copy.c
 */
#include "arch/x86/cpu/regs.h"
#include "tests/unit/image_fixture.h"

#define HEADER   (SEG_OFF + 4u) /* in the file */
#define FLAT_LEN 0x3000u
#define FLAT_AT  MIB(1)

static void put_header(u8 *at, u32 flags)
{
    put(at, 4, 0x1badb002);
    put(at + 4, 4, flags);
    put(at + 8, 4, 0u - 0x1badb002u - flags);
}

static void make_elf64(u8 elf[ELF_SIZE], u32 flags)
{
    make_elf(elf);
    put(elf + NOTE_PH, 4, 0);
    put(elf + 24, 8, ELF_AT + 0x1000000000 + 0x10); /* linked high, as the segment's virtual address says */
    put_header(elf + HEADER, flags);
}

static void make_elf32(u8 elf[ELF_SIZE], u32 flags)
{
    const u32 segment[] = { 1, SEG_OFF, ELF_AT + 0xc0000000, ELF_AT, SEG_FILE, SEG_MEM, 5, 4 };

    memset(elf, 0, ELF_SIZE);
    memcpy(elf, "\177ELF\1\1\1", 7);
    put(elf + 16, 2, 2);
    put(elf + 18, 2, 3);
    put(elf + 20, 4, 1);
    put(elf + 24, 4, ELF_AT + 0xc0000000 + 0x10);
    put(elf + 28, 4, 52);
    put(elf + 42, 2, 32);
    put(elf + 44, 2, 1);
    memcpy(elf + 52, segment, sizeof(segment));
    memset(elf + SEG_OFF, 0x5a, SEG_FILE);
    put_header(elf + HEADER, flags);
}

/* Header at 0x1000 of the file; loaded from 0x800 on. */
static u8 *make_flat(void)
{
    const u32 addresses[] = { FLAT_AT + 0x800, FLAT_AT, FLAT_AT + 0x2000, FLAT_AT + 0x5000, FLAT_AT + 0x900 };
    u8 *flat = malloc(FLAT_LEN);

    memset(flat, 0x33, FLAT_LEN);
    put_header(flat + 0x1000, BIT(16));
    memcpy(flat + 0x1000 + 12, addresses, sizeof(addresses));
    return flat;
}

static void check_map32(gpa_t at, u32 length)
{
    u64 total = 0, end = 0;

    assert_int_equal(length % 24, 0);
    for (u32 i = 0; i < length / 24; i++) {
        gpa_t base = get(at + i * 24 + 4, 8);
        u64 size = get(at + i * 24 + 12, 8);

        assert_int_equal(get(at + i * 24, 4), 20);
        assert_true(base >= end && in_ram(base, size));
        end = base + size;
        total += size;
    }
    assert_int_equal(total, memory);
    assert_int_equal(get(at + 20, 4), PITH_MEM_RAM);
}

static void check_started(u64 rip)
{
    gpa_t info = start.rbx;

    assert_string_equal(plan.format, "multiboot");
    assert_int_equal(start.mode, PLAN_PROTECTED);
    assert_int_equal(start.rax, 0x2badb002);
    assert_int_equal(start.rip, rip);
    assert_int_equal(start.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(start.cr4 | start.efer, 0);
    assert_int_equal(get(start.gdt + start.cs, 8), 0x00cf9b000000ffff);
    assert_int_equal(get(start.gdt + start.ds, 8), 0x00cf93000000ffff);
    assert_int_equal(get(info, 4), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
    assert_int_equal(get(info + 4, 4), 640);
    assert_string_equal((char *)ram + get(info + 16, 4), "a=1 b");
    check_map32(get(info + 48, 4), (u32)get(info + 44, 4));
    assert_int_equal(MIB(1) + get(info + 8, 4) * 1024, get(get(info + 48, 4) + 2 * 24 + 4, 8) + get(get(info + 48, 4) + 2 * 24 + 12, 8));
    assert_memory_equal(ram + get(info + 64, 4), "Pith ", 5);
}

static void test_elf(void **state)
{
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    for (int is32 = 0; is32 < 2; is32++) {
        (is32 ? make_elf32 : make_elf64)(elf, 3);
        rq = request(elf, sizeof(elf));
        check_ok(&rq);
        check_started(ELF_AT + 0x10);
        assert_memory_equal(ram + ELF_AT, elf + SEG_OFF, SEG_FILE);
        assert_int_equal(get(start.rbx + 20, 4), 0);
    }
}

static void test_modules(void **state)
{
    static const u8 initrd[5000] = { 1, 2, 3 }, first[4096] = { 4 }, second[1] = { 5 };
    const struct image_file modules[] = { { first, sizeof(first), "first" }, { second, sizeof(second), "second" } };
    const struct image_file all[] = { { initrd, sizeof(initrd), "initrd.img" }, modules[0], modules[1] };
    struct image_request rq;
    u8 elf[ELF_SIZE];
    gpa_t mods;

    (void)state;
    make_elf32(elf, 0);
    rq = request(elf, sizeof(elf));
    rq.initrd = all[0];
    rq.modules = modules;
    rq.nr_modules = 2;
    check_ok(&rq);
    assert_int_equal(get(start.rbx + 20, 4), 3);
    mods = get(start.rbx + 24, 4);
    for (u32 i = 0; i < 3; i++) {
        gpa_t from = get(mods + i * 16, 4);

        assert_true(from % PAGE_SIZE == 0 && from >= ELF_AT + SEG_MEM);
        assert_int_equal(get(mods + i * 16 + 4, 4) - from, all[i].size);
        assert_memory_equal(ram + from, all[i].data, all[i].size);
        assert_string_equal((char *)ram + get(mods + i * 16 + 8, 4), all[i].name);
    }
}

static void test_flat(void **state)
{
    u8 *flat = make_flat();
    struct image_request rq = request(flat, FLAT_LEN);

    (void)state;
    check_ok(&rq);
    check_started(FLAT_AT + 0x900);
    assert_memory_equal(ram + FLAT_AT, flat + 0x800, 0x2000);
    assert_int_equal(get(FLAT_AT + 0x2000, 8), 0);
    put(flat + 0x1000 + 20, 8, 0); /* no ends: all of the file, no bss */
    check_ok(&rq);
    assert_memory_equal(ram + FLAT_AT, flat + 0x800, FLAT_LEN - 0x800);
    memory = MIB(1) + KIB(64); /* what follows counts, too */
    rq = request(flat, FLAT_LEN);
    check_ok(&rq);
    put(flat + 0x1000 + 24, 4, MIB(1) + KIB(64));
    assert_int_not_equal(load(&rq), PITH_OK);
    free(flat);
}

/* The addresses in the header win over what the ELF says. */
static void test_elf_with_addresses(void **state)
{
    const u32 addresses[] = { ELF_AT + HEADER, ELF_AT, 0, 0, ELF_AT + 0x20 };
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    make_elf32(elf, BIT(16));
    memcpy(elf + HEADER + 12, addresses, sizeof(addresses));
    rq = request(elf, sizeof(elf));
    check_ok(&rq);
    check_started(ELF_AT + 0x20);
    assert_memory_equal(ram + ELF_AT, elf, sizeof(elf));
}

/* Found where the specification allows it, and nowhere else. */
static void test_header_places(void **state)
{
    static const struct { u32 at; bool found; } places[] = {
        { 0, true }, { 4, true }, { 2, false }, { 8192 - 12, true }, { 8192 - 8, false }, { 8192, false },
    };
    struct image_request rq;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
        u32 addresses[] = { FLAT_AT + places[i].at, FLAT_AT, 0, 0, FLAT_AT };
        u8 *flat = calloc(1, FLAT_LEN);

        put_header(flat + places[i].at, BIT(16));
        memcpy(flat + places[i].at + 12, addresses, sizeof(addresses));
        rq = request(flat, FLAT_LEN);
        assert_int_equal(load(&rq) == PITH_OK, places[i].found);
        if (!places[i].found)
            assert_non_null(strstr(why, "nor a multiboot kernel"));
        free(flat);
    }
}

static void check_fails(const struct image_request *rq, const char *says)
{
    why = NULL;
    assert_int_not_equal(load(rq), PITH_OK);
    assert_non_null(why);
    if (!strstr(why, says))
        fail_msg("'%s' does not say '%s'", why, says);
    assert_non_null(strstr(why, " - "));
}

static void test_complaints(void **state)
{
    static const struct { unsigned at; u32 value; const char *says; } flat_cases[] = {
        { 12, FLAT_AT - 1, "contradict" },       { 12, FLAT_AT + 0x1001, "contradict" }, { 16, FLAT_AT + 0x801, "contradict" },
        { 20, FLAT_AT - 1, "contradict" },       { 24, FLAT_AT - 1, "contradict" },      { 20, FLAT_AT + 0x2801, "truncated" },
        { 20, ~0u, "truncated" },                { 28, FLAT_AT - 1, "entry point" },     { 28, FLAT_AT + 0x2000, "entry point" },
        { 24, FLAT_AT + MIB(64), "raise memory" }, { 24, ~0u, "raise memory" },
    };
    static const struct { u32 flags; const char *says; } elf_cases[] = {
        { BIT(2), "graphics" }, { BIT(3), "does not know" }, { BIT(15), "does not know" },
    };
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(flat_cases); i++) {
        u8 *flat = make_flat();

        put(flat + 0x1000 + flat_cases[i].at, 4, flat_cases[i].value);
        rq = request(flat, FLAT_LEN);
        check_fails(&rq, flat_cases[i].says);
        free(flat);
    }
    for (u32 i = 0; i < ARRAY_SIZE(elf_cases); i++) {
        make_elf64(elf, elf_cases[i].flags);
        put(elf + HEADER + 32, 4, 0);
        rq = request(elf, sizeof(elf));
        check_fails(&rq, elf_cases[i].says);
    }
    put_header(elf + HEADER, BIT(2));
    put(elf + HEADER + 32, 4, 1); /* text mode: there is no screen, but nothing to set up either */
    check_ok(&rq);
    put(elf + HEADER + 8, 4, 0);
    check_fails(&rq, "multiboot header");
    make_elf32(elf, 0);
    put(elf + 24, 4, 4);
    rq = request(elf, sizeof(elf));
    check_fails(&rq, "entry point");
    put(elf + 18, 2, 62);
    check_fails(&rq, "another processor");
    put(elf + 18, 2, 3);
    put(elf + 42, 2, 56);
    check_fails(&rq, "program headers");
}

/* A flat kernel whose header says no addresses; and one cut off in the middle of the header. */
static void test_flat_without_addresses(void **state)
{
    u8 *flat = make_flat();
    struct image_request rq = request(flat, FLAT_LEN);

    (void)state;
    put_header(flat + 0x1000, 3);
    check_fails(&rq, "says no addresses");
    put_header(flat + 0x1000, BIT(16));
    for (u64 size = 0x1000 + 12; size < 0x1000 + 32; size++) {
        u8 *copy = malloc(size);

        memcpy(copy, flat, size);
        rq = request(copy, size);
        check_fails(&rq, "truncated");
        free(copy);
    }
    free(flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_elf, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elf_with_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_complaints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flat_without_addresses, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
