/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor reads of a guest changes while it reads: with vcpus = 2, the second rewrites page-table entries,
 * instructions and descriptors under the first, which makes the hypervisor walk and fetch them all the time. The first may
 * get any exception; the hypervisor may not.
 */
#include "guests/lib/smp.h"
#include "guests/lib/trap.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define LAPIC     0xfee00000ull
#define NOWHERE   0xd0000000ull
#define WINDOW    0x40000000ull /* linear: one page behind tables that change, at both levels above it */
#define PTE_P     1ull
#define PTE_RW    2ull
#define PTE_PS    0x80ull
#define ROUNDS    400u

struct __attribute__((packed)) pseudo { uint16_t limit; uint64_t base; };

/*
 * What the entries name. The tables are written through the window too: an entry of which an INS was through with the first two
 * bytes leads to the last page of these 64 KiB, where it does no harm; with fewer to the same page as before, with more to nothing.
 */
static struct {
    uint64_t level2[2][512], level1[2][512];
    uint8_t page[2][4096];
    uint8_t nothing[9][4096], harmless[4096];
} shared __attribute__((aligned(65536)));
_Static_assert(sizeof(shared) == 65536, "its last page ends in f000h");
#define level2 shared.level2
#define level1 shared.level1
#define page   shared.page

static uint64_t level3[512] __attribute__((aligned(4096)));
static uint8_t code[4096] __attribute__((aligned(4096))); /* alone in its page, or emulators are slow */
static char stack[8192] __attribute__((aligned(16)));
static volatile uint64_t flips;

static volatile uint64_t *pde, *pte;

/* Present, not there, of every kind of memory, with reserved bits, tables in devices and in nothing. */
static uint64_t leaf(uint64_t n)
{
    const uint64_t entries[] = {
        (uintptr_t)page[0] | 3, LAPIC | 3, 0, (uintptr_t)page[1] | 1, NOWHERE | 3, (uintptr_t)page[0] | 3 | 1ull << 51, ~0ull,
        (uintptr_t)page[1] | 3 | 1ull << 63, (1ull << 45) | 3, LAPIC | 7, (uintptr_t)level1[0] | 3,
    };

    return entries[n % COUNT(entries)];
}

static uint64_t branch(uint64_t n)
{
    const uint64_t entries[] = {
        (uintptr_t)level1[0] | 3, (uintptr_t)level1[1] | 3, 0, (uintptr_t)level1[0] | 3, (uintptr_t)page[1] | 3,
        (0xfee00000ull & ~0x1fffffull) | 3 | PTE_PS, (uintptr_t)level1[1] | 1, (uintptr_t)level2[0] | 3,
    };

    return entries[n % COUNT(entries)];
}

/* No operand-size prefix: before RET it would cut the return address. */
static void flip(void)
{
    static const uint8_t bytes[] = { 0x6e, 0xa4, 0x8a, 0xf3, 0x0f, 0xa2, 0xa5, 0x6c, 0xaa, 0x48, 0x90 };

    for (uint64_t n = 0;; n++) {
        *pte = leaf(n);
        level1[1][0] = leaf(n / 3);
        if (n % 7 == 0)
            *pde = branch(n / 7);
        if (n % 4096 == 0) /* emulators that translate pay for each */
            code[n / 4096 % 2] = bytes[n / 4096 % COUNT(bytes)];
        flips = n;
    }
}

static void flush(uint64_t linear)
{
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

static void outs(uint64_t arg)
{
    uint64_t from = arg, count = 600;

    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80));
}

static void ins(uint64_t arg)
{
    uint64_t to = arg, count = 600;

    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x80) : "memory");
}

/* From a device through the window, or to it. */
static void copy_from_device(uint64_t arg)
{
    uint64_t from = NOWHERE, to = arg, count = 64;

    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void copy_to_device(uint64_t arg)
{
    uint64_t from = arg, to = NOWHERE, count = 64;

    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void read(uint64_t arg)
{
    for (unsigned i = 0; i < 64; i++)
        (void)*(volatile uint32_t *)(uintptr_t)(arg + 0x20);
}

static void write(uint64_t arg)
{
    for (unsigned i = 0; i < 64; i++)
        *(volatile uint32_t *)(uintptr_t)(arg + 0x80) = 0;
}

/* The instruction that exits is another one by the time it is fetched. */
static void execute(uint64_t arg)
{
    uint64_t a = NOWHERE, c = 3, d = 0x80, si = (uintptr_t)page, di = (uintptr_t)page[1], fn = (uintptr_t)code;

    (void)arg;
    __asm__ volatile("call *%[fn]" : "+a"(a), "+c"(c), "+d"(d), "+S"(si), "+D"(di), [fn] "+b"(fn) : : "memory", "cc");
}

static void set_up_tables(void)
{
    volatile uint64_t *top;
    uint64_t *third;

    __asm__ volatile("mov %%cr3, %0" : "=r"(top));
    third = (uint64_t *)(uintptr_t)(top[0] & 0x000ffffffffff000ull);
    memcpy(level3, third, sizeof(level3));
    level3[WINDOW >> 30] = (uintptr_t)level2[0] | 3;
    level2[0][0] = (uintptr_t)level1[0] | 3;
    level1[0][0] = level1[1][0] = (uintptr_t)page[0] | 3;
    pde = &level2[0][0];
    pte = &level1[0][0];
    top[0] = (uintptr_t)level3 | 3;
    memset(code, 0xc3, sizeof(code)); /* RET, whatever the first two bytes make of the others */
    memset(code, 0x90, 2);
    __asm__ volatile("mov %0, %%cr3" : : "r"(top) : "memory");
}

int guest_main(const struct pith_start *start)
{
    static void (*const tries[])(uint64_t) = { outs, ins, copy_from_device, copy_to_device, read, write, execute };
    uint64_t last = 0, moved = 0, faults = 0;

    trap_init();
    set_up_tables();
    if (start->nr_vcpus < 2 || !smp_start(1, flip, stack + sizeof(stack))) {
        pith_puts("not ok: no second vCPU\n");
        return 1;
    }
    for (unsigned i = 0; i < ROUNDS || moved < 20 || faults < 20; i++) { /* else nothing was tried: the other must have run */
        flush(WINDOW);
        faults += trap_try(tries[i % COUNT(tries)], WINDOW) != TRAP_NONE;
        __asm__ volatile("cld; sti; nop; cli");
        moved += flips != last;
        last = flips;
    }
    pith_puts("survived\n");
    return 0;
}
