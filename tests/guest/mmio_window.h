/* SPDX-License-Identifier: MIT */
/* Pages and segments that a guest lays over memory that is not RAM. */
#pragma once

#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define PAGE         4096u
#define LAPIC        0xfee00000ul
#define IOAPIC       0xfec00000ul
#define NOWHERE      0xd0000000ul
#define WINDOW       0x80000000ul /* pages of our own choice */
#define IMAGE_BASE   0x200000ull   /* of 16-bit code, whose instruction pointer has 16 bits */
#define RESERVED     (1ul << 51)
#define CR0_AM       (1ull << 18)
#define CR4_OSXSAVE  (1ull << 18)
#define CR4_SMAP     (1ull << 21)
#define SEL_CODE64   0x08
#define SEL_CODE32   0x38
#define SEL_CODE16   0x40
#define SEL_SHORT    0x48          /* data, writable, up to SHORT_LIMIT */
#define SEL_CONST    0x50          /* data, read-only */
#define SHORT_LIMIT  0xfffff
enum { TRAP_SS = 12, TRAP_AC = 17 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };

static uint64_t pt[512] __attribute__((aligned(PAGE)));
static uint64_t pd[512] __attribute__((aligned(PAGE)));
static uint8_t ram[4][PAGE] __attribute__((aligned(PAGE)));

static inline uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

static inline void change_cr0_cr4(uint64_t cr0_bits, uint64_t cr4_bits, bool set)
{
    uint64_t cr0, cr4;

    __asm__ volatile("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    cr0 = set ? cr0 | cr0_bits : cr0 & ~cr0_bits;
    cr4 = set ? cr4 | cr4_bits : cr4 & ~cr4_bits;
    __asm__ volatile("mov %0, %%cr0; mov %1, %%cr4" : : "r"(cr0), "r"(cr4) : "memory");
}

static inline uint8_t *window(unsigned page)
{
    return (uint8_t *)(uintptr_t)(WINDOW + page * (uint64_t)PAGE);
}

static inline void map(unsigned page, uint64_t entry)
{
    pt[page] = entry;
    __asm__ volatile("invlpg (%0)" : : "r"(window(page)) : "memory");
}

static inline void map_ram(unsigned page, unsigned frame, uint64_t rights)
{
    map(page, (uintptr_t)ram[frame] | rights);
}

static inline void make_window(void)
{
    uint64_t *top = (uint64_t *)(uintptr_t)read_cr3();
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(top[0] & ~0xfffull);

    top[0] |= U;
    pdpt[WINDOW >> 30] = (uintptr_t)pd | P | W | U;
    pd[0] = (uintptr_t)pt | P | W | U;
    __asm__ volatile("mov %0, %%cr3" : : "r"(read_cr3()) : "memory");
}

struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };

static inline void make_segments(void)
{
    static uint64_t gdt[11];
    struct table t;

    __asm__ volatile("sgdt %0" : "=m"(t));
    memcpy(gdt, (void *)(uintptr_t)t.base, 8 * sizeof(gdt[0]));
    gdt[SEL_CODE16 / 8] = 0x00009b000000ffff | IMAGE_BASE << 16;
    gdt[SEL_SHORT / 8] = 0x004f93000000ffff;
    gdt[SEL_CONST / 8] = 0x00cf91000000ffff;
    t.limit = sizeof(gdt) - 1;
    t.base = (uintptr_t)gdt;
    __asm__ volatile("lgdt %0" : : "m"(t));
}
