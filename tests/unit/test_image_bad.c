/* SPDX-License-Identifier: MIT */
/*
 * Guest images that are wrong, damaged or hostile: every complaint, every truncation, random bytes.
 * LINK: boot/image/image.c boot/image/elf.c boot/image/pith.c boot/image/pvh.c boot/image/linux.c boot/image/multiboot.c
 * LINK: boot/image/real.c boot/image/bios.S boot/image/str_copy.c
 */
#include "tests/unit/image_fixture.h"

static void check_fails(const struct image_request *rq, const char *says)
{
    why = NULL;
    assert_int_not_equal(load(rq), PITH_OK);
    assert_non_null(why);
    if (!strstr(why, says))
        fail_msg("'%s' does not say '%s'", why, says);
    assert_non_null(strstr(why, " - ")); /* what to do */
}

static void test_linux_complaints(void **state)
{
    static const struct { unsigned at, size; u64 value; const char *says; } cases[] = {
        { 0x206, 2, 0x1ff, "older than 2.00" },       { 0x1fe, 1, 0, "neither an ELF" },
        { 0x238, 4, 4, "command line" },              { 0x260, 4, MIB(60), "raise memory" },
        { 0x258, 8, ~0ull, "raise memory" },          { 0x258, 8, MIB(64), "raise memory" },
        { 0x1f4, 4, BZ_KERNEL / 16 + 1, "truncated" }, { 0x1f1, 1, 255, "truncated" },
        { 0x1f4, 4, 0xffffffff, "truncated" },        { 0x1f4, 4, 0x20, "no code" },
        { 0x1fe, 2, 0, "neither an ELF" },            { 0x202, 1, 'h', "neither an ELF" },
        { 0x22c, 4, MIB(30), "beside the image" },    { 0x22c, 4, 0, "do not fit" },
    };
    static const u8 initrd[4096];
    const struct image_file module = { initrd, 1, "m" };
    struct image_request rq;
    u8 *bz;

    (void)state;
    memory = MIB(64);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        bz = make_bz();
        put(bz + cases[i].at, cases[i].size, cases[i].value);
        rq = request(bz, BZ_SIZE);
        rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
        check_fails(&rq, cases[i].says);
        free(bz);
    }
    bz = make_bz();
    rq = request(bz, BZ_SIZE);
    rq.modules = &module;
    rq.nr_modules = 1;
    check_fails(&rq, "remove modules");
    free(bz);
}

static void test_elf_complaints(void **state)
{
    static const struct { unsigned at, size; u64 value; const char *says; } cases[] = {
        { 0, 1, 'x', "neither an ELF" },                  { 4, 1, 1, "another processor" },
        { 5, 1, 2, "another processor" },                 { 18, 2, 183, "another processor" },
        { 16, 2, 3, "-no-pie" },                          { 54, 2, 55, "program headers" },
        { 56, 2, 0, "program headers" },                  { 56, 2, 65535, "program headers" },
        { 56, 2, 9, "truncated" },                        { 32, 8, ~0ull, "truncated" },
        { 24, 8, ELF_AT + SEG_FILE, "entry point" },      { 24, 8, 0, "entry point" },
        { LOAD_PH + 8, 8, ~0ull, "truncated" },           { LOAD_PH + 32, 8, ~0ull, "truncated" },
        { LOAD_PH + 40, 8, SEG_FILE - 1, "larger in the file" },
        { LOAD_PH + 24, 8, MIB(16), "outside" },          { LOAD_PH + 24, 8, ~0ull - 100, "outside" },
        { LOAD_PH + 40, 8, ~0ull, "outside" },            { LOAD_PH + 24, 8, GIB(4), "outside" },
        { LOAD_PH, 4, 2, "entry point" },                 { NOTE_PH, 4, 0, "no Pith note" },
        { NOTE_OFF + 8, 4, 2, "no Pith note" },     { NOTE_OFF + 20, 4, 2, "another version" },
        { NOTE_OFF + 4, 4, 3, "no Pith note" },     { NOTE_OFF, 4, 4, "no Pith note" },
        { NOTE_PH + 32, 8, 11, "no Pith note" },    { NOTE_OFF, 4, 0xffffffff, "no Pith note" },
        { NOTE_PH + 8, 8, ELF_SIZE + 1, "truncated" },
    };
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        make_elf(elf);
        put(elf + cases[i].at, cases[i].size, cases[i].value);
        rq = request(elf, sizeof(elf));
        check_fails(&rq, cases[i].says);
    }
    make_pvh(elf, 8);
    put(elf + NOTE_OFF + 20, 4, 1);
    rq = request(elf, sizeof(elf));
    check_fails(&rq, "above 4 GiB");
}

static void test_request_complaints(void **state)
{
    static const u8 big[MIB(15)];
    const struct image_file module = { big, sizeof(big), "big" };
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    make_elf(elf);
    rq = request(elf, 0);
    check_fails(&rq, "empty");
    rq = request(NULL, 10);
    check_fails(&rq, "empty");
    rq = request(elf, sizeof(elf));
    rq.nr_modules = 1000;
    check_fails(&rq, "too many modules");
    rq = request(elf, sizeof(elf));
    rq.modules = &module;
    rq.nr_modules = 1;
    check_fails(&rq, "beside the image");
    memory = MIB(3);
    rq.memory = memory;
    check_fails(&rq, "do not fit");
    for (memory = 0; memory <= MIB(1); memory += MIB(1)) {
        rq = request(elf, sizeof(elf));
        check_fails(&rq, "raise memory");
    }
    memory = MIB(2);
    rq = request(elf, sizeof(elf));
    check_fails(&rq, "outside");
}

/* A segment may end exactly where the tables begin, and not one byte above. */
static void test_segment_bounds(void **state)
{
    struct image_request rq;
    struct pith_start s;
    u8 elf[ELF_SIZE];
    gpa_t tables;

    (void)state;
    make_elf(elf);
    rq = request(elf, sizeof(elf));
    check_ok(&rq);
    memcpy(&s, ram + start.rdi, sizeof(s));
    tables = check_map(s.mem, s.nr_mem, sizeof(struct pith_mem), false);
    put(elf + LOAD_PH + 40, 8, tables - ELF_AT);
    check_ok(&rq);
    put(elf + LOAD_PH + 40, 8, tables - ELF_AT + 1);
    check_fails(&rq, "outside");
}

/* No command line, no names: nothing is assumed about the optional strings. */
static void test_null_strings(void **state)
{
    struct image_request rq;
    struct pith_start s;
    u8 elf[ELF_SIZE];

    (void)state;
    make_elf(elf);
    rq = request(elf, sizeof(elf));
    rq.cmdline = rq.partition = rq.image.name = NULL;
    check_ok(&rq);
    memcpy(&s, ram + start.rdi, sizeof(s));
    assert_int_not_equal(s.cmdline, 0);
    assert_string_equal((char *)ram + s.cmdline, "");
    assert_string_equal(s.name, "");
}

/* A plan that needs more room than was counted is refused, by the byte and by the entry. */
static void test_too_little_room(void **state)
{
    u8 *images[3] = { malloc(ELF_SIZE), malloc(ELF_SIZE), make_bz() };
    u64 sizes[3] = { ELF_SIZE, ELF_SIZE, BZ_SIZE };
    struct image_request rq;

    (void)state;
    memory = MIB(40);
    make_elf(images[0]);
    make_pvh(images[1], 4);
    for (unsigned i = 0; i < 3; i++) {
        rq = request(images[i], sizes[i]);
        rq.initrd = (struct image_file){ images[0], ELF_SIZE, "i" };
        check_ok(&rq);
        for (u32 n = 1; n <= plan.count; n++)
            assert_int_equal(load_into(&rq, n, 0), PITH_E_MEM);
        for (u32 n = 1; n < 300; n++)
            assert_int_equal(load_into(&rq, 0, n), PITH_E_MEM);
        assert_non_null(strstr(why, "fault of Pith"));
    }
    for (unsigned i = 0; i < 3; i++)
        free(images[i]);
}

/* Loads a copy of exactly @size bytes, so that a read beyond it is caught. */
static enum pith_status load_copy(const u8 *data, u64 size)
{
    u8 *copy = calloc(1, size ? size : 1);
    struct image_request rq = request(copy, size);
    enum pith_status st;

    memcpy(copy, data, size);
    why = NULL;
    st = load(&rq);
    if (st != PITH_OK)
        assert_non_null(why);
    free(copy);
    return st;
}

static void test_truncations(void **state)
{
    u8 elf[ELF_SIZE], *bz = make_bz();

    (void)state;
    memory = MIB(40);
    make_elf(elf);
    for (u64 size = 0; size < NOTE_OFF + 24; size++)
        assert_int_not_equal(load_copy(elf, size), PITH_OK);
    assert_int_equal(load_copy(elf, NOTE_OFF + 24), PITH_OK);
    make_pvh(elf, 8);
    for (u64 size = 0; size < NOTE_OFF + 24; size++)
        assert_int_not_equal(load_copy(elf, size), PITH_OK);
    for (u64 size = 0; size < BZ_SETUP + 40; size++)
        assert_int_not_equal(load_copy(bz, size), PITH_OK);
    assert_int_not_equal(load_copy(bz, BZ_SIZE - 16), PITH_OK);
    assert_int_equal(load_copy(bz, BZ_SIZE), PITH_OK);
    free(bz);
}

static u32 random_next(u32 *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* One to four random bytes at random places of the headers; follow() checks every write. */
static void test_mutations(void **state)
{
    static const u8 edges[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    u8 images[3][BZ_SETUP + 0x210], *bz = make_bz();
    const u32 sizes[3] = { ELF_SIZE, ELF_SIZE, sizeof(images[2]) };
    const u32 first[3] = { 0, 0, 0x1f0 }, last[3] = { ELF_SIZE, ELF_SIZE, 0x270 };
    u32 seed = 42, loaded = 0;

    (void)state;
    memory = MIB(40);
    put(bz + 0x1f4, 4, 0x21);
    memcpy(images[2], bz, sizeof(images[2]));
    make_elf(images[0]);
    make_pvh(images[1], 4);
    for (unsigned round = 0; round < 6000; round++) {
        unsigned i = round % 3, n = 1 + random_next(&seed) % 4;
        u8 mutant[sizeof(images[0])];

        memcpy(mutant, images[i], sizes[i]);
        while (n--) {
            u32 at = first[i] + random_next(&seed) % (last[i] - first[i]), r = random_next(&seed);

            mutant[at] = r & 1 ? edges[(r >> 1) % sizeof(edges)] : (u8)(r >> 8);
        }
        loaded += load_copy(mutant, sizes[i]) == PITH_OK;
    }
    assert_true(loaded > 100 && loaded < 5900);
    free(bz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_linux_complaints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elf_complaints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_complaints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_segment_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_little_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
