/* SPDX-License-Identifier: MIT */
/* Between the files of the boot loader that know the firmware. */
#pragma once

#include <efi.h>
#include <efilib.h>

#include "boot/config.h"
#include "boot/manifest.h"
#include "boot/physical.h"
#include "boot/say.h"
#include "hv/abi/handoff.h"
#include "hv/lib/types.h"

struct firmware {
    EFI_HANDLE image; /* this application */
    EFI_SYSTEM_TABLE *st;
    EFI_BOOT_SERVICES *bs;
    bool leaving; /* ExitBootServices was called: most services are gone even when it failed */
};
extern struct firmware fw;

/* blocks.c: memory from the firmware, remembered until the hypervisor has it. */
#define BLOCKS_MAX 160u
#define BELOW_4G   0xffffffffull
#define ANYWHERE   (~0ull)
/*
 * Zeroed pages for @size bytes, ending at @limit at most. @kind is what the hypervisor will be
 * told, HANDOFF_FREE for scratch memory. Fails the boot when there is none; @what names it then.
 */
void *block_take(const char *what, u64 size, u64 limit, enum handoff_kind kind);
/* The same for the hypervisor: code, aligned to 2 MiB, below 4 GiB. */
void *block_take_image(u64 size);
u32 blocks_ranges(struct handoff_range *out); /* all but scratch; room for BLOCKS_MAX */
void blocks_release(void);

/* files.c: from where this application was started itself, a volume or a server; nothing else knows which. */
#define CONFIG_NAME "pith.conf"
struct file {
    void *data;
    u64 size;
};
void files_open(void); /* or fails the boot */
/*
 * NULL when it was read, else "'NAME' what is wrong - what to do" in static memory. An empty file
 * has no data.
 */
const char *file_read(const char *name, enum handoff_kind kind, struct file *file) MUST_CHECK;
/* The same for pith.conf, to be read before other files; @name says which one it was: a server may have one for this machine alone. */
const char *config_read(const char **name, struct file *file) MUST_CHECK;

/* cpus.c */
void cpu_check(void); /* fails the boot when this processor cannot do it */
/* How many cores there are; the first @max of them are written. */
u32 cpus_list(struct handoff_cpu *out, u32 max);

/* tpm.c: from tpm_find() on, boot/measure.h measures into the TPM, if there is one; tpm_say() says which. */
void tpm_find(void);
void tpm_say(void);

/* machine.c: ACPI's tables and the chipset; then, what of pith.conf this machine cannot give. */
u64 physical_end(void); /* of what this processor addresses */
void machine_find(struct handoff_machine *machine);
void machine_devices(struct manifest *m, const struct handoff_range *ranges, u32 nr_ranges, const struct handoff *h,
                     manifest_mistake_fn *mistake, void *ctx);

/* tables.c: what else the hypervisor cannot ask the firmware for later. */
u64 acpi_find_rsdp(void);
u64 clock_seconds(void);
struct handoff_fb screen_find(void);
const char *secure_boot_state(void);
/* EFI_MEMORY_ATTRIBUTES_TABLE: parts of runtime regions. */
u32 attributes_max(void);
u32 attributes_runtime(struct handoff_runtime *out, u32 max);

/* memmap.c */
struct memmap {
    u8 *descriptors;
    UINTN size, capacity, key, stride; /* size, capacity and stride in bytes */
};
void memmap_init(struct memmap *map); /* a buffer with room for what will still be allocated */
EFI_STATUS memmap_read(struct memmap *map) MUST_CHECK;
/* Room that memmap_ranges() needs in each of its arrays. */
u32 memmap_max_ranges(const struct memmap *map);
u32 memmap_ranges(const struct memmap *map, struct handoff_range *scratch,
                  struct handoff_range *out);
/* The runtime regions; returns how many. */
u32 memmap_runtime(const struct memmap *map, struct handoff_runtime *out);
void memmap_exit(struct memmap *map); /* ends the boot services, or fails the boot */

/* payload.c: the hypervisor's ELF file, carried inside this application. */
struct payload {
    u64 base, size, entry; /* physical; entry: of hv_entry */
};
struct payload payload_load(void);
