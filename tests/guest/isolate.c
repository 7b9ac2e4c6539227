/* SPDX-License-Identifier: MIT */
/* A partition sees its own memory, clean, and nothing else; user code in it gets no further than its kernel lets it. */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

extern const char pith_image_end[];

#define IMAGE_BASE 0x200000ull
#define GIB        (1ull << 30)

static bool in_module(const struct pith_start *start, uint64_t gpa)
{
    const struct pith_module *m = (const struct pith_module *)(uintptr_t)start->modules;

    for (uint32_t i = 0; i < start->nr_modules; i++) {
        if (gpa >= m[i].base && gpa < m[i].base + m[i].size)
            return true;
    }
    return false;
}

/* First word outside the image and the modules that is not zero; low RAM is the first range. */
static uint64_t first_dirty(const struct pith_start *start)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    uint64_t image_end = ((uintptr_t)pith_image_end + 7) & ~7ull;

    for (uint64_t gpa = 8; gpa < mem[0].size; gpa += 8) {
        if (gpa == IMAGE_BASE)
            gpa = image_end;
        if (*(volatile uint64_t *)(uintptr_t)gpa != 0 && !in_module(start, gpa))
            return gpa;
    }
    return 0;
}

/* Reads of every size are all ones, before and after writes. */
static bool is_empty(uint64_t gpa)
{
    volatile uint8_t *p = (volatile uint8_t *)(uintptr_t)gpa;
    bool empty = true;

    for (unsigned i = 0; i < 2; i++) {
        empty &= *p == 0xff && *(volatile uint16_t *)p == 0xffff;
        empty &= *(volatile uint32_t *)p == 0xffffffff && *(volatile uint64_t *)p == ~0ull;
        *p = 0;
        *(volatile uint32_t *)p = 0;
        *(volatile uint64_t *)p = 0x5a5a5a5a5a5a5a5a;
    }
    return empty;
}

static void memory(const struct pith_start *start)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    uint64_t ram_end = mem[0].size + mem[1].size, dirty = first_dirty(start);
    const uint64_t empty[] = { ram_end, ram_end + 0x10000, GIB - 8, 2 * GIB, 3 * GIB - 4096, 0xd0000000, 0xfed00000, 0xfffffff0 };
    uint64_t across = ram_end - 4;
    bool all = true;

    test_equal(dirty, 0, "memory-clean");
    for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        if (empty[i] >= ram_end && !is_empty(empty[i])) {
            pith_printf("something at 0x%lx\n", empty[i]);
            all = false;
        }
    }
    test_ok(all, "memory-empty-outside");
    *(volatile uint32_t *)(uintptr_t)across = 0;
    test_equal(*(volatile uint32_t *)(uintptr_t)across, 0, "memory-last-bytes");
    test_equal(*(volatile uint8_t *)(uintptr_t)(ram_end - 1), 0, "memory-last-byte");
}

static uint32_t in8(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static uint32_t in16(uint16_t port)
{
    uint16_t v;

    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static uint32_t in32(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static void out16(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static void ports(void)
{
    static const uint16_t empty[] = { 0x80, 0xb2, 0xe9, 0xf4, 0x2f8, 0x2fd, 0x510, 0x5658, 0xb004, 0xcfc, 0x8900, 0xfffc };
    bool all = true;

    for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        all &= in8(empty[i]) == 0xff && in16(empty[i]) == 0xffff && in32(empty[i]) == 0xffffffff;
    test_ok(all, "ports-empty");
    /* Each of these would end or reset the machine if it were the machine's. */
    out8(0x64, 0xfe);
    out8(0xcf9, 0x06);
    out8(0x92, 0x01);
    out8(0xf4, 0x00);
    out16(0x604, 0x2000);
    out16(0xb004, 0x2000);
    out8(0x8900, 'S');
    out8(0xe9, '!');
    test_ok(true, "ports-of-the-machine");
}

static void user_nothing(uint64_t arg)
{
    (void)arg;
    trap_user_done();
}

static void user_call(uint64_t rax)
{
    (void)pith_hypercall(rax, 0, 0, 0, 0, 0);
    trap_user_done();
}

static void user_port(uint64_t port)
{
    (void)in8((uint16_t)port);
    trap_user_done();
}

static void user_wbinvd(uint64_t arg)
{
    (void)arg;
    __asm__ volatile("wbinvd" : : : "memory");
    trap_user_done();
}

static void user_rdmsr(uint64_t msr)
{
    __asm__ volatile("rdmsr" : : "c"((uint32_t)msr) : "eax", "edx");
    trap_user_done();
}

static void user(void)
{
    trap_open_user();
    test_equal((uint64_t)trap_try_user(user_nothing, 0), TRAP_BP, "user-runs");
    test_equal((uint64_t)trap_try_user(user_call, PITH_CALL_BASE + PITH_CALL_VERSION), TRAP_UD, "user-call");
    test_equal((uint64_t)trap_try_user(user_call, PITH_CALL_BASE + PITH_CALL_EXIT), TRAP_UD, "user-exit");
    test_equal((uint64_t)trap_try_user(user_call, 0), TRAP_UD, "user-call-of-others");
    test_equal((uint64_t)trap_try_user(user_port, 0x80), TRAP_GP, "user-port");
    test_equal((uint64_t)trap_try_user(user_wbinvd, 0), TRAP_GP, "user-wbinvd");
    test_equal((uint64_t)trap_try_user(user_rdmsr, 0x1b), TRAP_GP, "user-rdmsr");
    test_equal((uint64_t)trap_try_user(user_nothing, 0), TRAP_BP, "user-runs-on");
}

int guest_main(const struct pith_start *start)
{
    memory(start); /* first: what follows dirties nothing, but is not asked to */
    trap_init();
    ports();
    user();
    return test_end();
}
