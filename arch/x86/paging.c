/* SPDX-License-Identifier: MIT */
/* The hypervisor's page tables: W^X, largest pages that fit, direct map only of what was asked for. */
#include "arch/x86/paging.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/image.h"
#include "arch/x86/slots.h"
#include "hv/lib/panic.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"

#define PML4_INDEX(va)  ((va) >> 39 & 511)
#define LEVEL_SIZE(lvl) (PAGE_SIZE << (9 * ((lvl) - 1))) /* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
#define PML4_HOST_FIRST 256u                             /* the upper half is the hypervisor's */

struct page_root host_root;
hpa_t image_hpa;
struct frame_pool *host_frames;

static struct spinlock host_lock;

static unsigned largest_level(void)
{
    u32 a, b, c, d;

    cpuid(0x80000001, 0, &a, &b, &c, &d);
    return d & BIT(26) ? 3 : 2;
}

static hpa_t table_alloc(struct frame_pool *pool)
{
    hpa_t hpa = frames_alloc(pool, 1, 1);

    if (hpa)
        memset(phys_to_virt(hpa), 0, PAGE_SIZE);
    return hpa;
}

enum pith_status root_create(struct page_root *root, struct frame_pool *pool)
{
    hpa_t pml4 = table_alloc(pool);
    hpa_t pml5 = read_cr4() & CR4_LA57 ? table_alloc(pool) : pml4;

    if (!pml4 || !pml5)
        return PITH_E_MEM;
    root->pml4 = phys_to_virt(pml4);
    root->hpa = pml5;
    if (pml5 != pml4) { /* both halves of the 48-bit space, sign-extended to 57 bits, use one PML4 */
        u64 *top = phys_to_virt(pml5);

        top[0] = top[511] = pml4 | PTE_TABLE;
    }
    return PITH_OK;
}

/* Puts a table that maps the same below a large page (or nothing at all) into *entry. */
static bool entry_split(struct frame_pool *pool, u64 *entry, unsigned level)
{
    hpa_t hpa = table_alloc(pool);
    u64 *table = phys_to_virt(hpa);

    if (!hpa)
        return false;
    if (*entry & PTE_P)
        for (u64 i = 0; i < 512; i++)
            table[i] = (*entry + i * LEVEL_SIZE(level - 1)) & ~(level == 2 ? PTE_PS : 0);
    *entry = hpa | PTE_TABLE;
    return true;
}

/* The entry for @va at *level, or below it where the range there already has a table. */
static u64 *entry_get(const struct page_root *root, struct frame_pool *pool, u64 va, unsigned *level)
{
    u64 *entry = &root->pml4[PML4_INDEX(va)];

    for (unsigned at = 4; at > 1; at--) {
        bool table = (*entry & PTE_P) && !(*entry & PTE_PS);

        if (at <= *level && !table) {
            *level = at;
            return entry;
        }
        if (!table && !entry_split(pool, entry, at))
            return NULL;
        entry = (u64 *)phys_to_virt(*entry & PTE_ADDR) + (va >> (12 + 9 * (at - 2)) & 511);
    }
    *level = 1;
    return entry;
}

static unsigned fitting_level(u64 va, hpa_t hpa, u64 size)
{
    unsigned level = largest_level();

    while (level > 1 && (((va | hpa) & (LEVEL_SIZE(level) - 1)) || size < LEVEL_SIZE(level)))
        level--;
    return level;
}

bool root_map(const struct page_root *root, struct frame_pool *pool, u64 va, hpa_t hpa, u64 size, u64 flags)
{
    while (size) {
        unsigned level = fitting_level(va, hpa, size);
        u64 *entry = entry_get(root, pool, va, &level);

        if (!entry)
            return false;
        *entry = flags ? hpa | flags | (level > 1 ? PTE_PS : 0) : 0;
        invlpg((const void *)va);
        va += LEVEL_SIZE(level);
        hpa += LEVEL_SIZE(level);
        size -= LEVEL_SIZE(level);
    }
    return true;
}

hpa_t virt_to_phys(const void *va)
{
    u64 a = (u64)va;

    if (a >= HOST_IMAGE_BASE && a < (u64)image_end)
        return a - HOST_IMAGE_BASE + image_hpa;
    ASSERT(a >= HOST_DIRECT_BASE && a < HOST_DIRECT_BASE + HOST_DIRECT_SIZE);
    return a - HOST_DIRECT_BASE;
}

/* The address space beyond what the processor can address must not be asked for: such entries fault when used. */
static bool addressable(hpa_t first, hpa_t end)
{
    u32 a, b, c, d;

    cpuid(0x80000008, 0, &a, &b, &c, &d);
    return first < end && end <= BIT(a & 0xff);
}

static bool map_direct(hpa_t hpa, u64 size, u64 flags)
{
    hpa_t first = ALIGN_DOWN(hpa, PAGE_SIZE);
    hpa_t end = ALIGN_UP(hpa + size, PAGE_SIZE);
    bool ok = false;

    spin_lock(&host_lock);
    if (addressable(first, end) && end <= HOST_DIRECT_SIZE)
        ok = root_map(&host_root, host_frames, HOST_DIRECT_BASE + first, first, end - first, flags);
    spin_unlock(&host_lock);
    return ok;
}

/*
 * Device memory beyond the direct map, which 64-bit BARs of large machines are: wherever there is room next. Nothing maps any
 * twice, or takes it away.
 */
static void *map_far(hpa_t hpa, u64 size, u64 flags)
{
    static u64 used;
    hpa_t first = ALIGN_DOWN(hpa, PAGE_SIZE), end = ALIGN_UP(hpa + size, PAGE_SIZE);
    u64 va;
    bool ok;

    spin_lock(&host_lock);
    va = HOST_FAR_BASE + used;
    ok = addressable(first, end) && end - first <= HOST_FAR_SIZE - used &&
         root_map(&host_root, host_frames, va, first, end - first, flags);
    used += ok ? end - first : 0;
    spin_unlock(&host_lock);
    return ok ? (void *)(va + (hpa - first)) : NULL;
}

void *host_map(hpa_t hpa, u64 size, enum host_map_type type)
{
    static const u64 flags[] = { /* memory types by HOST_PAT: entry 1 is WC, entry 3 UC */
        [HOST_RO] = PTE_CONST,
        [HOST_RW] = PTE_DATA,
        [HOST_UC] = PTE_DATA | PTE_PWT | PTE_PCD,
        [HOST_WC] = PTE_DATA | PTE_PWT,
    };

    if (hpa >= HOST_DIRECT_SIZE)
        return map_far(hpa, size, flags[type]);
    return map_direct(hpa, size, flags[type]) ? phys_to_virt(hpa) : NULL;
}

/* One part of the image: where it runs with @flags, and in the direct map never executable, nor writable if it is not here. */
static bool map_image(const char *start, const char *end, u64 flags)
{
    u64 size = (u64)(end - start);
    hpa_t hpa = virt_to_phys(start);

    return root_map(&host_root, host_frames, (u64)start, hpa, size, flags) &&
           map_direct(hpa, size, flags | PTE_NX);
}

static bool map_handoff(const struct handoff *h)
{
    const u8 *at = phys_to_virt(h->ranges.base);
    u64 screen = (u64)h->fb.pitch * h->fb.height;

    /* Where entry.S's tables reach, it is drawn on already. */
    if (screen && h->fb.base < HOST_EARLY_END && screen <= HOST_EARLY_END - h->fb.base && !host_map(h->fb.base, screen, HOST_WC))
        return false;
    if (h->serial.bits && h->serial.space == HANDOFF_MEMORY && !host_map(h->serial.base, 8u * h->serial.stride, HOST_UC))
        return false;
    for (u32 i = 0; i < h->ranges.count; i++, at += h->ranges.stride) {
        const struct handoff_range *r = (const void *)at;

        if (r->kind == HANDOFF_HV_IMAGE && !map_direct(r->base, r->size, PTE_DATA))
            return false;
    }
    return true;
}

/* With the image's, these are all tables the upper half will ever have below its root, so that other roots can share them. */
static bool fill_top(void)
{
    for (u32 i = PML4_HOST_FIRST; i < PML4_INDEX(HOST_FAR_BASE + HOST_FAR_SIZE); i++)
        if (!entry_split(host_frames, &host_root.pml4[i], 4))
            return false;
    host_root.pml4[PML4_INDEX(HOST_CORES_BASE)] = virt_to_phys(slots_pdpt) | PTE_TABLE;
    return true;
}

void root_share_host(struct page_root *root)
{
    for (u32 i = PML4_HOST_FIRST; i < 512; i++)
        root->pml4[i] = host_root.pml4[i];
}

enum pith_status paging_init(const struct handoff *h, struct frame_pool *pool)
{
    host_frames = pool;
    if (root_create(&host_root, pool) != PITH_OK || !fill_top() ||
        !map_direct(pool->base, pool->nr_total * PAGE_SIZE, PTE_DATA) ||
        !map_direct(virt_to_phys(pool->bitmap), (pool->nr_total + 63) / 64 * 8, PTE_DATA) || !map_handoff(h) ||
        !map_image(image_text_start, image_text_end, PTE_CODE) ||
        !map_image(image_rodata_start, image_rodata_end, PTE_CONST) ||
        !map_image(image_data_start, image_data_end, PTE_DATA))
        return PITH_E_MEM;
    write_cr3(host_root.hpa);
    return PITH_OK;
}
