/* SPDX-License-Identifier: MIT */
/* Linux bzImages by their 64-bit entry. Linux, The Linux/x86 Boot Protocol and The "zero page". */
#include "boot/image/parts.h"

#include "arch/x86/cpu/regs.h"
#include "hv/lib/string.h"

#define LINUX_CS          0x10u /* __BOOT_CS and __BOOT_DS */
#define LINUX_DS          0x18u
#define LINUX_VERSION     0x20cu /* first protocol with XLF_KERNEL_64 */
#define XLF_KERNEL_64     1u
#define LOADER_UNDEFINED  0xffu
#define SETUP_SECTS_OLD   4u     /* what 0 means */
#define ENTRY_64          0x200u
#define ZERO_PAGE         4096u

/* Offsets in the zero page; from 0x1f1 on, also in the file. */
enum {
    BP_ACPI_RSDP = 0x70, BP_EXT_RAMDISK_IMAGE = 0xc0, BP_EXT_RAMDISK_SIZE = 0xc4, BP_EXT_CMD_LINE = 0xc8,
    BP_E820_ENTRIES = 0x1e8, BP_SETUP_SECTS = 0x1f1, BP_SYSSIZE = 0x1f4, BP_BOOT_FLAG = 0x1fe,
    BP_HEADER_LEN = 0x201, BP_MAGIC = 0x202, BP_VERSION = 0x206, BP_TYPE_OF_LOADER = 0x210,
    BP_RAMDISK_IMAGE = 0x218, BP_RAMDISK_SIZE = 0x21c, BP_CMD_LINE = 0x228, BP_INITRD_ADDR_MAX = 0x22c,
    BP_XLOADFLAGS = 0x236, BP_CMDLINE_SIZE = 0x238, BP_PREF_ADDRESS = 0x258, BP_INIT_SIZE = 0x260,
    BP_HEADER_END = 0x264, /* of what this file reads */
    BP_E820 = 0x2d0, BP_E820_SIZE = 20,
};

static u64 get(const u8 *p, unsigned offset, unsigned size)
{
    u64 v = 0;

    memcpy(&v, p + offset, size);
    return v;
}

static void put(u8 *p, unsigned offset, unsigned size, u64 v)
{
    memcpy(p + offset, &v, size);
}

bool image_is_linux(const struct image_file *file)
{
    return file->size >= BP_MAGIC + 4 && get(file->data, BP_BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(file->data + BP_MAGIC, "HdrS", 4) == 0;
}

static const char *header_wrong(const struct image_request *rq)
{
    const u8 *data = rq->image.data;

    if (rq->image.size < BP_HEADER_END)
        return "the kernel is truncated: its setup header is missing - copy the file again";
    if (get(data, BP_VERSION, 2) < LINUX_VERSION)
        return "the kernel's boot protocol is older than 2.12 - use Linux 3.8 or newer";
    if (!(get(data, BP_XLOADFLAGS, 2) & XLF_KERNEL_64))
        return "the kernel has no 64-bit entry - use one for x86-64 (CONFIG_X86_64)";
    if (rq->nr_modules > 0)
        return "Linux takes an initrd, but no modules - remove modules =";
    if (rq->cmdline && strlen(rq->cmdline) > get(data, BP_CMDLINE_SIZE, 4))
        return "the kernel does not take a command line of this length - shorten cmdline =";
    return NULL;
}

/* Where the kernel wants to run, with all the memory it needs until it reads the memory map. */
static enum pith_status load_kernel(struct image_job *job, gpa_t *base)
{
    const struct image_file *file = &job->rq->image;
    u64 sects = file->data[BP_SETUP_SECTS] ? file->data[BP_SETUP_SECTS] : SETUP_SECTS_OLD;
    u64 offset = (sects + 1) * 512, size = get(file->data, BP_SYSSIZE, 4) * 16;
    u64 need = MAX(get(file->data, BP_INIT_SIZE, 4), size);
    gpa_t load = MAX(get(file->data, BP_PREF_ADDRESS, 8), MIB(1));

    /* syssize counts 16-byte units: the last may be incomplete. */
    if (offset > file->size || ALIGN_UP(file->size - offset, 16ull) < size)
        return image_fail(job, PITH_E_ARG, "the kernel is truncated - copy the file again");
    if (size <= ENTRY_64)
        return image_fail(job, PITH_E_ARG, "the kernel is damaged: it has no code - copy the file again");
    if (load > job->tables || need > job->tables - load)
        return image_fail(job, PITH_E_MEM, "the kernel does not fit into the partition's memory - raise memory =");

    *base = load;
    job->image_end = load + need;
    return image_copy(job, load, file->data + offset, MIN(size, file->size - offset));
}

static enum pith_status place_initrd(struct image_job *job, u8 *zero)
{
    const struct image_file *initrd = &job->rq->initrd;
    u64 limit = get(zero, BP_INITRD_ADDR_MAX, 4) + 1;
    enum pith_status st;
    gpa_t gpa;

    if (!initrd->data)
        return PITH_OK;
    st = image_place(job, initrd, limit, &gpa);
    if (st != PITH_OK)
        return st;
    put(zero, BP_RAMDISK_IMAGE, 4, gpa); /* below 3 GiB, so the upper halves stay zero */
    put(zero, BP_RAMDISK_SIZE, 4, initrd->size);
    return PITH_OK;
}

static void put_e820(const struct image_job *job, u8 *zero)
{
    struct pith_mem mem[IMAGE_MEM_MAX];
    u32 n = image_memory_map(job, true, mem);

    put(zero, BP_E820_ENTRIES, 1, n);
    for (u32 i = 0; i < n; i++) {
        put(zero, BP_E820 + i * BP_E820_SIZE, 8, mem[i].base);
        put(zero, BP_E820 + i * BP_E820_SIZE + 8, 8, mem[i].size);
        put(zero, BP_E820 + i * BP_E820_SIZE + 16, 4, mem[i].type);
    }
}

static enum pith_status write_zero_page(struct image_job *job, gpa_t gpa, gpa_t cmdline, gpa_t rsdp)
{
    const struct image_file *file = &job->rq->image;
    unsigned end = MIN(BP_MAGIC + (unsigned)file->data[BP_HEADER_LEN], (unsigned)BP_E820);
    u8 zero[ZERO_PAGE] = { 0 };
    enum pith_status st;

    end = (unsigned)MIN((u64)end, file->size);
    memcpy(zero + BP_SETUP_SECTS, file->data + BP_SETUP_SECTS, end - BP_SETUP_SECTS);
    put(zero, BP_TYPE_OF_LOADER, 1, LOADER_UNDEFINED);
    put(zero, BP_CMD_LINE, 4, cmdline);
    put(zero, BP_ACPI_RSDP, 8, rsdp);
    put_e820(job, zero);
    st = place_initrd(job, zero);
    return st == PITH_OK ? image_write(job, gpa, zero, sizeof(zero)) : st;
}

static enum pith_status take_tables(struct image_job *job, gpa_t *zero, gpa_t *cmdline, gpa_t *rsdp)
{
    enum pith_status st = image_acpi(job, rsdp);

    if (st == PITH_OK)
        st = image_gdt(job, LINUX_CS, LINUX_DS, true);
    if (st == PITH_OK)
        st = image_take(job, ZERO_PAGE, zero);
    if (st == PITH_OK)
        st = image_cmdline(job, cmdline);
    if (st == PITH_OK)
        st = image_paging(job);
    return st;
}

enum pith_status image_load_linux(struct image_job *job)
{
    struct plan_start *start = &job->plan->start;
    const char *wrong = header_wrong(job->rq);
    gpa_t zero = 0, cmdline = 0, rsdp = 0, base = 0;
    enum pith_status st;

    if (wrong)
        return image_fail(job, PITH_E_ARG, wrong);
    st = take_tables(job, &zero, &cmdline, &rsdp);
    if (st == PITH_OK)
        st = load_kernel(job, &base);
    if (st == PITH_OK)
        st = write_zero_page(job, zero, cmdline, rsdp);

    start->rip = base + ENTRY_64;
    start->rsi = zero;
    start->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    start->cr4 = CR4_PAE;
    start->efer = EFER_LME | EFER_LMA;
    start->mode = PLAN_LONG;
    image_format(job, "bzImage");
    return st;
}
