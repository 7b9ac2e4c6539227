/* SPDX-License-Identifier: MIT */
/* Multiboot kernels, version 1: 32-bit protected-mode entry with an information structure. Multiboot Specification 0.6.96. */
#include "boot/image/parts.h"

#include "arch/x86/cpu/regs.h"
#include "hv/abi/version.h"
#include "hv/lib/string.h"

#define MULTIBOOT_MAGIC  0x1badb002u
#define MULTIBOOT_LOADED 0x2badb002u /* in EAX */
#define MULTIBOOT_SEARCH 8192u       /* the header stands in the first of these bytes, */
#define MULTIBOOT_ALIGN  4u          /* so aligned */
#define MULTIBOOT_CS     0x08u
#define MULTIBOOT_DS     0x10u

#define WANTS_PAGES     BIT(0) /* modules at page boundaries: always so */
#define WANTS_MEMORY    BIT(1) /* always given */
#define WANTS_VIDEO     BIT(2)
#define WANTS_UNKNOWN   (0xffffu & ~(WANTS_PAGES | WANTS_MEMORY | WANTS_VIDEO))
#define HAS_ADDRESSES   BIT(16)
#define VIDEO_TEXT      1u

#define GIVES_MEMORY  BIT(0)
#define GIVES_CMDLINE BIT(2)
#define GIVES_MODULES BIT(3)
#define GIVES_MAP     BIT(6)
#define GIVES_NAME    BIT(9)

struct multiboot_header {
    u32 magic, flags, checksum;
    u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* with HAS_ADDRESSES */
    u32 mode_type, width, height, depth;                                 /* with WANTS_VIDEO */
};

struct multiboot_info {
    u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
    u32 video[11];
};
_Static_assert(sizeof(struct multiboot_info) == 116, "Multiboot Specification, Boot information format");

struct multiboot_mem { u32 size, base, base_high, length, length_high, type; }; /* size: of what follows it */
struct multiboot_module { u32 start, end, string, reserved; };

struct multiboot_block {
    struct multiboot_info info;
    struct multiboot_mem map[IMAGE_MEM_MAX];
    struct multiboot_module modules[1 + IMAGE_MODULES];
    char strings[1 + IMAGE_MODULES][64];
    char loader[16];
};
_Static_assert(sizeof(struct multiboot_block) <= PAGE_SIZE, "one page");

/* False: there is none. What lies beyond the file's end reads as zero. */
static bool find_header(const struct image_file *file, struct multiboot_header *h, u64 *offset)
{
    u64 end = MIN(file->size, MULTIBOOT_SEARCH);

    for (u64 at = 0; at + 3 * sizeof(u32) <= end; at += MULTIBOOT_ALIGN) {
        memset(h, 0, sizeof(*h));
        memcpy(h, file->data + at, MIN(sizeof(*h), file->size - at));
        *offset = at;
        if (h->magic == MULTIBOOT_MAGIC && h->magic + h->flags + h->checksum == 0)
            return true;
    }
    return false;
}

bool image_is_multiboot(const struct image_file *file)
{
    struct multiboot_header h;
    u64 offset;

    return find_header(file, &h, &offset);
}

/* @room: bytes of the file from the header on. */
static const char *header_wrong(const struct multiboot_header *h, u64 room, bool elf)
{
    u64 addresses_end = offsetof(struct multiboot_header, mode_type);

    if ((h->flags & HAS_ADDRESSES && room < addresses_end) || (h->flags & WANTS_VIDEO && room < sizeof(*h)))
        return "the kernel is truncated: its multiboot header is not complete - copy the file again";
    if (h->flags & WANTS_UNKNOWN)
        return "the kernel requires something of its boot loader that multiboot 0.6.96 does not know - use another version of it";
    if (h->flags & WANTS_VIDEO && h->mode_type != VIDEO_TEXT)
        return "the kernel requires a graphics mode, and a partition has no display - build it for a text or serial console";
    if (!elf && !(h->flags & HAS_ADDRESSES))
        return "the kernel is no ELF file, and its multiboot header says no addresses - give its ELF file";
    return NULL;
}

/* By the header's own addresses: Multiboot Specification, The address fields of Multiboot header. */
static enum pith_status load_flat(struct image_job *job, const struct multiboot_header *h, u64 offset)
{
    const struct image_file *file = &job->rq->image;
    u64 before = h->header_addr - h->load_addr, from = offset - before;
    u64 size = h->load_end_addr ? h->load_end_addr - h->load_addr : file->size - from;
    u64 need = MAX(size, h->bss_end_addr ? h->bss_end_addr - h->load_addr : 0);

    if (h->header_addr < h->load_addr || before > offset || (h->load_end_addr && h->load_end_addr < h->load_addr) ||
        (h->bss_end_addr && h->bss_end_addr < h->load_addr))
        return image_fail(job, PITH_E_ARG, "the addresses in the multiboot header contradict each other - link the kernel again");
    if (size > file->size - from)
        return image_fail(job, PITH_E_ARG, "the kernel is truncated - copy the file again");
    if (h->entry_addr < h->load_addr || h->entry_addr - h->load_addr >= size)
        return image_fail(job, PITH_E_ARG, "the kernel's entry point lies outside of it - link the kernel again");
    if (h->load_addr > job->tables || need > job->tables - h->load_addr)
        return image_fail(job, PITH_E_MEM, "the kernel does not fit into the partition's memory - raise memory =");

    job->image_end = MAX(job->image_end, h->load_addr + need);
    job->plan->start.rip = h->entry_addr;
    return image_copy(job, h->load_addr, file->data + from, size);
}

static enum pith_status load_kernel(struct image_job *job, const struct image_elf *elf, const struct multiboot_header *h,
                                    u64 offset)
{
    if (h->flags & HAS_ADDRESSES)
        return load_flat(job, h, offset);
    job->plan->start.rip = image_elf_physical(elf, elf->entry);
    return image_elf_segments(job, elf, job->plan->start.rip);
}

static enum pith_status add_module(struct image_job *job, struct multiboot_block *block, gpa_t gpa, const struct image_file *file)
{
    u32 n = block->info.mods_count;
    enum pith_status st;
    gpa_t base;

    if (!file->data)
        return PITH_OK;
    st = image_place(job, file, job->low_end, &base);
    if (st != PITH_OK)
        return st;
    (void)str_copy(block->strings[n], file->name ? file->name : "", sizeof(block->strings[n]));
    block->modules[n] = (struct multiboot_module){
        .start = (u32)base, .end = (u32)(base + file->size), .string = (u32)(gpa + offsetof(struct multiboot_block, strings[n])),
    };
    block->info.mods_count++;
    return PITH_OK;
}

static void put_map(const struct image_job *job, struct multiboot_block *block, gpa_t gpa)
{
    struct pith_mem mem[IMAGE_MEM_MAX];
    u32 n = image_memory_map(job, true, mem);

    for (u32 i = 0; i < n; i++)
        block->map[i] = (struct multiboot_mem){
            .size = sizeof(block->map[i]) - sizeof(u32),
            .base = (u32)mem[i].base,
            .base_high = (u32)(mem[i].base >> 32),
            .length = (u32)mem[i].size,
            .length_high = (u32)(mem[i].size >> 32),
            .type = mem[i].type,
        };
    block->info.mmap_addr = (u32)(gpa + offsetof(struct multiboot_block, map));
    block->info.mmap_length = n * (u32)sizeof(block->map[0]);
    block->info.mem_lower = IMAGE_ISA_HOLE >> 10;
    block->info.mem_upper = (u32)((job->tables - MIB(1)) >> 10);
}

static enum pith_status write_block(struct image_job *job, gpa_t gpa, gpa_t cmdline)
{
    struct multiboot_block block = { 0 };
    enum pith_status st = add_module(job, &block, gpa, &job->rq->initrd);

    for (u32 i = 0; i < job->rq->nr_modules && st == PITH_OK; i++)
        st = add_module(job, &block, gpa, &job->rq->modules[i]);
    if (st != PITH_OK)
        return st;
    put_map(job, &block, gpa);
    block.info.flags = GIVES_MEMORY | GIVES_CMDLINE | GIVES_MODULES | GIVES_MAP | GIVES_NAME;
    block.info.mods_addr = (u32)(gpa + offsetof(struct multiboot_block, modules));
    block.info.cmdline = (u32)cmdline;
    block.info.boot_loader_name = (u32)(gpa + offsetof(struct multiboot_block, loader));
    (void)str_copy(block.loader, "Pith " PITH_VERSION, sizeof(block.loader));
    return image_write(job, gpa, &block, sizeof(block));
}

enum pith_status image_start_multiboot(struct image_job *job, const struct image_elf *elf)
{
    struct plan_start *start = &job->plan->start;
    gpa_t block = 0, cmdline = 0, rsdp = 0;
    struct multiboot_header h;
    const char *wrong;
    enum pith_status st;
    u64 offset;

    if (!find_header(&job->rq->image, &h, &offset))
        return PITH_E_ARG; /* callers have found it already */
    wrong = header_wrong(&h, job->rq->image.size - offset, elf != NULL);
    if (wrong)
        return image_fail(job, PITH_E_ARG, wrong);
    st = image_acpi(job, &rsdp);
    if (st == PITH_OK)
        st = image_gdt(job, MULTIBOOT_CS, MULTIBOOT_DS, false);
    if (st == PITH_OK)
        st = image_take(job, sizeof(struct multiboot_block), &block);
    if (st == PITH_OK)
        st = image_cmdline(job, &cmdline);
    if (st == PITH_OK)
        st = load_kernel(job, elf, &h, offset);
    if (st == PITH_OK)
        st = write_block(job, block, cmdline);

    start->rax = MULTIBOOT_LOADED;
    start->rbx = block;
    start->cr0 = CR0_PE | CR0_ET;
    start->mode = PLAN_PROTECTED;
    image_format(job, "multiboot");
    return st;
}
