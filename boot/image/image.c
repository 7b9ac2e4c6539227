/* SPDX-License-Identifier: MIT */
/* Guest images: recognises the format; tables, modules and memory map that all formats share. */
#include "boot/image/image.h"

#include "boot/image/parts.h"
#include "boot/image/vacpi.h"
#include "hv/abi/platform.h"
#include "hv/lib/string.h"

/* Flat segments, already accessed: SDM 3, Segment Descriptors. */
#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_CODE32 0x00cf9b000000ffffull
#define GDT_DATA   0x00cf93000000ffffull

/* Present, writable, accessed; a leaf of 2 MiB is also dirty. */
#define PT_TABLE   0x23ull
#define PT_LEAF_2M 0xe3ull
#define PT_ENTRIES 512u
#define PT_CHUNK   64u /* entries written at a time: the stack is small */

/* Where software without acpi_rsdp_addr or start info looks: ACPI, Finding the RSDP on IA-PC Systems. */
#define RSDP_COPY 0xf0000ull
#define RSDP_SIZE 36u

/* Where a PC's firmware starts: kernels that want a reset may jump there in real mode. */
#define RESET_VECTOR 0xffff0ull
static const u8 reset_code[] = {
    0xba, VACPI_RESET_PORT & 0xff, VACPI_RESET_PORT >> 8, /* mov $VACPI_RESET_PORT, %dx */
    0xb0, VACPI_RESET,                                    /* mov $VACPI_RESET, %al */
    0xee,                                                 /* out %al, %dx */
    0xf4, 0xeb, 0xfd,                                     /* 1: hlt; jmp 1b */
};

enum pith_status image_fail(struct image_job *job, enum pith_status st, const char *why)
{
    job->why = why;
    return st;
}

static enum pith_status add_copy(struct image_job *job, gpa_t gpa, u64 source, u64 size)
{
    struct image_out *out = job->out;

    if (out->copies && out->nr_copies == out->max_copies)
        return image_fail(job, PITH_E_MEM, "the load plan is too short - this is a fault of Pith, report it");
    if (out->copies)
        out->copies[out->nr_copies] = (struct plan_copy){ gpa, source, size };
    out->nr_copies++;
    out->end = PLAN_NOWHERE;
    return PITH_OK;
}

/* What continues the last write is joined to it: page tables are written in pieces. */
enum pith_status image_write(struct image_job *job, gpa_t gpa, const void *buf, size_t len)
{
    struct image_out *out = job->out;
    u64 at = out->arena_used;
    enum pith_status st = PITH_OK;

    if (out->copies && len > out->arena_size - at)
        return image_fail(job, PITH_E_MEM, "the load plan's memory is too small - this is a fault of Pith, report it");
    if (out->copies)
        memcpy(out->arena + at, buf, len);
    if (gpa != out->end)
        st = add_copy(job, gpa, (u64)(uintptr_t)out->arena + at, len);
    else if (out->copies)
        out->copies[out->nr_copies - 1].size += len;
    out->arena_used += len;
    out->end = gpa + len;
    return st;
}

enum pith_status image_copy(struct image_job *job, gpa_t gpa, const u8 *from, u64 len)
{
    return len ? add_copy(job, gpa, (u64)(uintptr_t)from, len) : PITH_OK;
}

void image_format(struct image_job *job, const char *name)
{
    (void)str_copy(job->plan->format, name, sizeof(job->plan->format));
}

enum pith_status image_take(struct image_job *job, u64 size, gpa_t *gpa)
{
    u64 room = job->tables - MIN(job->tables, MIB(1));

    if (size > room || ALIGN_UP(size, PAGE_SIZE) > room)
        return image_fail(job, PITH_E_MEM, "memory is too small for the start tables - raise memory =");

    job->tables -= ALIGN_UP(size, PAGE_SIZE);
    job->free_end = job->tables;
    *gpa = job->tables;
    return PITH_OK;
}

enum pith_status image_place(struct image_job *job, const struct image_file *file, u64 limit, gpa_t *gpa)
{
    u64 end = MIN(job->free_end, limit);
    gpa_t base;

    if (file->size > end)
        return image_fail(job, PITH_E_MEM, "initrd and modules do not fit into memory - raise memory =");
    base = ALIGN_DOWN(end - file->size, PAGE_SIZE);
    if (base < job->image_end)
        return image_fail(job, PITH_E_MEM, "initrd and modules do not fit beside the image - raise memory =");

    job->free_end = base;
    *gpa = base;
    return image_copy(job, base, file->data, file->size);
}

enum pith_status image_gdt(struct image_job *job, u16 cs, u16 ds, bool code64)
{
    struct plan_start *start = &job->plan->start;
    u64 gdt[4] = { 0 };
    enum pith_status st;

    gdt[cs / 8] = code64 ? GDT_CODE64 : GDT_CODE32;
    gdt[ds / 8] = GDT_DATA;
    st = image_take(job, sizeof(gdt), &start->gdt);
    if (st != PITH_OK)
        return st;
    start->gdt_limit = sizeof(gdt) - 1;
    start->cs = cs;
    start->ds = ds;
    return image_write(job, start->gdt, gdt, sizeof(gdt));
}

/* @nr entries at @table, of which entry i refers to first + i * step. */
static enum pith_status write_entries(struct image_job *job, gpa_t table, u32 nr, u64 first, u64 step)
{
    u64 chunk[PT_CHUNK];
    enum pith_status st = PITH_OK;

    for (u32 i = 0; i < nr && st == PITH_OK; i += PT_CHUNK) {
        u32 n = MIN(nr - i, PT_CHUNK);

        for (u32 j = 0; j < n; j++)
            chunk[j] = first + (i + j) * step;
        st = image_write(job, table + i * sizeof(u64), chunk, n * sizeof(u64));
    }
    return st;
}

enum pith_status image_paging(struct image_job *job)
{
    u64 ram_end = job->rq->memory > IMAGE_LOW_MAX ? IMAGE_HIGH + job->rq->memory - IMAGE_LOW_MAX : 0;
    u32 nr_pds = (u32)MIN(ALIGN_UP(MAX(ram_end, IMAGE_HIGH), GIB(1)) / GIB(1), PT_ENTRIES);
    enum pith_status st;
    gpa_t root, pds;

    st = image_take(job, (2 + nr_pds) * PAGE_SIZE, &root);
    if (st != PITH_OK)
        return st;
    pds = root + 2 * PAGE_SIZE;
    st = write_entries(job, root, 1, (root + PAGE_SIZE) | PT_TABLE, 0);
    if (st == PITH_OK)
        st = write_entries(job, root + PAGE_SIZE, nr_pds, pds | PT_TABLE, PAGE_SIZE);
    if (st == PITH_OK)
        st = write_entries(job, pds, nr_pds * PT_ENTRIES, PT_LEAF_2M, MIB(2));
    job->plan->start.cr3 = root;
    return st;
}

enum pith_status image_cmdline(struct image_job *job, gpa_t *gpa)
{
    const char *text = job->rq->cmdline ? job->rq->cmdline : "";
    size_t size = strlen(text) + 1;
    enum pith_status st = image_take(job, size, gpa);

    return st == PITH_OK ? image_write(job, *gpa, text, size) : st;
}

enum pith_status image_acpi(struct image_job *job, gpa_t *rsdp)
{
    u8 tables[VACPI_SIZE] = { 0 };
    enum pith_status st = image_take(job, VACPI_SIZE, rsdp);
    size_t used;

    if (st != PITH_OK)
        return st;
    job->image_end = MIB(1); /* no module where a PC has its firmware: RSDP and reset code stand there */
    used = vacpi_build(tables, *rsdp, job->rq->nr_vcpus);
    st = image_write(job, *rsdp, tables, used);
    if (st == PITH_OK)
        st = image_write(job, RESET_VECTOR, reset_code, sizeof(reset_code));
    return st == PITH_OK ? image_write(job, RSDP_COPY, tables, RSDP_SIZE) : st;
}

u32 image_memory_map(const struct image_job *job, bool pc, struct pith_mem mem[IMAGE_MEM_MAX])
{
    u64 memory = job->rq->memory;
    u32 n = 0;

    if (pc) {
        mem[n++] = (struct pith_mem){ .base = 0, .size = IMAGE_ISA_HOLE, .type = PITH_MEM_RAM };
        mem[n++] = (struct pith_mem){
            .base = IMAGE_ISA_HOLE, .size = MIB(1) - IMAGE_ISA_HOLE, .type = PITH_MEM_RESERVED,
        };
        mem[n++] = (struct pith_mem){ .base = MIB(1), .size = job->tables - MIB(1), .type = PITH_MEM_RAM };
    } else {
        mem[n++] = (struct pith_mem){ .base = 0, .size = job->tables, .type = PITH_MEM_RAM };
    }
    mem[n++] = (struct pith_mem){
        .base = job->tables, .size = job->low_end - job->tables, .type = PITH_MEM_ACPI,
    };
    if (memory > IMAGE_LOW_MAX)
        mem[n++] = (struct pith_mem){ .base = IMAGE_HIGH, .size = memory - IMAGE_LOW_MAX, .type = PITH_MEM_RAM };
    return n;
}

static enum pith_status load(struct image_job *job)
{
    const struct image_file *file = &job->rq->image;

    if (!file->data || file->size == 0)
        return image_fail(job, PITH_E_ARG, "the image is empty - check the file on the boot volume");
    if (job->rq->nr_modules > IMAGE_MODULES)
        return image_fail(job, PITH_E_ARG, "there are too many modules - give fewer");
    if (image_is_elf(file))
        return image_load_elf(job);
    if (image_is_linux(file))
        return image_load_linux(job);
    if (image_is_multiboot(file))
        return image_start_multiboot(job, NULL);
    return image_fail(job, PITH_E_ARG, "the image is neither an ELF file nor a bzImage nor a multiboot kernel - give one of "
                                       "these, not compressed");
}

enum pith_status image_load(const struct image_request *rq, struct image_out *out, struct load_plan *plan, const char **why)
{
    struct image_job job = { .rq = rq, .out = out, .plan = plan };
    enum pith_status st;

    job.low_end = ALIGN_DOWN(MIN(rq->memory, IMAGE_LOW_MAX), PAGE_SIZE);
    job.tables = job.free_end = job.low_end;
    out->end = PLAN_NOWHERE;
    *plan = (struct load_plan){ .first = out->nr_copies, .tsc_khz = PLAN_NOWHERE };
    st = load(&job);
    if (st != PITH_OK)
        *why = job.why;
    plan->count = out->nr_copies - plan->first;
    return st;
}
