/* SPDX-License-Identifier: MIT */
/* ELF64 as the System V gABI defines it: as much as a statically linked hypervisor has. */
#include "boot/elf.h"

#include "hv/lib/string.h"

#define ELF_MAGIC  0x464c457fu /* 7f 'E' 'L' 'F' */
#define ELFCLASS64 2
#define EM_X86_64  62
#define PT_LOAD    1

struct elf_header {
    u32 magic;
    u8 class, data, version, osabi, padding[8];
    u16 type, machine;
    u32 version2;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_segment) == 56, "gABI layouts");

static struct elf_segment segment(const u8 *file, u32 i)
{
    struct elf_header h;
    struct elf_segment s;

    memcpy(&h, file, sizeof(h));
    memcpy(&s, file + h.phoff + i * sizeof(s), sizeof(s));
    return s;
}

static bool header_good(const struct elf_header *h, u64 size)
{
    return h->magic == ELF_MAGIC && h->class == ELFCLASS64 && h->machine == EM_X86_64 &&
           h->phentsize == sizeof(struct elf_segment) && h->phoff <= size &&
           h->phnum <= (size - h->phoff) / sizeof(struct elf_segment);
}

static bool segment_good(const struct elf_segment *s, u64 size)
{
    return s->filesz <= size && s->offset <= size - s->filesz && s->filesz <= s->memsz &&
           s->vaddr + s->memsz >= s->vaddr;
}

bool elf_measure(const u8 *file, u64 size, struct elf_span *span)
{
    struct elf_header h;

    if (size < sizeof(h))
        return false;
    memcpy(&h, file, sizeof(h));
    if (!header_good(&h, size))
        return false;
    *span = (struct elf_span){ ~0ull, 0, h.entry };
    for (u32 i = 0; i < h.phnum; i++) {
        struct elf_segment s = segment(file, i);

        if (s.type != PT_LOAD || s.memsz == 0)
            continue;
        if (!segment_good(&s, size))
            return false;
        span->first = MIN(span->first, s.vaddr);
        span->last = MAX(span->last, s.vaddr + s.memsz);
    }
    return h.entry >= span->first && h.entry < span->last;
}

void elf_place(const u8 *file, const struct elf_span *span, u8 *to)
{
    struct elf_header h;

    memcpy(&h, file, sizeof(h));
    for (u32 i = 0; i < h.phnum; i++) {
        struct elf_segment s = segment(file, i);

        if (s.type == PT_LOAD && s.memsz)
            memcpy(to + (s.vaddr - span->first), file + s.offset, s.filesz);
    }
}
