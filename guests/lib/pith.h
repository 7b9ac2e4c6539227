/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtualized guest is written with. Freestanding C11 or C++; define guest_main() and link with guests/lib.
 * The calls, pith_version() to pith_exit(), are in guests/lib/calls.h; hv/abi/ABI.md says what they do.
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

#include "guests/lib/calls.h"
#include "hv/abi/hypercall.h"
#include "hv/abi/start.h"

#define PITH_NS_PER_S UINT64_C(1000000000)

struct pith_cpuid { uint32_t eax, ebx, ecx, edx; };

/* The guest's own. What it returns is its exit status. */
int guest_main(const struct pith_start *start);

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

/* A name of at most 15 characters, as calls take it. */
struct pith_words { uint64_t low, high; };
static inline struct pith_words pith_name(const char *name)
{
    struct pith_words w = { 0, 0 };

    for (unsigned i = 0; i < 15 && name[i]; i++)
        *(i < 8 ? &w.low : &w.high) |= (uint64_t)(uint8_t)name[i] << i % 8 * 8;
    return w;
}

/* The compiler may ask for these. */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#ifdef __cplusplus
}
#endif
