/* SPDX-License-Identifier: MIT */
/*
 * Guest images on changed ELF files (Pith PV, PVH, multiboot), bzImages and flat multiboot kernels, with any memory size,
 * modules and command line. No plan writes outside the partition's RAM, on top of the tables or of another module, or copies
 * what is not there; what starts lies in RAM; the count that comes first is right to the byte.
 * LINK: boot/image/image.c boot/image/elf.c boot/image/pith.c boot/image/pvh.c boot/image/linux.c boot/image/multiboot.c
 * LINK: boot/image/real.c boot/image/bios.S boot/image/vacpi.c boot/image/str_copy.c
 */
#include <sanitizer/asan_interface.h>

#include "boot/image/bios.h"
#include "boot/image/image.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_MAX = 8192, SEGMENT = 0x200, MULTIBOOT = 0x240, NOTE = 0x300, NOTE_SIZE = 0x18 };

static u8 module_data[MIB(3)]; /* modules are slices of it: a copy from there is a module's */
static const struct image_request *request;

static bool in_ram(gpa_t gpa, u64 len)
{
    u64 low = MIN(request->memory, GIB(3)), high = request->memory - low;

    if (gpa < GIB(4))
        return gpa <= low && len <= low - gpa;
    return gpa - GIB(4) <= high && len <= high - (gpa - GIB(4));
}

static void put(u8 *file, size_t at, size_t size, u64 val)
{
    memcpy(file + at, &val, size);
}

static void put_segment(u8 *header, u32 type, u64 offset, u64 paddr, u64 filesz, u64 memsz)
{
    const u64 fields[] = { type, offset, paddr, paddr, filesz, memsz, 4 };

    memcpy(header, fields, sizeof(fields));
}

static size_t make_elf(u8 *file, bool pith)
{
    const u64 at = MIB(1) * fuzz_below(4) + 0x1000 * fuzz_below(300);

    memcpy(file, "\177ELF\2\1\1", 7);
    put(file, 16, 8, 2 | 62 << 16 | 1ull << 32);
    put(file, 24, 8, at + 0x10);
    put(file, 32, 8, 64);
    put(file, 54, 4, 56 | 2 << 16 | (u64)fuzz_below(2) << 16);
    put_segment(file + 64, 1, SEGMENT, at, 0x100, 0x3000);
    put_segment(file + 64 + 56, 4, NOTE, 0, NOTE_SIZE, NOTE_SIZE);
    put_segment(file + 64 + 112, 1, SEGMENT, at + 0x3000, 0x80, 0x1000 * fuzz_below(600));
    put(file, NOTE, 8, (pith ? 5 : 4) | 4ull << 32);
    put(file, NOTE + 8, 4, pith ? 1 : 18);
    memcpy(file + NOTE + 12, pith ? "Pith" : "Xen", pith ? 5 : 4);
    put(file, NOTE + 12 + (pith ? 8 : 4), 4, pith ? 1 : at + 0x20);
    return NOTE + NOTE_SIZE; /* nothing behind the note: to read more is to read too much */
}

static size_t make_linux(u8 *file)
{
    const u32 kernel = FILE_MAX - 5 * 512;

    file[0x1f1] = 4;
    put(file, 0x1f4, 4, kernel / 16);
    put(file, 0x1fe, 2, 0xaa55);
    file[0x201] = 0x6a;
    memcpy(file + 0x202, "HdrS", 4);
    file[0x211] = (u8)fuzz_below(2);
    put(file, 0x206, 2, fuzz_below(2) ? 0x20f : 0x200 + fuzz_below(16));
    put(file, 0x22c, 4, 0x7fffffff);
    put(file, 0x236, 2, 0x7e + fuzz_below(2)); /* without the 64-bit entry, too */
    put(file, 0x238, 4, 2047);
    put(file, 0x258, 8, MIB(1) * fuzz_below(20));
    put(file, 0x260, 4, MIB(1) * fuzz_below(20));
    return FILE_MAX;
}

static void put_multiboot(u8 *file)
{
    const u64 at = MIB(1) * (1 + fuzz_below(4));
    const u32 flags = (u32)(fuzz_below(8) | fuzz_below(2) << 16);
    const u32 header[] = { 0x1badb002, flags, 0u - 0x1badb002u - flags, (u32)at + MULTIBOOT, (u32)at,
                           (u32)(fuzz_below(2) * (at + 0x700)), (u32)(fuzz_below(2) * (at + MIB(fuzz_below(8)))),
                           (u32)at + 0x280, (u32)fuzz_below(2) };

    memcpy(file + MULTIBOOT, header, sizeof(header));
}

static size_t make_elf32(u8 *file)
{
    const u32 at = (u32)(MIB(1) * (1 + fuzz_below(4)));
    const u32 segment[] = { 1, SEGMENT, at + 0xc0000000u, at, 0x100, 0x3000, 5, 4 };

    memcpy(file, "\177ELF\1\1\1", 7);
    put(file, 16, 8, 2 | 3 << 16 | 1ull << 32);
    put(file, 24, 4, at + (fuzz_below(2) ? 0xc0000000u : 0) + 0x10);
    put(file, 28, 4, 52);
    put(file, 42, 4, 32 | 1 << 16);
    memcpy(file + 52, segment, sizeof(segment));
    put_multiboot(file);
    return NOTE;
}

static size_t make_flat(u8 *file)
{
    put_multiboot(file);
    return 0x800;
}

enum { PITH, PVH, LINUX, ELF32, ELF64, FLAT, FORMATS };

static size_t make_format(u8 *file, u64 format)
{
    size_t len;

    switch (format) {
    case LINUX: return make_linux(file);
    case ELF32: return make_elf32(file);
    case FLAT: return make_flat(file);
    default:
        len = make_elf(file, format == PITH);
        if (format == ELF64) {
            put(file, 64 + 56, 4, 0); /* no notes */
            put_multiboot(file);
        }
        return len;
    }
}

/* Most changes where the loader looks: headers and notes, or the setup header. */
static size_t make_file(u8 *file)
{
    u64 format = fuzz_below(FORMATS);
    size_t len = make_format(file, format);

    for (u64 n = fuzz_below(4); n > 0; n--) {
        if (fuzz_below(4) == 0)
            fuzz_poke(file, len);
        else if (format == LINUX)
            fuzz_poke(file + 0x1f1, 0x264 - 0x1f1);
        else if (format >= ELF32 && fuzz_below(2))
            fuzz_poke(file + MULTIBOOT + 12, 24);
        else
            fuzz_poke(fuzz_below(3) ? file : file + NOTE, fuzz_below(3) ? 64 + 3 * 56 : NOTE_SIZE);
    }
    return fuzz_below(16) ? len : fuzz_below(len + 1);
}

static u64 make_memory(void)
{
    switch (fuzz_below(4)) {
    case 0: return MIB(1 + fuzz_below(8));
    case 1: return MIB(1 + fuzz_below(1024));
    case 2: return GIB(3) + MIB(fuzz_below(3)) - MIB(1);
    default: return MIB(1 + fuzz_below(8192));
    }
}

static struct image_file make_module(void)
{
    u64 size = fuzz_below(8) ? fuzz_below(4096 * 3) : fuzz_below(sizeof(module_data));

    return (struct image_file){ fuzz_below(4) ? module_data + fuzz_below(sizeof(module_data) - size) : NULL, size, "module" };
}

static bool of_module(const struct plan_copy *c)
{
    return c->source >= (u64)module_data && c->source < (u64)module_data + sizeof(module_data);
}

static void check_copies(const struct plan_copy *copies, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        const struct plan_copy *c = &copies[i];

        FUZZ_CHECK(c->size > 0 && in_ram(c->gpa, c->size));
        FUZZ_CHECK(!__asan_region_is_poisoned((void *)c->source, c->size)); /* every byte is there to be read */
        for (u32 k = 0; of_module(c) && k < count; k++)
            FUZZ_CHECK(i == k || c->gpa + c->size <= copies[k].gpa || copies[k].gpa + copies[k].size <= c->gpa);
    }
}

static void check_start(const struct load_plan *plan)
{
    const struct plan_start *start = &plan->start;

    if (start->mode == PLAN_REAL) {
        FUZZ_CHECK(start->cs == BIOS_SEGMENT && start->rip == BIOS_CODE && in_ram(start->ds * 16 + start->rsp, 0));
        return;
    }
    FUZZ_CHECK(plan->format[0] && in_ram(start->rip, 1) && in_ram(start->gdt, start->gdt_limit + 1ull));
    FUZZ_CHECK(plan->tsc_khz == PLAN_NOWHERE || in_ram(plan->tsc_khz, 8));
    FUZZ_CHECK(in_ram(start->rdi, 1) && in_ram(start->rsi, 1) && in_ram(start->rbx, 1) && in_ram(start->rsp, 0));
    FUZZ_CHECK(start->cr3 % PAGE_SIZE == 0 && in_ram(start->cr3, 2 * PAGE_SIZE));
    FUZZ_CHECK(start->cr3 || start->mode != PLAN_LONG);
    FUZZ_CHECK((start->cs | 7u) <= start->gdt_limit && (start->ds | 7u) <= start->gdt_limit);
}

/* Once more, into memory of just the size that was counted. */
static void check_plan(const struct image_request *rq, const struct image_out *counted)
{
    struct image_out out = {
        .copies = malloc(counted->nr_copies * sizeof(struct plan_copy)), .max_copies = counted->nr_copies,
        .arena = malloc(counted->arena_used), .arena_size = counted->arena_used,
    };
    struct load_plan plan;
    const char *why;

    FUZZ_CHECK(image_load(rq, &out, &plan, &why) == PITH_OK);
    FUZZ_CHECK(plan.first == 0 && plan.count == counted->nr_copies && out.arena_used == counted->arena_used);
    check_copies(out.copies, plan.count);
    check_start(&plan);
    free(out.copies);
    free(out.arena);
}

static void one(void)
{
    static char cmdline[1024];
    struct image_file modules[18];
    u8 file[FILE_MAX] = { 0 }, *exact;
    size_t len = make_file(file);
    struct image_out counted = { 0 };
    struct load_plan plan;
    const char *why = NULL;
    enum pith_status st;
    struct image_request rq = {
        .partition = "fuzz", .initrd = make_module(), .modules = modules, .nr_modules = (u32)(fuzz_below(4) ? 0 : fuzz_below(18)),
        .nr_vcpus = 1 + (u32)fuzz_below(16), .cmdline = fuzz_below(8) ? cmdline : NULL, .memory = make_memory(),
    };

    for (u32 i = 0; i < rq.nr_modules; i++)
        modules[i] = make_module();
    memset(cmdline, 'c', sizeof(cmdline));
    cmdline[fuzz_below(2) ? fuzz_below(sizeof(cmdline)) : 8] = 0;
    cmdline[sizeof(cmdline) - 1] = 0;
    exact = malloc(len);
    memcpy(exact, file, len);
    rq.image = (struct image_file){ exact, len, "image" };
    request = &rq;
    st = image_load(&rq, &counted, &plan, &why);
    if (st == PITH_OK) {
        fuzz_accepted++;
        check_plan(&rq, &counted);
    } else {
        FUZZ_CHECK(why && strstr(why, " - "));
    }
    free(exact);
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one, 50000, 10000000);
}
