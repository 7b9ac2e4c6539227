/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtualized guest is written with. Freestanding C11 or C++; define guest_main() and link with guests/lib.
 * The calls, pith_version() to pith_exit(), are expanded from hv/abi/hypercalls.def; hv/abi/ABI.md says what they do.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define _Static_assert static_assert /* for the ABI's headers, which are C */
extern "C" {
#endif

#include "hv/abi/hypercall.h"
#include "hv/abi/start.h"

#define PITH_NS_PER_S UINT64_C(1000000000)

struct pith_result {
    int64_t status;   /* enum pith_status, or PITH_CALL_UNKNOWN */
    uint64_t rbx, rcx; /* results; a call that returns none leaves the arguments */
};

struct pith_cpuid { uint32_t eax, ebx, ecx, edx; };

/* The guest's own. What it returns is its exit status. */
int guest_main(const struct pith_start *start);

/* PITH_HC_VMCALL or PITH_HC_VMMCALL: asked of CPUID once, before guest_main(). */
extern uint32_t pith_hypercall_insn;

static inline struct pith_cpuid pith_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct pith_cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t pith_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}

/* @rax as it goes into the register: for tests; everybody else uses the calls below. */
static inline struct pith_result pith_hypercall(uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi,
                                                uint64_t rdi)
{
    struct pith_result r;

    if (pith_hypercall_insn == PITH_HC_VMMCALL)
        __asm__ volatile("vmmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx) : "d"(rdx), "S"(rsi), "D"(rdi) : "memory");
    else
        __asm__ volatile("vmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx) : "d"(rdx), "S"(rsi), "D"(rdi) : "memory");
    r.status = (int64_t)rax;
    r.rbx = rbx;
    r.rcx = rcx;
    return r;
}

/* One stub a call: unused argument registers are zero, as the ABI demands. */
#define PITH_STUB_0(name, nr)                                                                       \
    static inline struct pith_result pith_##name(void)                                              \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), 0, 0, 0, 0, 0);                                \
    }
#define PITH_STUB_1(name, nr)                                                                       \
    static inline struct pith_result pith_##name(uint64_t a)                                        \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), a, 0, 0, 0, 0);                                \
    }
#define PITH_STUB_2(name, nr)                                                                       \
    static inline struct pith_result pith_##name(uint64_t a, uint64_t b)                            \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), a, b, 0, 0, 0);                                \
    }
#define PITH_STUB_3(name, nr)                                                                       \
    static inline struct pith_result pith_##name(uint64_t a, uint64_t b, uint64_t c)                \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), a, b, c, 0, 0);                                \
    }
#define PITH_STUB_4(name, nr)                                                                       \
    static inline struct pith_result pith_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d)    \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), a, b, c, d, 0);                                \
    }
#define PITH_STUB_5(name, nr)                                                                       \
    static inline struct pith_result pith_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d,    \
                                                 uint64_t e)                                        \
    {                                                                                               \
        return pith_hypercall(PITH_CALL_BASE + (nr), a, b, c, d, e);                                \
    }
#define HC(nr, NAME, handler, nargs, cap) PITH_STUB_##nargs(handler, nr)
#include "hv/abi/hypercalls.def"
#undef HC
#undef PITH_STUB_0
#undef PITH_STUB_1
#undef PITH_STUB_2
#undef PITH_STUB_3
#undef PITH_STUB_4
#undef PITH_STUB_5

static inline uint64_t pith_now(void) /* nanoseconds since the partition started */
{
    return pith_time().rbx;
}

/* %s %c %d %i %u %x %X %p %%, flag '0', width, l ll z; bytes written without the terminator, cut at size - 1. */
size_t pith_vformat(char *buf, size_t size, const char *fmt, va_list ap);
size_t pith_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Console; what one call prints is cut at 511 bytes. */
void pith_puts(const char *text);
void pith_vprintf(const char *fmt, va_list ap);
void pith_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the partition. */
__attribute__((noreturn)) void pith_quit(uint64_t status);

/* The value of NAME=VALUE in the command line as a decimal number, or @missing. */
uint64_t pith_option(const struct pith_start *start, const char *name, uint64_t missing);
/* Bytes of RAM in the memory map, the start tables included. */
uint64_t pith_memory(const struct pith_start *start);

/* The compiler may ask for these. */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#ifdef __cplusplus
}
#endif
