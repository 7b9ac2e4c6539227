/* SPDX-License-Identifier: MIT */
/* Instructions on memory that is not RAM do what they do on RAM that holds the same; and where they fault, they fault exactly. */
#include "tests/guest/mmio_forms.h"
#include "tests/guest/mmio_window.h"

/* --- code with all its registers --- */

struct regs { uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, flags; uint8_t vec[4][32]; };
_Static_assert(sizeof(struct regs) == 80 + 4 * 32, "mmio_run");

/* Loads what @r says, calls mmio_code, which returns far, and stores everything back. */
void mmio_run(struct regs *r);
void mmio_run_avx(struct regs *r);
struct __attribute__((packed)) far { uint32_t offset; uint16_t selector; } mmio_code;

__asm__(".macro run name, move, reg\n"
        ".globl \\name\n\\name:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
        "\\move 80(%rdi), %\\reg\\()0; \\move 112(%rdi), %\\reg\\()1; \\move 144(%rdi), %\\reg\\()2; \\move 176(%rdi), %\\reg\\()3\n"
        "pushq 72(%rdi); mov (%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx; mov 32(%rdi), %rbp\n"
        "mov 40(%rdi), %rsi; mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 48(%rdi), %rdi; popfq\n"
        "lcall *mmio_code(%rip)\n"
        "push %rdi; pushfq; mov 16(%rsp), %rdi; mov %rax, (%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
        "mov %rbp, 32(%rdi); mov %rsi, 40(%rdi); mov %r8, 56(%rdi); mov %r9, 64(%rdi); popq 72(%rdi); popq 48(%rdi); cld\n"
        "\\move %\\reg\\()0, 80(%rdi); \\move %\\reg\\()1, 112(%rdi); \\move %\\reg\\()2, 144(%rdi); \\move %\\reg\\()3, 176(%rdi)\n"
        "pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        ".endm\n"
        ".text\n"
        "run mmio_run, movdqu, xmm\n"
        "run mmio_run_avx, vmovdqu, ymm\n");

struct form { const char *name; const uint8_t *code; enum { PLAIN, ALIGNED, LOCKED } kind; };
#define CODE_64(name, text) __asm__(".code64; f64_" #name ": " text "; lretl"); extern const uint8_t f64_##name[];
#define CODE_32(name, text) __asm__(".code32; f32_" #name ": " text "; lretl; .code64"); extern const uint8_t f32_##name[];
#define CODE_16(name, text) __asm__(".code16; f16_" #name ": " text "; lretl; .code64"); extern const uint8_t f16_##name[];
#define ROW_64(name, text)  { #name, f64_##name, PLAIN },
#define ROW_64A(name, text) { #name, f64_##name, ALIGNED },
#define ROW_64L(name, text) { #name, f64_##name, LOCKED },
#define ROW_32(name, text)  { #name, f32_##name, PLAIN },
#define ROW_32L(name, text) { #name, f32_##name, LOCKED },
#define ROW_16(name, text)  { #name, f16_##name, PLAIN },
#define ROW_16L(name, text) { #name, f16_##name, LOCKED },
__asm__(".text");
FORMS_64(CODE_64, CODE_64, CODE_64)
FORMS_AVX(CODE_64, CODE_64, CODE_64)
FORMS_DEVICE(CODE_64)
FORMS_LEGACY(CODE_32, CODE_32, CODE_32)
FORMS_LEGACY(CODE_16, CODE_16, CODE_16)
static const struct form forms_64[] = { FORMS_64(ROW_64, ROW_64A, ROW_64L) }, forms_avx[] = { FORMS_AVX(ROW_64, ROW_64A, ROW_64L) };
static const struct form forms_device[] = { FORMS_DEVICE(ROW_64) };
static const struct form forms_32[] = { FORMS_LEGACY(ROW_32, ROW_32, ROW_32L) };
static const struct form forms_16[] = { FORMS_LEGACY(ROW_16, ROW_16, ROW_16L) };

static void set_code(const void *code, uint16_t selector)
{
    mmio_code = (struct far){ (uint32_t)(uintptr_t)code - (selector == SEL_CODE16 ? (uint32_t)IMAGE_BASE : 0), selector };
}

/* --- the same on RAM and elsewhere --- */

static const uint64_t flags_tried[] = { 0x02, 0x8d7 };

static void run_at(struct regs *r, uint64_t flags, void *at, bool avx)
{
    *r = (struct regs){ .rax = 0x8877665544332211, .rcx = 0x9182736455463728, .rdx = 0xfedcba9876543210, .rbx = 0x0f1e2d3c4b5a6978,
                        .rbp = 0x5bd1e995aabbccdd, .rsi = 0x1111, .r8 = 0x123456789abcdef1, .flags = flags, .rdi = (uintptr_t)at };
    for (unsigned i = 0; i < sizeof(r->vec); i++)
        r->vec[i / 32][i % 32] = (uint8_t)(i * 37 + 11);
    if (avx)
        mmio_run_avx(r);
    else
        mmio_run(r);
    r->rdi -= (uintptr_t)at;
    if (mmio_code.selector != SEL_CODE64) { /* other code need not keep these */
        r->rax = (uint32_t)r->rax, r->rcx = (uint32_t)r->rcx, r->rdx = (uint32_t)r->rdx, r->rbx = (uint32_t)r->rbx;
        r->rbp = (uint32_t)r->rbp, r->rsi = (uint32_t)r->rsi, r->rdi = (uint32_t)r->rdi;
        r->r8 = r->r9 = 0;
    }
}

static bool differ(const struct form *f, const char *where, uint64_t flags, const struct regs *have, const struct regs *want)
{
    static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8", "r9", "flags" };
    const uint64_t *h = &have->rax, *w = &want->rax;

    if (memcmp(have, want, sizeof(*have)) == 0)
        return false;
    pith_printf("%s %s, flags %lx:", f->name, where, flags);
    for (unsigned i = 0; i < sizeof(*have) / 8; i++)
        if (h[i] != w[i])
            pith_printf(" %s %lx not %lx", i < COUNT(names) ? names[i] : "vector", h[i], w[i]);
    pith_printf("\n");
    return true;
}

/* The border between two pages is at @border; @have is what lies there, 64 bytes on both sides, ones where no RAM is. */
static bool same_at(const struct form *f, bool avx, const char *where, uint8_t *border, int offset, bool ram_before, bool ram_after)
{
    static uint8_t model[128] __attribute__((aligned(32)));
    /* QEMU loses the flags of a locked access across pages that ends in an exit, when it has several processors. */
    unsigned nr_flags = f->kind == LOCKED && offset && pith_hypercall_insn == PITH_HC_VMMCALL ? 1 : COUNT(flags_tried);
    struct regs have, want;

    for (unsigned i = 0; i < nr_flags; i++) {
        for (unsigned k = 0; k < 128; k++)
            model[k] = (k < 64 ? ram_before : ram_after) ? (uint8_t)(k * 29 + 5) : 0xff;
        if (ram_before)
            memcpy(border - 64, model, 64);
        if (ram_after)
            memcpy(border, model + 64, 64);
        run_at(&want, flags_tried[i], model + 64 + offset, avx);
        run_at(&have, flags_tried[i], border + offset, avx);
        if (differ(f, where, flags_tried[i], &have, &want))
            return false;
        if ((ram_before && memcmp(border - 64, model, 64)) || (ram_after && memcmp(border, model + 64, 64))) {
            pith_printf("%s %s, offset %d: memory differs\n", f->name, where, offset);
            return false;
        }
    }
    return true;
}

static void same_as_ram(const char *name, const struct form *forms, unsigned n, uint16_t selector, bool avx)
{
    bool same = true;

    map_ram(0, 0, P | W);
    map(1, NOWHERE | P | W);
    map_ram(2, 1, P | W);
    for (unsigned i = 0; i < n; i++) {
        set_code(forms[i].code, selector);
        same &= same_at(&forms[i], avx, "on nothing", window(1) + 64, 0, false, false);
        for (int offset = (int)(i % 2) - 3; offset < 0 && forms[i].kind != ALIGNED; offset += 2) {
            same &= same_at(&forms[i], avx, "from RAM to nothing", window(1), offset, true, false);
            same &= same_at(&forms[i], avx, "from nothing to RAM", window(2), offset, false, true);
        }
    }
    test_ok(same, name);
}

/* A register of a device that keeps the bits in @mask, and RAM with the same value. */
static void same_as_device(const char *name, uint64_t address, uint32_t mask)
{
    volatile uint32_t *device = (volatile uint32_t *)(uintptr_t)address;
    static uint32_t model;
    bool same = true;

    for (unsigned i = 0; i < 4 * COUNT(forms_device); i++) {
        const struct form *f = &forms_device[i / 4];
        struct regs have, want;

        set_code(f->code, SEL_CODE64);
        *device = i % 2 ? 0xa5a5a5a5 : 0x7f80017f;
        model = *device;
        run_at(&want, flags_tried[i / 2 % 2], &model, false);
        run_at(&have, flags_tried[i / 2 % 2], (void *)(uintptr_t)address, false);
        same &= !differ(f, name, flags_tried[i / 2 % 2], &have, &want);
        if ((*device ^ model) & mask) {
            pith_printf("%s %s: %x, not %x\n", f->name, name, *device & mask, model & mask);
            same = false;
        }
    }
    test_ok(same, name);
}

static void devices(void)
{
    volatile uint32_t *select = (volatile uint32_t *)(uintptr_t)IOAPIC;

    same_as_device("io-apic-select", IOAPIC, 0xff);
    *select = 0x11;
    same_as_device("io-apic-destination", IOAPIC + 0x10, 0xff000000);
    same_as_device("local-apic-destination", LAPIC + 0x310, 0xff000000);
    same_as_device("task-priority", LAPIC + 0x80, 0xff);
    map_ram(2, 0, P | W);
    map(3, IOAPIC | P | W);
    *(volatile uint64_t *)(uintptr_t)(window(3) - 4) = 0x1511223344;
    test_ok(*select == 0x15 && *(volatile uint32_t *)(uintptr_t)(window(3) - 4) == 0x11223344, "from-ram-to-device");
    map(3, LAPIC | P | W);
    map(4, NOWHERE | P | W);
    test_equal(*(volatile uint64_t *)(uintptr_t)(window(4) - 4), ~0ull, "from-device-to-nothing");
    *(volatile uint64_t *)(uintptr_t)(window(4) - 4) = 0;
    test_equal(*(volatile uint32_t *)(uintptr_t)(window(3) + 0x80), *(volatile uint32_t *)(uintptr_t)(LAPIC + 0x80), "another-name");
}

static void avx(void)
{
    if (!(pith_cpuid(1, 0).ecx & 1u << 28))
        return;
    change_cr0_cr4(0, CR4_OSXSAVE, true);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
    same_as_ram("avx-as-on-ram", forms_avx, COUNT(forms_avx), SEL_CODE64, true);
}

int guest_main(const struct pith_start *start)
{
    (void)start;
    trap_init();
    make_segments();
    make_window();
    same_as_ram("64-bit-as-on-ram", forms_64, COUNT(forms_64), SEL_CODE64, false);
    same_as_ram("32-bit-as-on-ram", forms_32, COUNT(forms_32), SEL_CODE32, false);
    same_as_ram("16-bit-as-on-ram", forms_16, COUNT(forms_16), SEL_CODE16, false);
    devices();
    avx();
    return test_end();
}
