/* SPDX-License-Identifier: MIT */
/* Memory maps that no firmware here makes by itself: the real one, taken apart and told in another way. */
#include "tests/boot/shim/shim.h"

#define ENTRIES    8192u
#define RESERVED   0u
#define MMIO_FAR   0x700000000000ull /* below what 48 bits address, above what there is */
#define PIECE_AT   0x10000000ull     /* the piece of RAM that is something else */
#define PIECE_MARK 0x5a5ac3c3f00d0badull
#define EXTRA      8u
#define STRIDE_MAX 256u

static EFI_MEMORY_DESCRIPTOR entries[ENTRIES], extra[EXTRA];
static u32 nr, nr_extra, calls;
static struct {
    u64 stride, pieces, hole, grows, changes, change_by, runtime;
    bool reversed, overlaps, empty, low, refuses;
    u64 piece_type, piece_pages, piece_attribute;
} how = { .stride = 48 };

static void add(u64 type, u64 base, u64 pages, u64 attribute)
{
    if (nr < ENTRIES)
        entries[nr++] = (EFI_MEMORY_DESCRIPTOR){
            .Type = (UINT32)type, .PhysicalStart = base, .NumberOfPages = pages, .Attribute = attribute
        };
}

/* Of @d that is in [from, to). */
static void add_part(const EFI_MEMORY_DESCRIPTOR *d, u64 from, u64 to, u64 type, u64 attribute)
{
    u64 base = MAX(d->PhysicalStart, from), end = MIN(d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT), to);

    if (end > base)
        add(type, base, (end - base) >> PAGE_SHIFT, attribute);
}

static void add_free(const EFI_MEMORY_DESCRIPTOR *d)
{
    u64 end = d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT), piece = how.pieces << PAGE_SHIFT, runtime = how.runtime;
    u32 n = 0;

    for (u64 at = d->PhysicalStart; at < end; at += piece, n++) {
        u64 to = MIN(at + piece, end), hole = MIN(how.hole << PAGE_SHIFT, to - at);
        u64 type = n % 2 && !how.hole ? EfiBootServicesData : EfiConventionalMemory;

        add_part(d, at, to - hole, type, d->Attribute);
        if (runtime && hole) {
            add_part(d, to - hole, to, EfiRuntimeServicesData, d->Attribute | EFI_MEMORY_RUNTIME);
            runtime--;
        } else {
            add_part(d, to - hole, to, RESERVED, 0);
        }
    }
}

static void add_piece(const EFI_MEMORY_DESCRIPTOR *d)
{
    u64 end = PIECE_AT + (how.piece_pages << PAGE_SHIFT);

    add_part(d, 0, PIECE_AT, d->Type, d->Attribute);
    add_part(d, PIECE_AT, end, how.piece_type, d->Attribute | how.piece_attribute);
    add_part(d, end, ~0ull, d->Type, d->Attribute);
}

static void add_told(const EFI_MEMORY_DESCRIPTOR *d)
{
    if (how.empty) {
        add(EfiConventionalMemory, d->PhysicalStart, 0, d->Attribute);
        add(RESERVED, d->PhysicalStart, 0, 0);
    }
    if (how.low && d->PhysicalStart < MIB(1)) {
        add_part(d, 0, MIB(1), RESERVED, 0);
        add_part(d, MIB(1), ~0ull, d->Type, d->Attribute);
    } else if (d->Type == EfiConventionalMemory && how.pieces) {
        add_free(d);
    } else if (d->Type == EfiConventionalMemory && how.piece_pages) {
        add_piece(d);
    } else {
        add(d->Type, d->PhysicalStart, d->NumberOfPages, d->Attribute);
    }
    if (how.overlaps && d->Type == EfiConventionalMemory && d->NumberOfPages > 4096) {
        add(EfiConventionalMemory, d->PhysicalStart, d->NumberOfPages, d->Attribute);
        add(RESERVED, d->PhysicalStart + MIB(4), 16, 0);
        add(EfiBootServicesData, d->PhysicalStart + MIB(3), 4 * 256, d->Attribute);
    }
}

static void reverse(void)
{
    for (u32 i = 0; i < nr / 2; i++) {
        EFI_MEMORY_DESCRIPTOR d = entries[i];

        entries[i] = entries[nr - 1 - i];
        entries[nr - 1 - i] = d;
    }
}

static void retell(const u8 *map, UINTN size, UINTN stride)
{
    nr = 0;
    for (UINTN at = 0; at + stride <= size; at += stride)
        add_told((const EFI_MEMORY_DESCRIPTOR *)(map + at));
    for (u32 i = 0; i < nr_extra; i++)
        add(extra[i].Type, extra[i].PhysicalStart, extra[i].NumberOfPages, extra[i].Attribute);
    if (how.empty)
        add(RESERVED, 0xfffffffffffff000, ~0ull, 0);
    for (u64 i = 0; i < how.grows * calls; i++)
        add(RESERVED, MMIO_FAR + 2 * i * PAGE_SIZE, 1, 0);
    if (how.reversed)
        reverse();
}

static EFI_STATUS EFIAPI get_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *out, UINTN *key, UINTN *stride, UINT32 *version)
{
    static u8 map[65536];
    UINTN real_size = sizeof(map), real_stride, room = *size;
    EFI_STATUS status;

    if (how.refuses)
        return EFI_UNSUPPORTED;
    status = real.GetMemoryMap(&real_size, (void *)map, key, &real_stride, version);
    if (EFI_ERROR(status))
        return status;
    calls++;
    retell(map, real_size, real_stride);
    *stride = how.stride;
    *size = nr * how.stride;
    if (*size > room || !out)
        return EFI_BUFFER_TOO_SMALL;
    for (u32 i = 0; i < nr; i++) {
        SetMem((u8 *)out + i * how.stride, how.stride, 0xff);
        CopyMem((u8 *)out + i * how.stride, &entries[i], MIN(how.stride, sizeof(entries[i])));
    }
    return EFI_SUCCESS;
}

/* The map changes under the key: pages of two types, one beside the other, make an entry each. */
static void change(void)
{
    for (u64 i = 0; i <= how.change_by; i++) {
        EFI_PHYSICAL_ADDRESS at;

        (void)real.AllocatePages(AllocateAnyPages, i % 2 ? EfiLoaderCode : EfiBootServicesData, 1, &at);
    }
}

static EFI_STATUS EFIAPI exit_services(EFI_HANDLE image, UINTN key)
{
    EFI_STATUS status;

    if (how.changes) {
        how.changes--;
        change();
    }
    status = real.ExitBootServices(image, key);
    if (!EFI_ERROR(status))
        cpu_finish();
    return status;
}

void map_hook(void)
{
    bs->GetMemoryMap = get_map;
    bs->ExitBootServices = exit_services;
}

static void w_stride(const u64 *a) { how.stride = MIN(a[0], STRIDE_MAX); }
static void w_pieces(const u64 *a) { how.pieces = a[0]; how.hole = a[1]; how.runtime = a[2]; }
static void w_reversed(const u64 *a) { (void)a; how.reversed = true; }
static void w_overlaps(const u64 *a) { (void)a; how.overlaps = true; }
static void w_empty(const u64 *a) { (void)a; how.empty = true; }
static void w_low(const u64 *a) { (void)a; how.low = true; }
static void w_grows(const u64 *a) { how.grows = a[0]; }
static void w_changes(const u64 *a) { how.changes = a[0]; how.change_by = a[1]; }
static void w_no_map(const u64 *a) { (void)a; how.refuses = true; }

/* MiB of RAM at PIECE_AT are of this type; what was written to both ends must still be there when all is over. */
static void w_piece(const u64 *a)
{
    how.piece_pages = a[0] << 8;
    how.piece_type = a[1];
    how.piece_attribute = a[2];
    *(volatile u64 *)PIECE_AT = PIECE_MARK;
    *(volatile u64 *)(PIECE_AT + (how.piece_pages << PAGE_SHIFT) - 8) = PIECE_MARK;
}

/* base, bytes, type */
static void w_range(const u64 *a)
{
    if (nr_extra < EXTRA)
        extra[nr_extra++] = (EFI_MEMORY_DESCRIPTOR){ .Type = (UINT32)a[2], .PhysicalStart = a[0], .NumberOfPages = a[1] >> PAGE_SHIFT,
                                                     .Attribute = EFI_MEMORY_WB };
}

const struct shim_word map_words[] = {
    { "stride", w_stride },     { "pieces", w_pieces }, { "reversed", w_reversed }, { "overlaps", w_overlaps }, { "empty", w_empty },
    { "low", w_low },           { "grows", w_grows },   { "changes", w_changes },   { "no-map", w_no_map },     { "piece", w_piece },
    { "range", w_range },       { NULL, NULL },
};
