/* SPDX-License-Identifier: MIT */
/* Free memory as a sorted array of extents; given out and taken back by core 0. */
#include "hv/ram.h"

#include "hv/lib/log.h"
#include "hv/lib/types.h"
#include "arch/x86/host.h"

#define RAM_EXTENTS 1024u

struct ram_extent { hpa_t base; u64 size; };

static struct ram_extent extents[RAM_EXTENTS];
static u32 nr_extents;
static u64 free_bytes, total_bytes;

static void insert_at(u32 i, hpa_t base, u64 size)
{
    for (u32 k = nr_extents; k > i; k--)
        extents[k] = extents[k - 1];
    extents[i] = (struct ram_extent){ base, size };
    nr_extents++;
}

static void remove_at(u32 i)
{
    nr_extents--;
    for (u32 k = i; k < nr_extents; k++)
        extents[k] = extents[k + 1];
}

void ram_init(const struct handoff *h)
{
    const u8 *at = phys_to_virt(h->ranges.base);
    u64 lost = 0;

    for (u32 i = 0; i < h->ranges.count; i++, at += h->ranges.stride) {
        const struct handoff_range *r = (const void *)at;
        hpa_t base = MAX(r->base, MIB(1));
        hpa_t end = r->base + r->size;

        if (r->kind != HANDOFF_FREE || end <= base)
            continue;
        if (nr_extents == RAM_EXTENTS) {
            lost += end - base;
            continue;
        }
        insert_at(nr_extents, base, end - base);
        free_bytes += end - base;
    }
    total_bytes = free_bytes;
    if (lost)
        log_warn("memory map has more than %u free pieces: %lu KiB stay unused", RAM_EXTENTS, lost >> 10);
}

/* Cuts [base, base + size) out of extent i. */
static void cut(u32 i, hpa_t base, u64 size)
{
    struct ram_extent e = extents[i];
    u64 before = base - e.base;
    u64 after = e.base + e.size - (base + size);

    free_bytes -= size;
    if (before && after && nr_extents < RAM_EXTENTS) {
        extents[i].size = before;
        insert_at(i + 1, base + size, after);
    } else if (before) {
        extents[i].size = before;
        free_bytes -= after; /* lost for good: so many pieces that it does not matter */
        total_bytes -= after;
    } else if (after) {
        extents[i] = (struct ram_extent){ base + size, after };
    } else {
        remove_at(i);
    }
}

hpa_t ram_take(u64 size, u64 align, hpa_t limit)
{
    hpa_t found = 0;

    for (u32 i = nr_extents; i-- > 0 && !found;) {
        hpa_t end = MIN(extents[i].base + extents[i].size, limit);
        hpa_t base;

        if (end < size)
            continue;
        base = ALIGN_DOWN(end - size, align);
        if (base >= extents[i].base && base + size <= end) {
            cut(i, base, size);
            found = base;
        }
    }
    return found;
}

/* The 2 MiB pieces of extent i, in bytes. */
static u64 pieces(u32 i, hpa_t *first)
{
    hpa_t end = ALIGN_DOWN(extents[i].base + extents[i].size, MIB(2));

    *first = ALIGN_UP(extents[i].base, MIB(2));
    return end > *first ? end - *first : 0;
}

/* The extent with most of these; none at all: *size is 0. */
static u32 largest(hpa_t *first, u64 *size)
{
    u32 best = 0;

    *first = *size = 0;
    for (u32 i = 0; i < nr_extents; i++) {
        hpa_t at;
        u64 n = pieces(i, &at);

        if (n > *size) {
            *size = n;
            *first = at;
            best = i;
        }
    }
    return best;
}

hpa_t ram_take_most(u64 size, u64 *got)
{
    hpa_t first, base;
    u64 most;
    u32 i = largest(&first, &most);

    *got = MIN(most, ALIGN_UP(size, MIB(2)));
    base = first + most - *got;
    if (*got)
        cut(i, base, *got);
    return base;
}

hpa_t ram_take_piece(hpa_t best)
{
    hpa_t first;
    u64 size;
    u32 i;

    for (i = 0; i < nr_extents; i++) {
        size = pieces(i, &first);
        if (best - first < size) {
            cut(i, best, MIB(2));
            return best;
        }
    }
    i = largest(&first, &size);
    if (size)
        cut(i, first, MIB(2));
    return first;
}

void ram_give(hpa_t base, u64 size)
{
    u32 i = 0;

    while (i < nr_extents && extents[i].base < base)
        i++;
    free_bytes += size;
    if (i && extents[i - 1].base + extents[i - 1].size == base) {
        extents[--i].size += size;
    } else if (nr_extents < RAM_EXTENTS) {
        insert_at(i, base, size);
    } else {
        free_bytes -= size; /* as in cut() */
        total_bytes -= size;
        return;
    }
    if (i + 1 < nr_extents && extents[i].base + extents[i].size == extents[i + 1].base) {
        extents[i].size += extents[i + 1].size;
        remove_at(i + 1);
    }
}

u64 ram_free_bytes(void)
{
    return free_bytes;
}

u64 ram_free_pieces(void)
{
    u64 bytes = 0;
    hpa_t first;

    for (u32 i = 0; i < nr_extents; i++)
        bytes += pieces(i, &first);
    return bytes;
}

u64 ram_total_bytes(void)
{
    return total_bytes;
}

u64 ram_count(void)
{
    u64 bytes = 0;

    for (u32 i = 0; i < nr_extents; i++)
        bytes += extents[i].size;
    return bytes;
}
