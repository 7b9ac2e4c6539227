/* SPDX-License-Identifier: MIT */
/*
 * Memory ranges: clean each, sort, then walk the addresses upwards and ask which kind rules there.
 */
#include "boot/ranges.h"

/* How restrictive a kind is; what is unknown counts as reserved. */
static u32 kind_rank(u32 kind)
{
    switch (kind) {
    case HANDOFF_FREE:
        return 0;
    case HANDOFF_MODULE:
        return 1;
    case HANDOFF_HV_IMAGE:
        return 2;
    case HANDOFF_ACPI:
        return 3;
    case HANDOFF_EFI_RUNTIME:
        return 4;
    default:
        return 5;
    }
}

/*
 * Free memory shrinks to whole pages, everything else grows; what leaves the 64-bit space is cut
 * off.
 */
static void range_align(struct handoff_range *r)
{
    u64 last = r->base + r->size < r->base ? ~0ull : r->base + r->size;
    u64 first = r->base;

    if (r->size == 0) {
        last = first;
    } else if (r->kind == HANDOFF_FREE) {
        last &= ~PAGE_MASK;
        first = first > ~PAGE_MASK ? last : ALIGN_UP(first, PAGE_SIZE);
    } else {
        first &= ~PAGE_MASK;
        last = last > ~PAGE_MASK ? ~PAGE_MASK : ALIGN_UP(last, PAGE_SIZE);
    }
    r->base = first;
    r->size = last > first ? last - first : 0;
}

static u32 drop_empty(struct handoff_range *r, u32 n)
{
    u32 kept = 0;

    for (u32 i = 0; i < n; i++) {
        range_align(&r[i]);
        if (r[i].size)
            r[kept++] = r[i];
    }
    return kept;
}

/* By insertion: firmware maps come sorted or nearly so. */
static void sort_by_base(struct handoff_range *r, u32 n)
{
    for (u32 i = 1; i < n; i++) {
        struct handoff_range moving = r[i];
        u32 k = i;

        for (; k > 0 && r[k - 1].base > moving.base; k--)
            r[k] = r[k - 1];
        r[k] = moving;
    }
}

static u64 range_end(const struct handoff_range *r)
{
    return r->base + r->size;
}

/* Appends [base, end), or lengthens the last range when it is of the same kind and ends there. */
static u32 append(struct handoff_range *out, u32 n, u64 base, u64 end, u32 kind)
{
    if (n && out[n - 1].kind == kind && range_end(&out[n - 1]) == base) {
        out[n - 1].size += end - base;
        return n;
    }
    out[n] = (struct handoff_range){ .base = base, .size = end - base, .kind = kind };
    return n + 1;
}

/*
 * What rules at @at: the most restrictive of r[first..n) that cover it. *end becomes the next
 * address where the answer may change. Returns 0 when nothing covers it.
 */
static u32 kind_at(const struct handoff_range *r, u32 first, u32 n, u64 at, u64 *end)
{
    u32 kind = 0;

    *end = ~0ull;
    for (u32 i = first; i < n; i++) {
        if (r[i].base > at) {
            *end = MIN(*end, r[i].base);
            break;
        }
        if (range_end(&r[i]) <= at)
            continue;
        *end = MIN(*end, range_end(&r[i]));
        if (!kind || kind_rank(r[i].kind) > kind_rank(kind))
            kind = r[i].kind;
    }
    return kind;
}

u32 ranges_tidy(struct handoff_range *in, u32 n, struct handoff_range *out)
{
    u32 first = 0, nr_out = 0;
    u64 at = 0, end;

    n = drop_empty(in, n);
    sort_by_base(in, n);
    while (first < n) {
        u32 kind = kind_at(in, first, n, at, &end);

        if (kind)
            nr_out = append(out, nr_out, at, end, kind);
        at = end;
        while (first < n && range_end(&in[first]) <= at)
            first++;
    }
    return nr_out;
}
