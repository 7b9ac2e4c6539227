/* SPDX-License-Identifier: MIT */
/*
 * bzImages without a 64-bit entry: where their parts go, by each version of the boot protocol, and every complaint. The BIOS
 * itself is tried by guests (tests/boot).
 * LINK: boot/image/image.c boot/image/elf.c boot/image/pith.c boot/image/pvh.c boot/image/linux.c boot/image/multiboot.c
 * LINK: boot/image/real.c boot/image/bios.S boot/image/str_copy.c
 */
#include "arch/x86/cpu/regs.h"
#include "boot/image/bios.h"
#include "tests/unit/image_fixture.h"

#define BIOS 0xfe000u

static u8 *make_real(u32 version, bool high)
{
    u8 *bz = make_bz();

    put(bz + 0x206, 2, version);
    bz[0x211] = high;
    put(bz + 0x236, 2, 0);
    put(bz + 0x238, 4, version >= 0x206 ? 100 : 0x6b6b6b6b); /* code, where the header was shorter */
    put(bz + 0x22c, 4, version >= 0x203 ? MIB(12) - 1 : 0x6b6b6b6b);
    return bz;
}

static void check_started(gpa_t setup, u32 heap_end)
{
    assert_string_equal(plan.format, "bzImage, real mode");
    assert_int_equal(start.mode, PLAN_REAL);
    assert_int_equal(start.cr0 & (CR0_PE | CR0_PG), 0);
    assert_int_equal(start.cr3 | start.cr4 | start.efer, 0);
    assert_int_equal(start.cs * 16 + start.rip, BIOS + BIOS_CODE - BIOS_DATA);
    assert_memory_equal(ram + start.cs * 16 + start.rip, bios_start, (size_t)(bios_end - bios_start));
    assert_true(bios_end - bios_start <= BIOS_END - BIOS_CODE);
    assert_int_equal(get(BIOS + BIOS_KERNEL_CS, 2), setup / 16 + 0x20);
    assert_int_equal(get(BIOS + BIOS_KERNEL_DS, 2), setup / 16);
    assert_int_equal(get(BIOS + BIOS_KERNEL_SP, 2), heap_end);
    assert_memory_equal(ram + 0xf0000, "RSD PTR ", 8);
}

static void check_memory_map(void)
{
    gpa_t tables = check_map(BIOS + BIOS_MEM, (u32)get(BIOS + BIOS_NR_MEM, 2), BIOS_MEM_SIZE, true);

    assert_int_equal(get(BIOS + BIOS_ABOVE_1M, 4) * 1024, tables - MIB(1));
}

static void test_high(void **state)
{
    static const u8 initrd[5000] = { 1, 2, 3 };
    u8 *bz = make_real(0x207, true);
    struct image_request rq = request(bz, BZ_SIZE);

    (void)state;
    rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
    check_ok(&rq);
    check_started(0x10000, 0xe000);
    check_memory_map();
    assert_memory_equal(ram + MIB(1), bz + BZ_SETUP, BZ_KERNEL);
    assert_memory_equal(ram + 0x10000, bz, 0x210);
    assert_int_equal(get(0x10210, 1), 0xff);
    assert_int_equal(get(0x10211, 1), 0x81);
    assert_int_equal(get(0x10224, 2), 0xe000 - 0x200);
    assert_int_equal(get(0x10228, 4), 0x1e000);
    assert_string_equal((char *)ram + 0x1e000, "a=1 b");
    assert_memory_equal(ram + 0x1026c, bz + 0x26c, BZ_SETUP - 0x26c);
    assert_int_equal(get(0x1021c, 4), sizeof(initrd));
    assert_int_equal(get(0x10218, 4), ALIGN_DOWN(MIB(12) - sizeof(initrd), PAGE_SIZE));
    assert_memory_equal(ram + get(0x10218, 4), initrd, sizeof(initrd));
    free(bz);
}

/* Before 2.02 the setup part lies at 90000h, and so does that of a kernel that is loaded low. */
static void test_old(void **state)
{
    static const struct {
        u32 version;
        bool high;
    } kernels[] = { { 0x200, true }, { 0x201, true }, { 0x201, false }, { 0x204, false } };
    static const u8 initrd[100] = { 1 };

    (void)state;
    memory = GIB(1);
    for (u32 i = 0; i < ARRAY_SIZE(kernels); i++) {
        u32 version = kernels[i].version;
        u8 *bz = make_real(version, kernels[i].high);
        struct image_request rq = request(bz, BZ_SIZE);

        rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
        check_ok(&rq);
        check_started(0x90000, 0x9800);
        check_memory_map();
        assert_memory_equal(ram + (kernels[i].high ? MIB(1) : 0x10000), bz + BZ_SETUP, BZ_KERNEL);
        assert_int_equal(get(0x90211, 1), kernels[i].high | (version >= 0x201 ? 0x80 : 0));
        assert_string_equal((char *)ram + 0x99800, "a=1 b");
        if (version >= 0x202) {
            assert_int_equal(get(0x90228, 4), 0x99800);
            assert_int_equal(get(0x90020, 4), 0xbbbbbbbb);
            assert_int_equal(get(0x90218, 4), MIB(12) - PAGE_SIZE);
        } else {
            assert_int_equal(get(0x90020, 4), 0x9800a33f);
            assert_int_equal(get(0x90218, 4), 0x38000000 - PAGE_SIZE);
        }
        free(bz);
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
    static const struct { unsigned at, size; u64 value; const char *says; } cases[] = {
        { 0x206, 2, 0x1ff, "older than 2.00" },        { 0x1f1, 1, 200, "ends within" },
        { 0x1f4, 4, BZ_KERNEL / 16 + 1, "truncated" }, { 0x238, 4, 4, "command line" },
        { 0x22c, 4, MIB(1) + 5, "beside the image" },  { 0x260, 4, MIB(64), "raise memory" },
    };
    static const u8 initrd[4096], big[0x90000] = { [0x1f1] = 100 };
    const struct image_file module = { initrd, 1, "m" };
    char line[0x900];
    struct image_request rq;
    u8 *bz;

    (void)state;
    memory = MIB(64);
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        bz = make_real(0x20a, true);
        put(bz + cases[i].at, cases[i].size, cases[i].value);
        rq = request(bz, BZ_SIZE);
        rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
        check_fails(&rq, cases[i].says);
        free(bz);
    }
    bz = make_real(0x20a, true);
    rq = request(bz, BZ_SIZE);
    rq.modules = &module;
    rq.nr_modules = 1;
    check_fails(&rq, "remove modules");
    rq.nr_modules = 0;
    put(bz + 0x238, 4, ~0u);
    memset(line, 'x', sizeof(line));
    line[0x800] = 0;
    rq.cmdline = line;
    check_fails(&rq, "command line");
    line[0x7ff] = 0;
    check_ok(&rq);
    free(bz);

    bz = malloc(sizeof(big));
    memcpy(bz, big, sizeof(big));
    put(bz + 0x1fe, 2, 0xaa55);
    put(bz + 0x202, 4, 0x53726448);
    put(bz + 0x206, 2, 0x201);
    bz[0x201] = 0x30;
    rq = request(bz, sizeof(big));
    check_fails(&rq, "real-mode part has no end");
    bz[0x1f1] = 4;
    check_fails(&rq, "too large for low memory");
    free(bz);
}

/* The 64-bit entry is taken where there is one. */
static void test_choice(void **state)
{
    static const struct { u32 version, flags; bool real; } kernels[] = {
        { 0x20f, 1, false }, { 0x20c, 1, false }, { 0x20c, 0, true }, { 0x20f, 0x7e, true }, { 0x20b, 1, true },
    };

    (void)state;
    memory = MIB(64);
    for (u32 i = 0; i < ARRAY_SIZE(kernels); i++) {
        u8 *bz = make_real(kernels[i].version, true);
        struct image_request rq = request(bz, BZ_SIZE);

        put(bz + 0x236, 2, kernels[i].flags);
        check_ok(&rq);
        assert_int_equal(start.mode, kernels[i].real ? PLAN_REAL : PLAN_LONG);
        free(bz);
    }
}

/* Nothing is read behind the end of the file, wherever it ends. */
static void test_truncations(void **state)
{
    u8 *bz = make_real(0x207, true);

    (void)state;
    for (u64 size = 0x1f0; size < BZ_SETUP + 40; size++) {
        u8 *copy = malloc(size);
        struct image_request rq = request(copy, size);

        memcpy(copy, bz, size);
        check_fails(&rq, "");
        free(copy);
    }
    free(bz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_high, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_complaints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncations, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
