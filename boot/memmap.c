/* SPDX-License-Identifier: MIT */
/* The firmware's memory map, and the end of its boot services. */
#include "boot/loader.h"

#include "boot/ranges.h"
#include "hv/lib/string.h"

/* Allocations split regions, and firmware makes its own, also while it ends its services, when no larger buffer can be had. */
#define SLACK_DESCRIPTORS 512
#define EXIT_ATTEMPTS 8
#define MEMORY_SP     0x40000ull /* EFI_MEMORY_SP: meant for a special purpose, not for everyone */

static EFI_STATUS read_map(struct memmap *map)
{
    EFI_STATUS status;
    UINT32 version;

    map->size = map->capacity;
    status = fw.bs->GetMemoryMap(&map->size, (void *)map->descriptors, &map->key, &map->stride,
                                 &version);
    return EFI_ERROR(status) || map->stride >= sizeof(EFI_MEMORY_DESCRIPTOR) ? status : EFI_INCOMPATIBLE_VERSION;
}

EFI_STATUS memmap_read(struct memmap *map)
{
    return read_map(map);
}

/*
 * Reading it needs memory, and taking memory makes it longer: ask again until it fits with room to
 * spare.
 */
void memmap_init(struct memmap *map)
{
    *map = (struct memmap){ 0 };
    for (u32 i = 0; i < EXIT_ATTEMPTS; i++) {
        EFI_STATUS status = read_map(map);

        if (!EFI_ERROR(status) && map->size + SLACK_DESCRIPTORS / 2 * map->stride <= map->capacity)
            return;
        if (EFI_ERROR(status) && status != EFI_BUFFER_TOO_SMALL)
            break;
        map->capacity = map->size + SLACK_DESCRIPTORS * MAX(map->stride, sizeof(EFI_MEMORY_DESCRIPTOR));
        map->descriptors = block_take("the memory map", map->capacity, ANYWHERE, HANDOFF_FREE);
    }
    boot_fail("the firmware gives no memory map - update the firmware");
}

/*
 * What is the loader's or the boot services' is free once the hypervisor runs; blocks.c knows the
 * exceptions.
 */
static enum handoff_kind kind_of(const EFI_MEMORY_DESCRIPTOR *d)
{
    switch (d->Type) {
    case EfiLoaderCode:
    case EfiLoaderData:
    case EfiBootServicesCode:
    case EfiBootServicesData:
    case EfiConventionalMemory:
        if (d->Attribute & EFI_MEMORY_RUNTIME)
            return HANDOFF_EFI_RUNTIME;
        return d->Attribute & MEMORY_SP ? HANDOFF_RESERVED : HANDOFF_FREE;
    case EfiACPIReclaimMemory:
    case EfiACPIMemoryNVS:
        return HANDOFF_ACPI;
    case EfiRuntimeServicesCode:
    case EfiRuntimeServicesData:
        return HANDOFF_EFI_RUNTIME;
    default:
        return HANDOFF_RESERVED;
    }
}

/* Registers are outside of the map, or in it as what they are, or as what the firmware keeps. */
bool physical_is_memory(u64 first, u64 last)
{
    UINTN size = 0, key, stride = 0;
    UINT32 version;
    u8 *map = NULL;
    bool found = true;

    fw.bs->GetMemoryMap(&size, NULL, &key, &stride, &version);
    size += SLACK_DESCRIPTORS * stride;
    if (EFI_ERROR(fw.bs->AllocatePool(EfiLoaderData, size, (void **)&map)))
        return true;
    if (!EFI_ERROR(fw.bs->GetMemoryMap(&size, (void *)map, &key, &stride, &version))) {
        found = false;
        for (const u8 *at = map; at < map + size; at += stride) {
            const EFI_MEMORY_DESCRIPTOR *d = (const void *)at;

            found |= kind_of(d) != HANDOFF_RESERVED && first <= d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT) - 1 &&
                     last >= d->PhysicalStart;
        }
    }
    fw.bs->FreePool(map);
    return found;
}

static u32 descriptor_count(const struct memmap *map, UINTN bytes)
{
    return (u32)(bytes / map->stride);
}

static const EFI_MEMORY_DESCRIPTOR *descriptor(const struct memmap *map, u32 i)
{
    return (const void *)(map->descriptors + i * map->stride);
}

u32 memmap_max_ranges(const struct memmap *map)
{
    return RANGES_OUT(descriptor_count(map, map->capacity) + BLOCKS_MAX);
}

u32 memmap_ranges(const struct memmap *map, struct handoff_range *scratch,
                  struct handoff_range *out)
{
    u32 n = descriptor_count(map, map->size);

    for (u32 i = 0; i < n; i++) {
        const EFI_MEMORY_DESCRIPTOR *d = descriptor(map, i);
        u64 most = ~0ull >> PAGE_SHIFT;

        scratch[i] = (struct handoff_range){
            .base = d->PhysicalStart,
            .size = MIN(d->NumberOfPages, most) << PAGE_SHIFT,
            .kind = kind_of(d),
        };
    }
    n += blocks_ranges(scratch + n);
    return ranges_tidy(scratch, n, out);
}

/* Code must be taken as writable, too, where no attributes table tells the parts apart. */
static u32 access_of(const EFI_MEMORY_DESCRIPTOR *d)
{
    if (d->Type == EfiRuntimeServicesCode)
        return HANDOFF_WRITE | HANDOFF_EXECUTE;
    return d->Attribute & EFI_MEMORY_WB ? HANDOFF_WRITE : HANDOFF_WRITE | HANDOFF_UNCACHED;
}

u32 memmap_runtime(const struct memmap *map, struct handoff_runtime *out)
{
    u32 n = descriptor_count(map, map->size), found = 0;

    for (u32 i = 0; i < n; i++) {
        const EFI_MEMORY_DESCRIPTOR *d = descriptor(map, i);

        if (d->Attribute & EFI_MEMORY_RUNTIME)
            out[found++] = (struct handoff_runtime){ d->PhysicalStart, d->NumberOfPages << PAGE_SHIFT, access_of(d), 0 };
    }
    return found;
}

/*
 * The key names the map that ends the services; when something changed it meanwhile, the call fails
 * and only the map may be asked for again (UEFI Specification,
 * "EFI_BOOT_SERVICES.ExitBootServices()").
 */
void memmap_exit(struct memmap *map)
{
    EFI_STATUS status = EFI_SUCCESS;

    for (u32 i = 0; i < EXIT_ATTEMPTS; i++) {
        status = memmap_read(map);
        if (EFI_ERROR(status))
            break;
        fw.leaving = true;
        status = fw.bs->ExitBootServices(fw.image, map->key);
        if (!EFI_ERROR(status)) {
            say_leave();
            return;
        }
    }
    boot_fail("the firmware does not end its boot services (status 0x%lx) - update the firmware",
              (u64)status);
}
