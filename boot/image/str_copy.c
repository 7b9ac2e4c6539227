/* SPDX-License-Identifier: MIT */
/* Bounded copies of strings. */
#include "boot/image/parts.h"

bool str_copy(char *dst, const char *src, size_t size)
{
    size_t n = 0;

    if (!size)
        return false;
    while (n < size - 1 && src[n]) {
        dst[n] = src[n];
        n++;
    }
    dst[n] = 0;
    return !src[n];
}
