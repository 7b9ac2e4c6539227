/* SPDX-License-Identifier: MIT */
/* A piece of physical memory, and ACPI tables in it. */
#pragma once

#include <string.h>

#include "hv/lib/types.h"

enum { BASE = 0x10000, SIZE = 0x2400 };

static u8 memory[SIZE];

static bool read_memory(hpa_t hpa, void *buf, size_t len)
{
    if (hpa < BASE || hpa + len > BASE + SIZE || hpa + len < hpa)
        return false;
    memcpy(buf, memory + (hpa - BASE), len);
    return true;
}

static u8 *at(hpa_t hpa)
{
    return memory + (hpa - BASE);
}

static void put(hpa_t hpa, u64 val, size_t size)
{
    memcpy(at(hpa), &val, size);
}

static void sum(hpa_t hpa, u32 len, u32 where)
{
    u8 s = 0;

    *at(hpa + where) = 0;
    for (u32 i = 0; i < len; i++)
        s = (u8)(s + *at(hpa + i));
    *at(hpa + where) = (u8)-s;
}

static void finish(hpa_t hpa, const char *signature, u32 len)
{
    memcpy(at(hpa), signature, 4);
    put(hpa + 4, len, 4);
    sum(hpa, len, 9);
}
