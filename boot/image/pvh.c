/* SPDX-License-Identifier: MIT */
/* PVH guests: 32-bit protected-mode entry with a start info structure. Xen, x86/HVM direct boot ABI (hvm/start_info.h). */
#include "boot/image/parts.h"

#include "arch/x86/cpu/regs.h"

#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_VERSION 1u
#define PVH_CS             0x08u
#define PVH_DS             0x10u

struct hvm_start_info {
    u32 magic, version, flags, nr_modules;
    u64 modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
    u32 memmap_entries, reserved;
};
_Static_assert(sizeof(struct hvm_start_info) == 56, "hvm/start_info.h");

struct hvm_modlist_entry { u64 paddr, size, cmdline_paddr, reserved; };

/* struct hvm_memmap_table_entry has the layout of struct pith_mem, and the types of e820. */
_Static_assert(sizeof(struct pith_mem) == 24, "hvm/start_info.h");

struct pvh_block {
    struct hvm_start_info info;
    struct pith_mem mem[IMAGE_MEM_MAX];
    struct hvm_modlist_entry modules[1 + IMAGE_MODULES];
};

static enum pith_status add_module(struct image_job *job, struct pvh_block *block, const struct image_file *file)
{
    struct hvm_modlist_entry *module = &block->modules[block->info.nr_modules];
    enum pith_status st;
    gpa_t base;

    if (!file->data)
        return PITH_OK;
    st = image_place(job, file, job->low_end, &base);
    if (st != PITH_OK)
        return st;
    module->paddr = base;
    module->size = file->size;
    block->info.nr_modules++;
    return PITH_OK;
}

static enum pith_status write_block(struct image_job *job, gpa_t gpa, gpa_t cmdline, gpa_t rsdp)
{
    struct pvh_block block = { 0 };
    struct hvm_start_info *info = &block.info;
    enum pith_status st = add_module(job, &block, &job->rq->initrd);

    for (u32 i = 0; i < job->rq->nr_modules && st == PITH_OK; i++)
        st = add_module(job, &block, &job->rq->modules[i]);
    if (st != PITH_OK)
        return st;
    info->magic = START_INFO_MAGIC;
    info->version = START_INFO_VERSION;
    info->modlist_paddr = info->nr_modules ? gpa + offsetof(struct pvh_block, modules) : 0;
    info->cmdline_paddr = cmdline;
    info->rsdp_paddr = rsdp;
    info->memmap_paddr = gpa + offsetof(struct pvh_block, mem);
    info->memmap_entries = image_memory_map(job, true, block.mem);
    return image_write(job, gpa, &block, sizeof(block));
}

enum pith_status image_start_pvh(struct image_job *job, const struct image_elf *elf)
{
    struct plan_start *start = &job->plan->start;
    gpa_t block = 0, cmdline = 0, rsdp = 0;
    enum pith_status st;

    if (elf->pvh_entry >= IMAGE_HIGH)
        return image_fail(job, PITH_E_ARG, "the PVH entry point lies above 4 GiB - link the image lower");
    st = image_acpi(job, &rsdp);
    if (st == PITH_OK)
        st = image_gdt(job, PVH_CS, PVH_DS, false);
    if (st == PITH_OK)
        st = image_take(job, sizeof(struct pvh_block), &block);
    if (st == PITH_OK)
        st = image_cmdline(job, &cmdline);
    if (st == PITH_OK)
        st = image_elf_segments(job, elf, elf->pvh_entry);
    if (st == PITH_OK)
        st = write_block(job, block, cmdline, rsdp);

    start->rip = elf->pvh_entry;
    start->rbx = block;
    start->cr0 = CR0_PE | CR0_ET;
    start->mode = PLAN_PROTECTED;
    image_format(job, "PVH");
    return st;
}
