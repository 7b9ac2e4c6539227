/* SPDX-License-Identifier: MIT */
/*
 * UEFI runtime services run where the firmware lies, on a root of their own: the code and data of a runtime driver often share
 * pages with different needs, and none of that belongs into the hypervisor's tables.
 */
#include "arch/x86/firmware.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/paging.h"
#include "hv/lib/log.h"

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

static u64 flags_of(u32 access)
{
    return PTE_CODE | (access & HANDOFF_WRITE ? PTE_W | PTE_D : 0) | (access & HANDOFF_EXECUTE ? 0 : PTE_NX) |
           (access & HANDOFF_UNCACHED ? PTE_PCD | PTE_PWT : 0);
}

static bool root_build(const struct handoff *h, struct page_root *root)
{
    const struct handoff_runtime *r = phys_to_virt(h->runtime.base);

    if (root_create(root, host_frames) != PITH_OK)
        return false;
    root_share_host(root);
    for (u32 i = 0; i < h->runtime.count; i++, r++)
        if (!root_map(root, host_frames, r->base, r->base, r->size, flags_of(r->access)))
            return false;
    return true;
}

void firmware_reset(const struct handoff *h, enum efi_reset type)
{
    struct page_root root;

    if (!h->efi_reset || !h->runtime.count) {
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
