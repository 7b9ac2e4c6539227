/* SPDX-License-Identifier: MIT */
/*
 * bzImages by their real-mode entry: for kernels that have no other. Linux, The Linux/x86 Boot Protocol, Memory Layout and
 * Running the Kernel. The first instructions are those of bios.S.
 */
#include "boot/image/bios.h"
#include "boot/image/bzimage.h"

#include "arch/x86/cpu/regs.h"
#include "hv/abi/platform.h"

#define BIOS_BASE     (BIOS_SEGMENT * 16ull + BIOS_DATA)
#define BIOS_STACK    0x7c00u
#define ENTRY_SEGMENT 0x20u      /* from the setup part's */

/* Places that old protocols fix, and new ones suggest. */
#define SETUP_HIGH    0x10000u   /* of the setup part, from 2.02 on, of a kernel that lies high */
#define SETUP_LOW     0x90000u   /* of any other */
#define KERNEL_LOW    0x10000u
#define HEAP_END      0xe000u    /* from the setup part on: there its stack begins, and the command line stands */
#define HEAP_END_OLD  0x9800u
#define CMDLINE_ROOM  0x800u
#define CMDLINE_OLD   255u
#define CMDLINE_MAGIC 0xa33fu
#define INITRD_OLD    0x38000000ull

#define HEADER_FIRST BP_SETUP_SECTS
#define HEADER_ROOM  (BP_HEADER_END - BP_SETUP_SECTS)

struct real {
    u8 header[BP_HEADER_END]; /* as in the file, at its offset; beyond the file's own header zero */
    unsigned version;
    bool high;                /* the protected-mode part lies at 1 MiB */
    u64 setup_size;
    gpa_t setup;
    u32 heap_end;
};

static u64 cmdline_max(const struct real *r)
{
    u64 max = r->version >= 0x206 ? bz_get(r->header, BP_CMDLINE_SIZE, 4) : CMDLINE_OLD;

    return MIN(max, CMDLINE_ROOM - 1);
}

static const char *open_real(const struct image_request *rq, struct real *r)
{
    const struct image_file *file = &rq->image;
    u64 end = MAX(MIN(file->size, BP_MAGIC + (u64)file->data[BP_HEADER_LEN]), HEADER_FIRST);

    memset(r, 0, sizeof(*r));
    memcpy(r->header + HEADER_FIRST, file->data + HEADER_FIRST, MIN(end - HEADER_FIRST, HEADER_ROOM));
    r->version = (unsigned)bz_get(r->header, BP_VERSION, 2);
    r->high = r->header[BP_LOADFLAGS] & LOADED_HIGH;
    r->setup_size = bz_setup_size(file->data);
    r->setup = r->high && r->version >= 0x202 ? SETUP_HIGH : SETUP_LOW;
    r->heap_end = r->setup == SETUP_HIGH ? HEAP_END : HEAP_END_OLD;
    if (r->version < 0x200)
        return "the kernel's boot protocol is older than 2.00 - use Linux 1.3.73 or newer";
    if (file->size <= r->setup_size)
        return "the kernel is truncated: it ends within its real-mode part - copy the file again";
    if (r->setup_size > HEAP_END_OLD - 0x400)
        return "the kernel is damaged: its real-mode part has no end - copy the file again";
    return bz_wrong(rq, cmdline_max(r));
}

static enum pith_status load_kernel(struct image_job *job, const struct real *r)
{
    const struct image_file *file = &job->rq->image;
    u64 size = file->size - r->setup_size;
    gpa_t load = r->high ? MIB(1) : KERNEL_LOW;
    u64 need = r->high && r->version >= 0x20a ? MAX(size, bz_get(r->header, BP_INIT_SIZE, 4)) : size;

    /* From 2.04 on it says how long it is, in 16-byte units: the last may be incomplete. */
    if (r->version >= 0x204 && bz_get(r->header, BP_SYSSIZE, 4) * 16 > ALIGN_UP(size, 16ull))
        return image_fail(job, PITH_E_ARG, "the kernel is truncated - copy the file again");
    if (!r->high && size > SETUP_LOW - KERNEL_LOW)
        return image_fail(job, PITH_E_ARG, "the kernel is too large for low memory - build it as a bzImage");
    if (load > job->tables || need > job->tables - load)
        return image_fail(job, PITH_E_MEM, "the kernel does not fit into the partition's memory - raise memory =");

    job->image_end = MAX(job->image_end, load + need);
    return image_copy(job, load, file->data + r->setup_size, size);
}

static enum pith_status place_initrd(struct image_job *job, struct real *r)
{
    return bz_initrd(job, r->header, r->version >= 0x203 ? bz_get(r->header, BP_INITRD_ADDR_MAX, 4) + 1 : INITRD_OLD);
}

/* What the boot loader has to fill in, as far as this version knows it. */
static enum pith_status write_header(struct image_job *job, struct real *r)
{
    const u32 old_cmdline = CMDLINE_MAGIC | r->heap_end << 16; /* magic, then offset */
    u64 size = MIN(HEADER_ROOM, BP_MAGIC + r->header[BP_HEADER_LEN] - HEADER_FIRST);
    enum pith_status st = PITH_OK;

    r->header[BP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    if (r->version >= 0x201) {
        r->header[BP_LOADFLAGS] |= CAN_USE_HEAP;
        bz_put(r->header, BP_HEAP_END_PTR, 2, r->heap_end - 0x200);
    }
    if (r->version >= 0x202) {
        bz_put(r->header, BP_CMD_LINE, 4, r->setup + r->heap_end);
    } else {
        bz_put(r->header, BP_SETUP_MOVE_SIZE, 2, r->heap_end + CMDLINE_ROOM);
        st = image_write(job, r->setup + BP_CL_MAGIC, &old_cmdline, sizeof(old_cmdline));
    }
    return st == PITH_OK ? image_write(job, r->setup + HEADER_FIRST, r->header + HEADER_FIRST, size) : st;
}

static enum pith_status write_setup(struct image_job *job, struct real *r)
{
    const char *cmdline = job->rq->cmdline ? job->rq->cmdline : "";
    enum pith_status st = image_copy(job, r->setup, job->rq->image.data, r->setup_size);

    if (st == PITH_OK)
        st = write_header(job, r);
    return st == PITH_OK ? image_write(job, r->setup + r->heap_end, cmdline, strlen(cmdline) + 1) : st;
}

static enum pith_status write_bios(struct image_job *job, const struct real *r)
{
    struct bios_data data = {
        .kernel_cs = (u16)(r->setup / 16 + ENTRY_SEGMENT), .kernel_ds = (u16)(r->setup / 16), .kernel_sp = (u16)r->heap_end,
        .above_1m = (u32)((job->tables - MIB(1)) >> 10),
        .off_port = VACPI_PM1_CONTROL, .off_value = VACPI_S5 << 10 | VACPI_SLEEP_ENABLE,
    };
    struct pith_mem mem[IMAGE_MEM_MAX];
    u8 rom[BIOS_CODE - BIOS_DATA] = { 0 };
    enum pith_status st;

    _Static_assert(IMAGE_MEM_MAX <= BIOS_MEM_MAX, "room for the memory map");
    data.nr_mem = (u16)image_memory_map(job, true, mem);
    for (u32 i = 0; i < data.nr_mem; i++)
        memcpy(data.mem[i], &mem[i], BIOS_MEM_SIZE);
    memcpy(rom, &data, sizeof(data));
    st = image_write(job, BIOS_BASE, rom, sizeof(rom));
    return st == PITH_OK ? image_write(job, BIOS_BASE + sizeof(rom), bios_start, (size_t)(bios_end - bios_start)) : st;
}

enum pith_status image_load_real(struct image_job *job)
{
    struct plan_start *start = &job->plan->start;
    enum pith_status st;
    const char *wrong;
    struct real r;
    gpa_t rsdp;

    wrong = open_real(job->rq, &r);
    if (wrong)
        return image_fail(job, PITH_E_ARG, wrong);
    st = image_acpi(job, &rsdp);
    if (st == PITH_OK)
        st = load_kernel(job, &r);
    if (st == PITH_OK)
        st = place_initrd(job, &r);
    if (st == PITH_OK)
        st = write_setup(job, &r);
    if (st == PITH_OK)
        st = write_bios(job, &r);

    start->rip = BIOS_CODE;
    start->cs = BIOS_SEGMENT;
    start->rsp = BIOS_STACK;
    start->cr0 = CR0_ET;
    start->mode = PLAN_REAL;
    image_format(job, "bzImage, real mode");
    return st;
}
