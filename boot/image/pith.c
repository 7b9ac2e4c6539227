/* SPDX-License-Identifier: MIT */
/* Pith's own paravirtualized guests: entry state and start structure of hv/abi/start.h. */
#include "boot/image/parts.h"

#include "arch/x86/cpu/regs.h"
#include "hv/abi/hypercall.h"
#include "hv/lib/string.h"

#define START_VERSION 1u
#define START_STACK   PAGE_SIZE
#define START_CS      0x08u
#define START_DS      0x10u

/* What stands in the start block, one after the other. */
struct start_block {
    struct pith_start start;
    struct pith_mem mem[IMAGE_MEM_MAX];
    struct pith_module modules[1 + IMAGE_MODULES];
};
_Static_assert(sizeof(struct start_block) <= PAGE_SIZE, "one page");

static enum pith_status add_module(struct image_job *job, struct start_block *block, const struct image_file *file)
{
    struct pith_module *module = &block->modules[block->start.nr_modules];
    enum pith_status st;
    gpa_t base;

    if (!file->data)
        return PITH_OK;
    st = image_place(job, file, job->low_end, &base);
    if (st != PITH_OK)
        return st;
    module->base = base;
    module->size = file->size;
    (void)str_copy(module->name, file->name ? file->name : "", sizeof(module->name));
    block->start.nr_modules++;
    return PITH_OK;
}

static enum pith_status add_modules(struct image_job *job, struct start_block *block)
{
    enum pith_status st = add_module(job, block, &job->rq->initrd);

    for (u32 i = 0; i < job->rq->nr_modules && st == PITH_OK; i++)
        st = add_module(job, block, &job->rq->modules[i]);
    return st;
}

static enum pith_status write_block(struct image_job *job, gpa_t gpa, gpa_t cmdline)
{
    struct start_block block = { 0 };
    struct pith_start *start = &block.start;
    enum pith_status st = add_modules(job, &block);

    if (st != PITH_OK)
        return st;
    start->magic = PITH_START_MAGIC;
    start->version = START_VERSION;
    start->size = sizeof(*start);
    start->cpuid_base = PITH_CPUID_BASE;
    start->nr_vcpus = job->rq->nr_vcpus;
    start->cmdline = cmdline;
    start->nr_mem = image_memory_map(job, false, block.mem);
    start->mem = gpa + offsetof(struct start_block, mem);
    start->modules = gpa + offsetof(struct start_block, modules);
    (void)str_copy(start->name, job->rq->partition ? job->rq->partition : "", sizeof(start->name));
    return image_write(job, gpa, &block, sizeof(block));
}

static enum pith_status take_tables(struct image_job *job, gpa_t *block, gpa_t *cmdline, gpa_t *stack)
{
    enum pith_status st = image_take(job, START_STACK, stack);

    if (st == PITH_OK)
        st = image_gdt(job, START_CS, START_DS, true);
    if (st == PITH_OK)
        st = image_take(job, sizeof(struct start_block), block);
    if (st == PITH_OK)
        st = image_cmdline(job, cmdline);
    if (st == PITH_OK)
        st = image_paging(job);
    return st;
}

enum pith_status image_start_pith(struct image_job *job, const struct image_elf *elf)
{
    struct plan_start *start = &job->plan->start;
    gpa_t block, cmdline, stack;
    enum pith_status st;

    if (elf->pith_version != START_VERSION)
        return image_fail(job, PITH_E_ARG, "the image was made for another version of Pith - build it again");
    st = take_tables(job, &block, &cmdline, &stack);
    if (st == PITH_OK)
        st = image_elf_segments(job, elf, elf->entry);
    if (st == PITH_OK)
        st = write_block(job, block, cmdline);

    start->rip = elf->entry;
    start->rsp = stack + START_STACK;
    start->rdi = block;
    start->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    start->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    start->efer = EFER_LME | EFER_LMA;
    start->mode = PLAN_LONG;
    job->plan->tsc_khz = block + offsetof(struct start_block, start.tsc_khz);
    image_format(job, "Pith PV");
    return st;
}
