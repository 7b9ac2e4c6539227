/* SPDX-License-Identifier: MIT */
/* For the tests of boot/image/: guest RAM as an array, a request, and a small file of each format. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "boot/image/image.h"
#include "boot/image/vacpi.h"
#include "hv/abi/start.h"

#define RAM_MAX GIB(8)

/* Guest RAM as an array indexed by guest-physical address; what is never touched costs nothing. */
static u8 *ram;
static u64 memory;
static struct load_plan plan;
static struct plan_start start; /* of the plan */
static const char *why;

/* Recognisable instead of real: the tables' own content is tested elsewhere. */
size_t vacpi_build(u8 *buf, gpa_t gpa, u32 nr_vcpus)
{
    memcpy(buf, "RSD PTR ", 8);
    memcpy(buf + 8, &gpa, 8);
    buf[16] = (u8)nr_vcpus;
    memset(buf + 17, 0xac, 300 - 17);
    return 300;
}

static inline bool in_ram(gpa_t gpa, u64 len)
{
    u64 low = MIN(memory, GIB(3)), high = memory > GIB(3) ? memory - GIB(3) : 0;

    if (gpa < low)
        return len <= low - gpa;
    return gpa >= GIB(4) && gpa - GIB(4) < high && len <= high - (gpa - GIB(4));
}

/* As the hypervisor does; every byte of the source must be there. */
static inline void follow(const struct plan_copy *copies)
{
    for (u32 i = plan.first; i < plan.first + plan.count; i++) {
        assert_true(copies[i].size > 0 && in_ram(copies[i].gpa, copies[i].size));
        memcpy(ram + copies[i].gpa, (const void *)copies[i].source, copies[i].size);
    }
}

/* Counts, makes the plan in memory of exactly that size, less @missing_copies and @missing_bytes, and follows it. */
static inline enum pith_status load_into(const struct image_request *rq, u32 missing_copies, u64 missing_bytes)
{
    struct image_out counted = { 0 }, out;
    enum pith_status st = image_load(rq, &counted, &plan, &why);

    if (st != PITH_OK)
        return st;
    out = (struct image_out){
        .copies = calloc(counted.nr_copies, sizeof(struct plan_copy)), .max_copies = counted.nr_copies - missing_copies,
        .arena = malloc(counted.arena_used), .arena_size = counted.arena_used - missing_bytes,
    };
    st = image_load(rq, &out, &plan, &why);
    if (st == PITH_OK) {
        assert_int_equal(out.nr_copies, counted.nr_copies);
        assert_int_equal(out.arena_used, counted.arena_used);
        follow(out.copies);
    }
    start = plan.start;
    free(out.copies);
    free(out.arena);
    return st;
}

static inline enum pith_status load(const struct image_request *rq)
{
    return load_into(rq, 0, 0);
}

static inline int setup(void **state)
{
    (void)state;
    ram = mmap(NULL, RAM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory = MIB(16);
    why = NULL;
    return ram == MAP_FAILED;
}

static inline int teardown(void **state)
{
    (void)state;
    return munmap(ram, RAM_MAX);
}

static inline u64 get(gpa_t gpa, unsigned size)
{
    u64 v = 0;

    memcpy(&v, ram + gpa, size);
    return v;
}

static inline void put(u8 *p, unsigned size, u64 v)
{
    memcpy(p, &v, size);
}

static inline struct image_request request(const u8 *data, u64 size)
{
    return (struct image_request){
        .partition = "test", .image = { data, size, "image" }, .nr_vcpus = 2, .cmdline = "a=1 b", .memory = memory,
    };
}

/* --- a small ELF: one loaded segment of SEG_FILE bytes (SEG_MEM in memory), one note segment */
#define ELF_SIZE 0x200u
#define SEG_OFF  0x100u
#define SEG_FILE 0x60u
#define SEG_MEM  0x3000u
#define NOTE_OFF 0x180u
#define LOAD_PH  64u
#define NOTE_PH  (64u + 56u)
#define ELF_AT   MIB(2)

static inline void make_segment(u8 *ph, u32 type, u64 offset, u64 paddr, u64 filesz, u64 memsz)
{
    put(ph, 4, type);
    put(ph + 8, 8, offset);
    put(ph + 16, 8, paddr + 0x1000000000); /* virtual: must not matter */
    put(ph + 24, 8, paddr);
    put(ph + 32, 8, filesz);
    put(ph + 40, 8, memsz);
    put(ph + 48, 8, 4);
}

static inline void make_note(u8 *elf, const char *name, u32 type, u32 descsz, u64 desc)
{
    u8 *note = elf + NOTE_OFF;
    u32 namesz = (u32)strlen(name) + 1;

    put(note, 4, namesz);
    put(note + 4, 4, descsz);
    put(note + 8, 4, type);
    memset(note + 12, 0, 32);
    memcpy(note + 12, name, namesz);
    put(note + 12 + ALIGN_UP(namesz, 4u), descsz, desc);
    put(elf + NOTE_PH + 32, 8, 12 + ALIGN_UP(namesz, 4u) + descsz);
}

static inline void make_elf(u8 elf[ELF_SIZE])
{
    memset(elf, 0, ELF_SIZE);
    memcpy(elf, "\177ELF\2\1\1", 7);
    put(elf + 16, 2, 2);
    put(elf + 18, 2, 62);
    put(elf + 20, 4, 1);
    put(elf + 24, 8, ELF_AT + 0x10);
    put(elf + 32, 8, LOAD_PH);
    put(elf + 54, 2, 56);
    put(elf + 56, 2, 2);
    make_segment(elf + LOAD_PH, 1, SEG_OFF, ELF_AT, SEG_FILE, SEG_MEM);
    make_segment(elf + NOTE_PH, 4, NOTE_OFF, 0, 0, 0);
    memset(elf + SEG_OFF, 0x5a, SEG_FILE);
    make_note(elf, "Pith", 1, 4, 1);
}

static inline void make_pvh(u8 elf[ELF_SIZE], u32 descsz)
{
    make_elf(elf);
    make_note(elf, "Xen", 18, descsz, ELF_AT + 0x20);
}

/* --- a small bzImage: five setup sectors in all, then 64 KiB of kernel */
#define BZ_SETUP  (5u * 512)
#define BZ_KERNEL 0x10000u
#define BZ_SIZE   (BZ_SETUP + BZ_KERNEL)

static inline u8 *make_bz(void)
{
    u8 *bz = calloc(1, BZ_SIZE);

    assert_non_null(bz);
    memset(bz, 0xbb, BZ_SETUP);
    bz[0x1f1] = 4;
    put(bz + 0x1f4, 4, BZ_KERNEL / 16);
    put(bz + 0x1fe, 2, 0xaa55);
    put(bz + 0x200, 2, 0x6aeb);
    memcpy(bz + 0x202, "HdrS", 4);
    put(bz + 0x206, 2, 0x20f);
    bz[0x211] = 1;
    put(bz + 0x214, 4, 0x100000);
    put(bz + 0x218, 4, 0);
    put(bz + 0x21c, 4, 0);
    put(bz + 0x228, 4, 0);
    put(bz + 0x22c, 4, 0x7fffffff);
    put(bz + 0x236, 2, 0x7f);
    put(bz + 0x238, 4, 2047);
    put(bz + 0x258, 8, MIB(16));
    put(bz + 0x260, 4, MIB(20));
    memset(bz + BZ_SETUP, 0x7e, BZ_KERNEL);
    return bz;
}

static inline void check_ok(const struct image_request *rq)
{
    enum pith_status st = load(rq);

    if (st != PITH_OK)
        fail_msg("image_load: %s", why);
}

/* Entries of @stride bytes, ascending, covering exactly the partition's RAM; @pc: with the hole below 1 MiB.
 * Returns where the tables begin. */
static inline gpa_t check_map(gpa_t map, u32 n, unsigned stride, bool pc)
{
    u64 total = 0, end = 0;
    gpa_t tables = 0;

    for (u32 i = 0; i < n; i++) {
        gpa_t base = get(map + i * stride, 8), size = get(map + i * stride + 8, 8);
        u64 type = get(map + i * stride + 16, 4);

        assert_true(size > 0 && base >= end);
        assert_true(in_ram(base, size));
        end = base + size;
        total += size;
        if (type == PITH_MEM_RESERVED)
            assert_true(pc && base == 0xa0000 && size == 0x60000);
        if (type == PITH_MEM_ACPI)
            tables = base;
    }
    assert_int_equal(total, memory);
    assert_int_equal(get(map, 8), 0);
    assert_int_equal(get(map + 16, 4), PITH_MEM_RAM);
    assert_int_equal(get(map + 8, 8) == 0xa0000, pc);
    assert_true(tables >= MIB(1) && tables < MIN(memory, GIB(3)));
    return tables;
}
