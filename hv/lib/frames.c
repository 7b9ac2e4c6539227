/* SPDX-License-Identifier: MIT */
/* Page frames, first fit over a bitmap. No frame below the hint is free, so that searches need not start at 0. */
#include "hv/lib/frames.h"

#include "hv/lib/bitmap.h"
#include "hv/lib/panic.h"

void frames_init(struct frame_pool *p, hpa_t base, u64 nr_frames, u64 *bitmap)
{
    ASSERT(!(base & PAGE_MASK));
    *p = (struct frame_pool){ .base = base, .nr_total = nr_frames, .nr_free = nr_frames, .bitmap = bitmap };
    bitmap_fill(bitmap, 0, ALIGN_UP(nr_frames, 64ull), false);
    if (!base && nr_frames) { /* 0 means failure to whoever asks for a frame */
        bitmap_fill(bitmap, 0, 1, true);
        p->nr_free--;
    }
}

/* Index of the first run that fits, or nr_total. */
static u64 find_run(const struct frame_pool *p, u64 n, u64 align_pages)
{
    u64 base = p->base >> PAGE_SHIFT, i = p->hint, used;

    for (;;) {
        i = bitmap_find(p->bitmap, i, p->nr_total, false);
        i = ALIGN_UP(base + i, align_pages) - base;
        if (i >= p->nr_total || n > p->nr_total - i)
            return p->nr_total;
        used = bitmap_find(p->bitmap, i, i + n, true);
        if (used == i + n)
            return i;
        i = used + 1;
    }
}

hpa_t frames_alloc(struct frame_pool *p, u64 n, u64 align_pages)
{
    u64 i;

    ASSERT(n && align_pages && !(align_pages & (align_pages - 1)));
    spin_lock(&p->lock);
    i = find_run(p, n, align_pages);
    if (i == p->nr_total) {
        spin_unlock(&p->lock);
        return 0;
    }

    bitmap_fill(p->bitmap, i, i + n, true);
    p->nr_free -= n;
    p->hint = bitmap_find(p->bitmap, p->hint, p->nr_total, false);
    spin_unlock(&p->lock);
    return p->base + (i << PAGE_SHIFT);
}

u64 frames_count(struct frame_pool *p)
{
    u64 used = 0, end;

    spin_lock(&p->lock);
    for (u64 i = 0; i < p->nr_total; i = end) { /* run by run */
        i = bitmap_find(p->bitmap, i, p->nr_total, true);
        end = bitmap_find(p->bitmap, i, p->nr_total, false);
        used += end - i;
    }
    spin_unlock(&p->lock);
    return used;
}

void frames_free(struct frame_pool *p, hpa_t first, u64 n)
{
    u64 i = (first - p->base) >> PAGE_SHIFT;

    if (!first || first < p->base || (first & PAGE_MASK) || i >= p->nr_total || n > p->nr_total - i)
        panic("frames: %llu frames at 0x%llx are not of this pool", (unsigned long long)n, (unsigned long long)first);

    spin_lock(&p->lock);
    if (bitmap_find(p->bitmap, i, i + n, false) != i + n)
        panic("frames: 0x%llx (%llu) freed twice", (unsigned long long)first, (unsigned long long)n);
    bitmap_fill(p->bitmap, i, i + n, false);
    p->nr_free += n;
    p->hint = MIN(p->hint, i);
    spin_unlock(&p->lock);
}
