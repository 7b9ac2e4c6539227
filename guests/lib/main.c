/* SPDX-License-Identifier: MIT */
/* From start.S to guest_main() and out again, and what can be asked of the start structure. */
#include "guests/lib/pith.h"

uint32_t pith_hypercall_insn;

/* start.S calls it by this name. */
__attribute__((noreturn)) void pith_main(const struct pith_start *start);

void pith_main(const struct pith_start *start)
{
    pith_hypercall_insn = pith_cpuid(PITH_CPUID_ABI, 0).ecx;
    pith_quit((uint64_t)(int64_t)guest_main(start));
}

void pith_quit(uint64_t status)
{
    (void)pith_exit(status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

uint64_t pith_option(const struct pith_start *start, const char *name, uint64_t missing)
{
    const char *p = (const char *)(uintptr_t)start->cmdline;
    size_t len = strlen(name);
    uint64_t value = 0;

    for (; *p; p++) {
        bool first = p == (const char *)(uintptr_t)start->cmdline || p[-1] == ' ';

        if (!first || strlen(p) <= len || memcmp(p, name, len) != 0 || p[len] != '=')
            continue;
        for (p += len + 1; *p >= '0' && *p <= '9'; p++)
            value = value * 10 + (uint64_t)(*p - '0');
        return value;
    }
    return missing;
}

uint64_t pith_memory(const struct pith_start *start)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < start->nr_mem; i++) {
        if (mem[i].type == PITH_MEM_RAM || mem[i].type == PITH_MEM_ACPI)
            bytes += mem[i].size;
    }
    return bytes;
}
