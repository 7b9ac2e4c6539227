/* SPDX-License-Identifier: MIT */
/*
 * Guest images: placement, start state and tables of all three formats.
 * LINK: boot/image/image.c boot/image/elf.c boot/image/pith.c boot/image/pvh.c boot/image/linux.c boot/image/multiboot.c
 * LINK: boot/image/real.c boot/image/bios.S boot/image/str_copy.c
 */
#include "arch/x86/cpu/regs.h"
#include "hv/abi/hypercall.h"
#include "tests/unit/image_fixture.h"

/* What the tables at start.cr3 make of a linear address. */
static u64 translate(u64 va)
{
    u64 e = get((start.cr3 & ~0xfffull) + (va >> 39 & 511) * 8, 8);

    assert_int_equal(e & 3, 3);
    e = get((e & ~0xfffull) + (va >> 30 & 511) * 8, 8);
    assert_int_equal(e & 0x83, 3);
    e = get((e & ~0xfffull) + (va >> 21 & 511) * 8, 8);
    assert_int_equal(e & 0x83, 0x83);
    assert_int_equal(e & (MIB(2) - 1) & ~0xfffull, 0);
    return (e & ~0x1fffffull) + (va & 0x1fffff);
}

static void check_gdt(u16 cs, u16 ds, u64 code)
{
    assert_int_equal(start.cs, cs);
    assert_int_equal(start.ds, ds);
    assert_true(cs + 7u <= start.gdt_limit && ds + 7u <= start.gdt_limit);
    assert_int_equal(get(start.gdt, 8), 0);
    assert_int_equal(get(start.gdt + cs, 8), code);
    assert_int_equal(get(start.gdt + ds, 8), 0x00cf93000000ffff);
}

static void check_long_mode(void)
{
    const u64 addresses[] = { 0, MIB(2) + 5, GIB(1) - 1, GIB(3), 0xfee00020, GIB(4) - 1 };

    assert_int_equal(start.mode, PLAN_LONG);
    assert_int_equal(start.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
    assert_true(start.cr4 & CR4_PAE);
    assert_int_equal(start.efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        assert_int_equal(translate(addresses[i]), addresses[i]);
}

static void test_pith(void **state)
{
    struct image_request rq;
    struct pith_start s;
    u8 elf[ELF_SIZE];
    gpa_t tables;

    (void)state;
    make_elf(elf);
    rq = request(elf, sizeof(elf));
    check_ok(&rq);
    assert_string_equal(plan.format, "Pith PV");
    assert_int_equal(start.rip, ELF_AT + 0x10);
    assert_memory_equal(ram + ELF_AT, elf + SEG_OFF, SEG_FILE);
    assert_int_equal(get(ELF_AT + SEG_FILE, 8), 0);
    check_long_mode();
    check_gdt(0x08, 0x10, 0x00af9b000000ffff);
    assert_int_equal(start.cr4 & (CR4_OSFXSR | CR4_OSXMMEXCPT), CR4_OSFXSR | CR4_OSXMMEXCPT);
    assert_int_equal(start.cr0 & (CR0_EM | CR0_TS), 0);

    memcpy(&s, ram + start.rdi, sizeof(s));
    assert_int_equal(s.magic, PITH_START_MAGIC);
    assert_int_equal(s.version, 1);
    assert_int_equal(s.size, sizeof(s));
    assert_int_equal(s.cpuid_base, PITH_CPUID_BASE);
    assert_int_equal(s.nr_vcpus, 2);
    assert_int_equal(s.tsc_khz, 0);
    assert_int_equal(plan.tsc_khz, start.rdi + offsetof(struct pith_start, tsc_khz));
    assert_int_equal(s.nr_modules, 0);
    assert_string_equal(s.name, "test");
    assert_string_equal((char *)ram + s.cmdline, "a=1 b");
    tables = check_map(s.mem, s.nr_mem, sizeof(struct pith_mem), false);
    assert_int_equal(start.rsp % 16, 0);
    assert_true(start.rsp - 4096 >= tables && start.rsp <= memory);
    assert_true(start.rdi >= tables && start.cr3 >= tables && start.gdt >= tables && s.cmdline >= tables);
}

static void test_pith_modules(void **state)
{
    static const u8 initrd[5000] = { 1, 2, 3 }, first[4096] = { 4 }, second[1] = { 5 };
    const struct image_file modules[] = { { first, sizeof(first), "first" }, { second, sizeof(second), "second" } };
    struct pith_module m[3];
    struct image_request rq;
    struct pith_start s;
    u8 elf[ELF_SIZE];
    u64 below;

    (void)state;
    make_elf(elf);
    rq = request(elf, sizeof(elf));
    rq.initrd = (struct image_file){ initrd, sizeof(initrd), "initrd.img" };
    rq.modules = modules;
    rq.nr_modules = 2;
    check_ok(&rq);
    memcpy(&s, ram + start.rdi, sizeof(s));
    assert_int_equal(s.nr_modules, 3);
    memcpy(m, ram + s.modules, sizeof(m));
    assert_string_equal(m[0].name, "initrd.img");
    assert_string_equal(m[1].name, "first");
    assert_string_equal(m[2].name, "second");
    assert_memory_equal(ram + m[0].base, initrd, sizeof(initrd));
    assert_memory_equal(ram + m[1].base, first, sizeof(first));
    assert_memory_equal(ram + m[2].base, second, sizeof(second));
    below = check_map(s.mem, s.nr_mem, sizeof(struct pith_mem), false);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(m[i].base % PAGE_SIZE, 0);
        assert_true(m[i].base >= ELF_AT + SEG_MEM && m[i].base + m[i].size <= below);
        below = m[i].base;
    }
}

/* RAM above 4 GiB is announced and mapped. */
static void test_pith_large(void **state)
{
    struct image_request rq;
    struct pith_start s;
    u8 elf[ELF_SIZE];

    (void)state;
    memory = GIB(3) + GIB(2) + MIB(5);
    make_elf(elf);
    rq = request(elf, sizeof(elf));
    check_ok(&rq);
    memcpy(&s, ram + start.rdi, sizeof(s));
    assert_int_equal(s.nr_mem, 3);
    (void)check_map(s.mem, s.nr_mem, sizeof(struct pith_mem), false);
    assert_true(start.rdi < GIB(3));
    check_long_mode();
    assert_int_equal(translate(GIB(6) + MIB(5) - 1), GIB(6) + MIB(5) - 1);
}

static void test_pvh(void **state)
{
    static const u8 initrd[100] = { 7 };
    struct image_request rq;
    u8 elf[ELF_SIZE];
    gpa_t info, tables;

    (void)state;
    for (u32 descsz = 4; descsz <= 8; descsz += 4) {
        make_pvh(elf, descsz);
        rq = request(elf, sizeof(elf));
        rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
        check_ok(&rq);
        assert_string_equal(plan.format, "PVH");
        assert_int_equal(start.mode, PLAN_PROTECTED);
        assert_int_equal(start.rip, ELF_AT + 0x20);
        assert_int_equal(start.cr0 & (CR0_PE | CR0_PG), CR0_PE);
        assert_int_equal(start.cr4 | start.efer, 0);
        check_gdt(0x08, 0x10, 0x00cf9b000000ffff);
        info = start.rbx;
        assert_int_equal(get(info, 4), 0x336ec578);
        assert_int_equal(get(info + 4, 4), 1);
        assert_int_equal(get(info + 8, 4), 0);
        assert_int_equal(get(info + 12, 4), 1);
        assert_int_equal(get(get(info + 16, 8) + 8, 8), sizeof(initrd));
        assert_memory_equal(ram + get(get(info + 16, 8), 8), initrd, sizeof(initrd));
        assert_string_equal((char *)ram + get(info + 24, 8), "a=1 b");
        assert_memory_equal(ram + get(info + 32, 8), "RSD PTR ", 8);
        assert_int_equal(get(get(info + 32, 8) + 8, 8), get(info + 32, 8));
        assert_memory_equal(ram + 0xf0000, "RSD PTR ", 8);
        tables = check_map(get(info + 40, 8), (u32)get(info + 48, 4), 24, true);
        assert_true(info >= tables && get(info + 32, 8) >= tables);
    }
}

/* Below 1 MiB stand the copy of the RSDP and the reset code: modules stay above, whatever room an image down there leaves. */
static void test_pvh_modules_above_1m(void **state)
{
    static const u8 initrd[MIB(1)] = { 3 };
    struct image_request rq;
    u8 elf[ELF_SIZE];

    (void)state;
    memory = MIB(2);
    make_pvh(elf, 4);
    put(elf + LOAD_PH + 24, 8, KIB(64));
    make_note(elf, "Xen", 18, 4, KIB(64));
    rq = request(elf, sizeof(elf));
    rq.initrd = (struct image_file){ initrd, MIB(1) - KIB(64), "i" };
    check_ok(&rq);
    assert_true(get(get(start.rbx + 16, 8), 8) >= MIB(1));

    rq.initrd.size = MIB(1);
    assert_int_equal(load(&rq), PITH_E_MEM);
    assert_memory_equal(ram + 0xf0000, "RSD PTR ", 8);
    assert_non_null(strstr(why, "raise memory"));
}

static void test_linux(void **state)
{
    static const u8 initrd[70000] = { 9, 8, 7 };
    u8 *bz = make_bz();
    struct image_request rq;
    gpa_t zero, tables, ramdisk;

    (void)state;
    memory = MIB(64);
    rq = request(bz, BZ_SIZE);
    rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
    check_ok(&rq);
    assert_string_equal(plan.format, "bzImage");
    assert_true(plan.tsc_khz == PLAN_NOWHERE);
    assert_int_equal(start.rip, MIB(16) + 0x200);
    assert_memory_equal(ram + MIB(16), bz + BZ_SETUP, BZ_KERNEL);
    check_long_mode();
    check_gdt(0x10, 0x18, 0x00af9b000000ffff);

    zero = start.rsi;
    tables = check_map(zero + 0x2d0, (u32)get(zero + 0x1e8, 1), 20, true);
    assert_true(zero >= tables && zero % 4096 == 0);
    assert_memory_equal(ram + zero + 0x1f1, bz + 0x1f1, 0x210 - 0x1f1);
    assert_memory_equal(ram + zero + 0x230, bz + 0x230, 0x264 - 0x230);
    assert_int_equal(get(zero + 0x210, 1), 0xff);
    assert_string_equal((char *)ram + get(zero + 0x228, 4), "a=1 b");
    assert_memory_equal(ram + get(zero + 0x70, 8), "RSD PTR ", 8);
    assert_int_equal(get(zero + 0x21c, 4), sizeof(initrd));
    ramdisk = get(zero + 0x218, 4);
    assert_memory_equal(ram + ramdisk, initrd, sizeof(initrd));
    assert_true(ramdisk >= MIB(36) && ramdisk + sizeof(initrd) <= tables && ramdisk % 4096 == 0);
    /* Past the header the file's bytes are code, not zero page. */
    assert_int_equal(get(zero + 0x202 + 0x6a, 4), 0);
    assert_int_equal(get(zero, 8), 0);
    free(bz);
}

static void test_linux_limits(void **state)
{
    static const u8 initrd[4096] = { 1 };
    u8 *bz = make_bz();
    struct image_request rq;
    u64 lowest;

    (void)state;
    /* An initrd limit below RAM's end is kept. */
    memory = MIB(256);
    put(bz + 0x22c, 4, MIB(100) - 1);
    rq = request(bz, BZ_SIZE);
    rq.initrd = (struct image_file){ initrd, sizeof(initrd), "i" };
    check_ok(&rq);
    assert_int_equal(get(start.rsi + 0x218, 4), MIB(100) - 4096);
    /* No initrd: fields stay zero. */
    rq.initrd.data = NULL;
    check_ok(&rq);
    assert_int_equal(get(start.rsi + 0x218, 8), 0);
    /* No preferred address: 1 MiB. More RAM than fits below 3 GiB: e820 has both halves. */
    memory = rq.memory = GIB(4);
    put(bz + 0x258, 8, 0);
    check_ok(&rq);
    assert_int_equal(start.rip, MIB(1) + 0x200);
    assert_int_equal(get(start.rsi + 0x1e8, 1), 5);
    (void)check_map(start.rsi + 0x2d0, 5, 20, true);
    /* The smallest memory that the kernel's init_size leaves, to the MiB. */
    put(bz + 0x258, 8, MIB(16));
    for (lowest = 1; lowest < 64; lowest++) {
        memory = rq.memory = MIB(lowest);
        if (load(&rq) == PITH_OK)
            break;
        assert_non_null(strstr(why, "raise memory ="));
    }
    assert_int_equal(lowest, 37);
    free(bz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pith, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pith_modules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pith_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pvh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pvh_modules_above_1m, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linux, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linux_limits, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
