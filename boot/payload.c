/* SPDX-License-Identifier: MIT */
/* The hypervisor, from the loader's own file to where it will run. */
#include "boot/loader.h"

#include "boot/elf.h"

extern const u8 payload_start[], payload_end[] __attribute__((visibility("hidden")));

struct payload payload_load(void)
{
    u64 file_size = (u64)(payload_end - payload_start);
    struct elf_span span;
    u64 size, base;

    if (!elf_measure(payload_start, file_size, &span))
        boot_fail(
            "the hypervisor in the loader is damaged - copy BOOTX64.EFI to the volume again");
    size = ALIGN_UP(span.last - span.first, PAGE_SIZE);
    base = (u64)block_take_image(size);
    elf_place(payload_start, &span, (u8 *)base);
    return (struct payload){ base, size, base + (span.entry - span.first) };
}
