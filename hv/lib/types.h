/* SPDX-License-Identifier: MIT */
/* Fixed-width names, address spaces, and the handful of macros everything uses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int64_t s64;
typedef u64 hpa_t; /* host-physical address */
typedef u64 gpa_t; /* guest-physical address */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (PAGE_SIZE - 1)
#define KIB(n)     ((u64)(n) << 10)
#define MIB(n)     ((u64)(n) << 20)
#define GIB(n)     ((u64)(n) << 30)

#define MUST_CHECK     __attribute__((warn_unused_result))
#define NORETURN       __attribute__((noreturn))
#define PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define BIT(n)         (1ull << (n))
#define MIN(a, b)      ((a) < (b) ? (a) : (b))
#define MAX(a, b)      ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)   (((x) + (a) - 1) & ~((a) - 1)) /* a: a power of two of x's type */
#define ALIGN_DOWN(x, a) ((x) & ~((a) - 1))
