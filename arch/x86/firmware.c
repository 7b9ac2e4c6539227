/* SPDX-License-Identifier: MIT */
/*
 * UEFI runtime services run where the firmware lies, on a root of their own: the code and data of a runtime driver often share
 * pages with different needs, and none of that belongs into the hypervisor's tables.
 */
#include "arch/x86/firmware.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/paging.h"
#include "hv/lib/log.h"

#define EFI_RUNTIME_SERVICES_CODE 5u
#define EFI_MEMORY_WB             BIT(3)
#define EFI_MEMORY_XP             BIT(14)
#define EFI_MEMORY_RO             BIT(17)
#define EFI_MEMORY_RUNTIME        BIT(63)

struct efi_memory {
    u32 type, pad;
    u64 physical, virtual, pages, attribute;
};

u64 firmware_sp; /* not 0 while firmware_call() is under way */
bool firmware_call(u64 cr3, u64 fn, u64 a, u64 b, u64 c, u64 d);
extern const char firmware_abort[];

bool firmware_fault(struct trap_frame *f)
{
    if (!firmware_sp)
        return false;
    log_warn("the firmware faulted: exception %lu, error code 0x%lx, at 0x%lx, CR2 0x%lx", f->vector, f->error, f->rip,
             read_cr2());
    f->rip = (u64)firmware_abort;
    return true;
}

static bool map_region(const struct page_root *root, const struct efi_memory *m, u64 flags)
{
    return root_map(root, host_frames, m->physical, m->physical, m->pages * PAGE_SIZE, flags);
}

/* What the memory map says: code must be taken as writable, too, where no attributes table tells the parts apart. */
static u64 flags_by_type(const struct efi_memory *m)
{
    if (m->type == EFI_RUNTIME_SERVICES_CODE)
        return PTE_CODE | PTE_W | PTE_D;
    return m->attribute & EFI_MEMORY_WB ? PTE_DATA : PTE_DATA | PTE_PCD | PTE_PWT;
}

/* UEFI, "EFI_MEMORY_ATTRIBUTES_TABLE": each entry is a part of a runtime region. */
static u64 flags_by_attribute(const struct efi_memory *m)
{
    return PTE_CODE | (m->attribute & EFI_MEMORY_RO ? 0 : PTE_W | PTE_D) | (m->attribute & EFI_MEMORY_XP ? PTE_NX : 0);
}

static bool map_regions(const struct page_root *root, const struct handoff_array *regions,
                        u64 (*flags)(const struct efi_memory *m))
{
    const u8 *at = phys_to_virt(regions->base);

    for (u32 i = 0; i < regions->count; i++, at += regions->stride) {
        const struct efi_memory *m = (const void *)at;

        if ((m->attribute & EFI_MEMORY_RUNTIME) && !map_region(root, m, flags(m)))
            return false;
    }
    return true;
}

static bool root_build(const struct handoff *h, struct page_root *root)
{
    if (root_create(root, host_frames) != PITH_OK)
        return false;
    root_share_host(root);
    return map_regions(root, &h->efi_memory, flags_by_type) &&
           map_regions(root, &h->efi_attributes, flags_by_attribute);
}

void firmware_reset(const struct handoff *h, enum efi_reset type)
{
    struct page_root root;

    if (!h->efi_reset || !h->efi_memory.count) {
        log_info("there are no UEFI runtime services");
        return;
    }
    if (!root_build(h, &root)) {
        log_warn("no memory for page tables of the UEFI runtime services");
        return;
    }
    if (firmware_call(root.hpa, h->efi_reset, type, 0, 0, 0))
        log_warn("UEFI ResetSystem() returned");
}
