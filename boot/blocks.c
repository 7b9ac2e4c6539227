/* SPDX-License-Identifier: MIT */
/*
 * Memory that the loader takes from the firmware: all of it is known, so it can be handed over, or
 * given back.
 */
#include "boot/loader.h"

#include "hv/lib/string.h"

struct block {
    u64 base, pages;
    enum handoff_kind kind;
};

static struct block blocks[BLOCKS_MAX];
static u32 nr_blocks;

static u64 pages_of(u64 size)
{
    return (size + PAGE_MASK) >> PAGE_SHIFT;
}

static u64 allocate(const char *what, u64 pages, u64 limit, EFI_MEMORY_TYPE type)
{
    EFI_ALLOCATE_TYPE how = limit == ANYWHERE ? AllocateAnyPages : AllocateMaxAddress;
    EFI_PHYSICAL_ADDRESS base = limit;

    if (nr_blocks == BLOCKS_MAX)
        boot_fail("too many pieces of memory are in use - name fewer files in pith.conf");
    if (EFI_ERROR(fw.bs->AllocatePages(how, type, pages, &base)))
        boot_fail("there is no room for %s (%lu KiB) in memory - make it smaller or add memory",
                  what, pages << (PAGE_SHIFT - 10));
    return base;
}

static void *keep(u64 base, u64 pages, enum handoff_kind kind)
{
    blocks[nr_blocks++] = (struct block){ base, pages, kind };
    memset((void *)base, 0, pages << PAGE_SHIFT);
    return (void *)base;
}

void *block_take(const char *what, u64 size, u64 limit, enum handoff_kind kind)
{
    u64 pages = pages_of(size);

    return keep(allocate(what, pages, limit, EfiLoaderData), pages, kind);
}

/*
 * The firmware gives any page: take enough to find an aligned start inside, and return what is left
 * over.
 */
void *block_take_image(u64 size)
{
    u64 pages = pages_of(size), slack = pages_of(MIB(2)) - 1;
    u64 got = allocate("the hypervisor", pages + slack, BELOW_4G, EfiLoaderCode);
    u64 base = ALIGN_UP(got, MIB(2));
    u64 before = (base - got) >> PAGE_SHIFT;

    if (before)
        fw.bs->FreePages(got, before);
    if (slack - before)
        fw.bs->FreePages(base + (pages << PAGE_SHIFT), slack - before);
    return keep(base, pages, HANDOFF_HV_IMAGE);
}

u32 blocks_ranges(struct handoff_range *out)
{
    u32 n = 0;

    for (u32 i = 0; i < nr_blocks; i++) {
        const struct block *b = &blocks[i];

        if (b->kind != HANDOFF_FREE)
            out[n++] = (struct handoff_range){ .base = b->base,
                                               .size = b->pages << PAGE_SHIFT,
                                               .kind = b->kind };
    }
    return n;
}

void blocks_release(void)
{
    while (nr_blocks) {
        nr_blocks--;
        fw.bs->FreePages(blocks[nr_blocks].base, blocks[nr_blocks].pages);
    }
}
