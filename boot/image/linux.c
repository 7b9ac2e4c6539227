/* SPDX-License-Identifier: MIT */
/* Linux bzImages by their 64-bit entry; without one, real.c takes over. Linux, The Linux/x86 Boot Protocol and The "zero page". */
#include "boot/image/bzimage.h"

#include "arch/x86/cpu/regs.h"

#define LINUX_CS          0x10u /* __BOOT_CS and __BOOT_DS */
#define LINUX_DS          0x18u
#define ENTRY_64          0x200u
#define ZERO_PAGE         4096u

bool image_is_linux(const struct image_file *file)
{
    return file->size >= BP_MAGIC + 4 && bz_get(file->data, BP_BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(file->data + BP_MAGIC, "HdrS", 4) == 0;
}

const char *bz_wrong(const struct image_request *rq, u64 cmdline_max)
{
    if (rq->nr_modules > 0)
        return "a bzImage takes an initrd, but no modules - remove modules =";
    if (rq->cmdline && strlen(rq->cmdline) > cmdline_max)
        return "the kernel does not take a command line of this length - shorten cmdline =";
    return NULL;
}

/* Where the kernel wants to run, with all the memory it needs until it reads the memory map. */
static enum pith_status load_kernel(struct image_job *job, gpa_t *base)
{
    const struct image_file *file = &job->rq->image;
    u64 offset = bz_setup_size(file->data), size = bz_get(file->data, BP_SYSSIZE, 4) * 16;
    u64 need = MAX(bz_get(file->data, BP_INIT_SIZE, 4), size);
    gpa_t load = MAX(bz_get(file->data, BP_PREF_ADDRESS, 8), MIB(1));

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

enum pith_status bz_initrd(struct image_job *job, u8 *header, u64 limit)
{
    const struct image_file *initrd = &job->rq->initrd;
    enum pith_status st;
    gpa_t gpa;

    if (!initrd->data)
        return PITH_OK;
    st = image_place(job, initrd, limit, &gpa);
    if (st != PITH_OK)
        return st;
    bz_put(header, BP_RAMDISK_IMAGE, 4, gpa); /* below 3 GiB, so the upper halves stay zero */
    bz_put(header, BP_RAMDISK_SIZE, 4, initrd->size);
    return PITH_OK;
}

static void put_e820(const struct image_job *job, u8 *zero)
{
    struct pith_mem mem[IMAGE_MEM_MAX];
    u32 n = image_memory_map(job, true, mem);

    bz_put(zero, BP_E820_ENTRIES, 1, n);
    for (u32 i = 0; i < n; i++) {
        bz_put(zero, BP_E820 + i * BP_E820_SIZE, 8, mem[i].base);
        bz_put(zero, BP_E820 + i * BP_E820_SIZE + 8, 8, mem[i].size);
        bz_put(zero, BP_E820 + i * BP_E820_SIZE + 16, 4, mem[i].type);
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
    bz_put(zero, BP_TYPE_OF_LOADER, 1, LOADER_UNDEFINED);
    bz_put(zero, BP_CMD_LINE, 4, cmdline);
    bz_put(zero, BP_ACPI_RSDP, 8, rsdp);
    put_e820(job, zero);
    st = bz_initrd(job, zero, bz_get(zero, BP_INITRD_ADDR_MAX, 4) + 1);
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

static bool has_64bit_entry(const struct image_file *file)
{
    return file->size >= BP_HEADER_END && bz_get(file->data, BP_VERSION, 2) >= BZ_VERSION_64 &&
           bz_get(file->data, BP_XLOADFLAGS, 2) & XLF_KERNEL_64;
}

enum pith_status image_load_linux(struct image_job *job)
{
    struct plan_start *start = &job->plan->start;
    gpa_t zero = 0, cmdline = 0, rsdp = 0, base = 0;
    enum pith_status st;
    const char *wrong;

    if (!has_64bit_entry(&job->rq->image))
        return image_load_real(job);
    wrong = bz_wrong(job->rq, bz_get(job->rq->image.data, BP_CMDLINE_SIZE, 4));
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
