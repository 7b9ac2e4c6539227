/* SPDX-License-Identifier: MIT */
/* ELF64 guests: header, notes and segments. System V ABI, ELF-64 Object File Format. Nothing in the file is trusted. */
#include "boot/image/parts.h"

#include "hv/lib/string.h"

#define ELFCLASS32 1u
#define ELFCLASS64 2u
#define ELFDATA2LSB 1u
#define ET_EXEC    2u
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

struct elf_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF-64 program header");

struct elf_note { u32 namesz, descsz, type; };

bool image_is_elf(const struct image_file *file)
{
    return file->size >= 4 && memcmp(file->data, "\177ELF", 4) == 0;
}

static const char *header_wrong(const struct elf_header *h, u64 size)
{
    if (h->ident[4] == ELFCLASS32)
        return "the image is a 32-bit ELF - build it for x86-64 (gcc -m64), or give a bzImage";
    if (h->ident[4] != ELFCLASS64 || h->ident[5] != ELFDATA2LSB || h->machine != EM_X86_64)
        return "the image is an ELF for another processor - build it for x86-64";
    if (h->type != ET_EXEC)
        return "the image is not an executable at fixed addresses - link it with -static -no-pie";
    if (h->phentsize != sizeof(struct elf_segment) || h->phnum == 0 || h->phnum > PHNUM_MAX)
        return "the image's program headers are damaged or too many (64) - link it again";
    if (h->phoff > size || h->phnum * sizeof(struct elf_segment) > size - h->phoff)
        return "the image is truncated: its program headers are missing - copy the file again";
    return NULL;
}

/* False: the segment claims bytes that the file does not have. */
static bool read_segment(const struct image_elf *elf, u32 i, struct elf_segment *seg)
{
    memcpy(seg, elf->data + elf->phoff + i * sizeof(*seg), sizeof(*seg));
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

    if (file->size < sizeof(h))
        return image_fail(job, PITH_E_ARG, "the image is truncated: less than an ELF header - copy the file again");
    memcpy(&h, file->data, sizeof(h));
    wrong = header_wrong(&h, file->size);
    if (wrong)
        return image_fail(job, PITH_E_ARG, wrong);

    *elf = (struct image_elf){
        .data = file->data, .size = file->size, .entry = h.entry, .phoff = h.phoff, .phnum = h.phnum,
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

enum pith_status image_load_elf(struct image_job *job)
{
    struct image_elf elf;
    enum pith_status st = open_elf(job, &elf);

    if (st != PITH_OK)
        return st;
    if (elf.has_pith)
        return image_start_pith(job, &elf);
    if (elf.has_pvh)
        return image_start_pvh(job, &elf);
    return image_fail(job, PITH_E_ARG,
                      "the ELF has neither a Pith nor a PVH note - link it with guests/lib, or give a bzImage");
}
