/* SPDX-License-Identifier: MIT */
/* The part of <string.h> that freestanding code and the compiler itself need. */
#include "hv/lib/string.h"

/* In a loop: keeps the compiler from recognising it and calling the very function that it is the body of. */
#define OPAQUE() __asm__ volatile("")

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    u8 *d = dst;
    const u8 *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= n) /* unsigned: also true when d lies below s */
        return memcpy(dst, src, n);
    while (n--) {
        d[n] = s[n];
        OPAQUE();
    }
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
        OPAQUE();
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        n++;
        OPAQUE();
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i] || !a[i])
            return (u8)a[i] - (u8)b[i];
        OPAQUE();
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    while (*s != (char)c) {
        if (!*s++)
            return NULL;
        OPAQUE();
    }
    return (char *)(uintptr_t)s; /* the contract of the C library takes the const away */
}
