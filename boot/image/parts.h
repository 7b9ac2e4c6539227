/* SPDX-License-Identifier: MIT */
/* What the guest formats share: a load under way, and the tables every guest finds at the top of its low RAM. */
#pragma once

#include "boot/image/image.h"
#include "hv/abi/start.h"

#define IMAGE_LOW_MAX  GIB(3) /* RAM from 0 to here, the rest from IMAGE_HIGH */
#define IMAGE_HIGH     GIB(4)
#define IMAGE_ISA_HOLE 0xa0000ull
#define IMAGE_MEM_MAX  5u
#define IMAGE_MODULES  16u

/*
 * Low RAM, from the bottom: the image, free RAM, initrd and modules, tables.
 * Take every table first: what is loaded and placed afterwards is checked against their final extent.
 */
struct image_job {
    const struct image_request *rq;
    struct image_out *out;
    struct load_plan *plan;
    const char *why;  /* after a failure */
    gpa_t low_end;    /* of RAM below 3 GiB */
    gpa_t tables;     /* [tables, low_end) holds tables; grows down */
    gpa_t free_end;   /* lowest module so far, else tables */
    gpa_t image_end;  /* of what was loaded: modules go above it */
};

enum pith_status image_fail(struct image_job *job, enum pith_status st, const char *why) MUST_CHECK;
/* What was made here, into the arena. */
enum pith_status image_write(struct image_job *job, gpa_t gpa, const void *buf, size_t len) MUST_CHECK;
/* Part of a file, from where it lies. */
enum pith_status image_copy(struct image_job *job, gpa_t gpa, const u8 *from, u64 len) MUST_CHECK;
void image_format(struct image_job *job, const char *name); /* for the log */
/* Whole pages at the top of low RAM. */
enum pith_status image_take(struct image_job *job, u64 size, gpa_t *gpa) MUST_CHECK;
/* Puts a file as high as it goes below @limit, above the image and below the tables; page-aligned. */
enum pith_status image_place(struct image_job *job, const struct image_file *file, u64 limit, gpa_t *gpa) MUST_CHECK;

/* Tables: each takes its pages and writes them. */
enum pith_status image_gdt(struct image_job *job, u16 cs, u16 ds, bool code64) MUST_CHECK;
enum pith_status image_paging(struct image_job *job) MUST_CHECK; /* identity map of RAM and of the first 4 GiB, into plan->start.cr3 */
enum pith_status image_cmdline(struct image_job *job, gpa_t *gpa) MUST_CHECK;
enum pith_status image_acpi(struct image_job *job, gpa_t *rsdp) MUST_CHECK;
/* After the last image_take(). @pc: leaves out what a PC has between 640 KiB and 1 MiB. Returns the number of entries. */
u32 image_memory_map(const struct image_job *job, bool pc, struct pith_mem mem[IMAGE_MEM_MAX]);

struct image_elf {
    const u8 *data;
    u64 size, entry, phoff;
    u32 phnum;
    bool is32, has_pith, has_pvh;
    u32 pith_version;
    u64 pvh_entry;
};
bool image_is_elf(const struct image_file *file);
enum pith_status image_load_elf(struct image_job *job) MUST_CHECK;
/* Copies the segments to where p_paddr says; the entry point must lie in one of them. */
enum pith_status image_elf_segments(struct image_job *job, const struct image_elf *elf, u64 entry) MUST_CHECK;
/* Where the segments put what is linked at virtual address @va; @va itself when they do not. */
u64 image_elf_physical(const struct image_elf *elf, u64 va);
enum pith_status image_start_pith(struct image_job *job, const struct image_elf *elf) MUST_CHECK;
enum pith_status image_start_pvh(struct image_job *job, const struct image_elf *elf) MUST_CHECK;

bool image_is_multiboot(const struct image_file *file);
/* @elf NULL: the file is no ELF, and the header itself says where things go. */
enum pith_status image_start_multiboot(struct image_job *job, const struct image_elf *elf) MUST_CHECK;

bool image_is_linux(const struct image_file *file);
enum pith_status image_load_linux(struct image_job *job) MUST_CHECK;

/* Copies at most size - 1 bytes and always terminates. Returns false when src did not fit. */
bool str_copy(char *dst, const char *src, size_t size);
