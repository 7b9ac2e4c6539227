/* SPDX-License-Identifier: MIT */
/* ELF guests: header, notes and segments. System V ABI, Object Files; ELF-64 Object File Format. Nothing in the file is trusted. */
#include "boot/image/parts.h"

#include "hv/lib/string.h"

#define ELFCLASS32 1u
#define ELFCLASS64 2u
#define ELFDATA2LSB 1u
#define ET_EXEC    2u
#define EM_386     3u
#define EM_X86_64  62u
#define PT_LOAD    1u
#define PT_NOTE    4u
#define PHNUM_MAX  64u

#define NOTE_PITH_VERSION       1u  /* owner "Pith": u32 version of the start structure */
#define XEN_ELFNOTE_PHYS32_ENTRY 18u /* owner "Xen": u32 or u64 physical address */

struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF-64 file header");

struct elf32_header {
    u8 ident[16];
    u16 type, machine;
    u32 version, entry, phoff, shoff, flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf32_header) == 52, "ELF-32 file header");

struct elf_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF-64 program header");

struct elf32_segment { u32 type, offset, vaddr, paddr, filesz, memsz, flags, align; };
_Static_assert(sizeof(struct elf32_segment) == 32, "ELF-32 program header");

struct elf_note { u32 namesz, descsz, type; };

bool image_is_elf(const struct image_file *file)
{
    return file->size >= 4 && memcmp(file->data, "\177ELF", 4) == 0;
}

static u64 segment_size(bool is32)
{
    return is32 ? sizeof(struct elf32_segment) : sizeof(struct elf_segment);
}

/* Both kinds come out as ELF-64. */
static bool read_header(const struct image_file *file, struct elf_header *h)
{
    struct elf32_header h32;

    if (file->size < sizeof(h32))
        return false;
    memcpy(&h32, file->data, sizeof(h32));
    if (h32.ident[4] != ELFCLASS32) {
        if (file->size >= sizeof(*h))
            memcpy(h, file->data, sizeof(*h));
        return file->size >= sizeof(*h);
    }
    *h = (struct elf_header){
        .type = h32.type, .machine = h32.machine, .entry = h32.entry, .phoff = h32.phoff,
        .phentsize = h32.phentsize, .phnum = h32.phnum,
    };
    memcpy(h->ident, h32.ident, sizeof(h->ident));
    return true;
}

static const char *header_wrong(const struct elf_header *h, u64 size)
{
    bool is32 = h->ident[4] == ELFCLASS32;

    if ((!is32 && h->ident[4] != ELFCLASS64) || h->ident[5] != ELFDATA2LSB || h->machine != (is32 ? EM_386 : EM_X86_64))
        return "the image is an ELF for another processor - build it for x86";
    if (h->type != ET_EXEC)
        return "the image is not an executable at fixed addresses - link it with -static -no-pie";
    if (h->phentsize != segment_size(is32) || h->phnum == 0 || h->phnum > PHNUM_MAX)
        return "the image's program headers are damaged or too many (64) - link it again";
    if (h->phoff > size || h->phnum * segment_size(is32) > size - h->phoff)
        return "the image is truncated: its program headers are missing - copy the file again";
    return NULL;
}

/* False: the segment claims bytes that the file does not have. */
static bool read_segment(const struct image_elf *elf, u32 i, struct elf_segment *seg)
{
    const u8 *at = elf->data + elf->phoff + i * segment_size(elf->is32);
    struct elf32_segment s;

    if (!elf->is32) {
        memcpy(seg, at, sizeof(*seg));
    } else {
        memcpy(&s, at, sizeof(s));
        *seg = (struct elf_segment){ s.type, s.flags, s.offset, s.vaddr, s.paddr, s.filesz, s.memsz, s.align };
    }
    return seg->offset <= elf->size && seg->filesz <= elf->size - seg->offset;
}

static void on_note(struct image_elf *elf, const struct elf_note *note, const u8 *name, const u8 *desc)
{
    if (note->namesz == 5 && memcmp(name, "Pith", 5) == 0 && note->type == NOTE_PITH_VERSION &&
        note->descsz >= 4) {
        elf->has_pith = true;
        memcpy(&elf->pith_version, desc, sizeof(elf->pith_version));
    }
    if (note->namesz == 4 && memcmp(name, "Xen", 4) == 0 && note->type == XEN_ELFNOTE_PHYS32_ENTRY &&
        (note->descsz == 4 || note->descsz == 8)) {
        elf->has_pvh = true;
        elf->pvh_entry = 0;
        memcpy(&elf->pvh_entry, desc, note->descsz);
    }
}

static void scan_notes(struct image_elf *elf, const struct elf_segment *seg)
{
    u64 align = seg->align == 8 ? 8 : 4;
    const u8 *p = elf->data + seg->offset;
    u64 left = seg->filesz;
    struct elf_note note;

    while (left >= sizeof(note)) {
        u64 desc_at, next;

        memcpy(&note, p, sizeof(note));
        desc_at = ALIGN_UP(sizeof(note) + (u64)note.namesz, align);
        next = ALIGN_UP(desc_at + note.descsz, align);
        if (desc_at > left || note.descsz > left - desc_at)
            return;
        on_note(elf, &note, p + sizeof(note), p + desc_at);
        if (next > left)
            return;
        p += next;
        left -= next;
    }
}

static enum pith_status open_elf(struct image_job *job, struct image_elf *elf)
{
    const struct image_file *file = &job->rq->image;
    struct elf_header h;
    const char *wrong;

    if (!read_header(file, &h))
        return image_fail(job, PITH_E_ARG, "the image is truncated: less than an ELF header - copy the file again");
    wrong = header_wrong(&h, file->size);
    if (wrong)
        return image_fail(job, PITH_E_ARG, wrong);

    *elf = (struct image_elf){
        .data = file->data, .size = file->size, .entry = h.entry, .phoff = h.phoff, .phnum = h.phnum,
        .is32 = h.ident[4] == ELFCLASS32,
    };
    for (u32 i = 0; i < elf->phnum; i++) {
        struct elf_segment seg;

        if (!read_segment(elf, i, &seg) && (seg.type == PT_LOAD || seg.type == PT_NOTE))
            return image_fail(job, PITH_E_ARG, "the image is truncated: a segment is missing - copy the file again");
        if (seg.type == PT_NOTE)
            scan_notes(elf, &seg);
    }
    return PITH_OK;
}

static enum pith_status load_segment(struct image_job *job, const struct image_elf *elf,
                                     const struct elf_segment *seg)
{
    if (seg->filesz > seg->memsz)
        return image_fail(job, PITH_E_ARG, "a segment is larger in the file than in memory - link the image again");
    if (seg->paddr > job->tables || seg->memsz > job->tables - seg->paddr)
        return image_fail(job, PITH_E_MEM,
                          "a segment lies outside the partition's memory - raise memory =, or link the image lower");

    job->image_end = MAX(job->image_end, seg->paddr + seg->memsz);
    if (seg->filesz == 0)
        return PITH_OK;
    return image_copy(job, seg->paddr, elf->data + seg->offset, seg->filesz);
}

enum pith_status image_elf_segments(struct image_job *job, const struct image_elf *elf, u64 entry)
{
    bool entry_loaded = false;
    struct elf_segment seg;
    enum pith_status st;

    for (u32 i = 0; i < elf->phnum; i++) {
        if (!read_segment(elf, i, &seg) || seg.type != PT_LOAD || seg.memsz == 0)
            continue;
        st = load_segment(job, elf, &seg);
        if (st != PITH_OK)
            return st;
        entry_loaded |= entry >= seg.paddr && entry - seg.paddr < seg.filesz;
    }
    if (!entry_loaded)
        return image_fail(job, PITH_E_ARG,
                          "the entry point is in no loaded segment - it must be a physical address (p_paddr)");
    return PITH_OK;
}

u64 image_elf_physical(const struct image_elf *elf, u64 va)
{
    struct elf_segment seg;

    for (u32 i = 0; i < elf->phnum; i++)
        if (read_segment(elf, i, &seg) && seg.type == PT_LOAD && va >= seg.vaddr && va - seg.vaddr < seg.filesz)
            return va - seg.vaddr + seg.paddr;
    return va;
}

enum pith_status image_load_elf(struct image_job *job)
{
    struct image_elf elf;
    enum pith_status st = open_elf(job, &elf);

    if (st != PITH_OK)
        return st;
    if (elf.has_pith && elf.is32)
        return image_fail(job, PITH_E_ARG, "the image has Pith's note and is a 32-bit ELF - build it for x86-64 (gcc -m64)");
    if (elf.has_pith)
        return image_start_pith(job, &elf);
    if (elf.has_pvh)
        return image_start_pvh(job, &elf);
    if (image_is_multiboot(&job->rq->image))
        return image_start_multiboot(job, &elf);
    return image_fail(job, PITH_E_ARG, "the ELF has no Pith note, PVH note or multiboot header - link it with guests/lib, "
                                       "or give another kernel");
}
