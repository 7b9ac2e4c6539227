/* SPDX-License-Identifier: MIT */
/* One instruction per function. */
#pragma once

#include "hv/lib/types.h"

static inline u8 inb(u16 port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 inw(u16 port) { u16 v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outb(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(u16 port, u16 v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outl(u16 port, u32 v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

static inline u8 mmio_read8(const volatile void *at) { return *(const volatile u8 *)at; }
static inline u32 mmio_read32(const volatile void *at) { return *(const volatile u32 *)at; }
static inline void mmio_write8(volatile void *at, u8 v) { *(volatile u8 *)at = v; }
static inline void mmio_write32(volatile void *at, u32 v) { *(volatile u32 *)at = v; }

static inline u64 rdmsr(u32 msr)
{
    u32 lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
    u32 lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return lo | (u64)hi << 32;
}

static inline bool rdrand(u64 *val)
{
    bool good;

    __asm__ volatile("rdrand %0" : "=r"(*val), "=@ccc"(good));
    return good;
}

static inline void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

/* XCR0, of which nobody has the upper half: cpu_init.c. */
static inline u32 xgetbv(void)
{
    u32 lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

static inline void xsetbv(u32 val)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"(val), "d"(0) : "memory");
}

/* Save and restore all that XCR0 enables; @area is 64-byte aligned. The compiler uses none of these registers. */
static inline void xsave64(void *area)
{
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline void xrstor64(const void *area)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline u64 read_cr0(void) { u64 v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline u64 read_cr2(void) { u64 v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
static inline u64 read_cr3(void) { u64 v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline u64 read_cr4(void) { u64 v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(u64 v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
static inline void write_cr2(u64 v) { __asm__ volatile("mov %0, %%cr2" : : "r"(v) : "memory"); }
static inline void write_cr3(u64 v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
static inline void write_cr4(u64 v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }

static inline u64 read_dr0(void) { u64 v; __asm__ volatile("mov %%dr0, %0" : "=r"(v)); return v; }
static inline u64 read_dr1(void) { u64 v; __asm__ volatile("mov %%dr1, %0" : "=r"(v)); return v; }
static inline u64 read_dr2(void) { u64 v; __asm__ volatile("mov %%dr2, %0" : "=r"(v)); return v; }
static inline u64 read_dr3(void) { u64 v; __asm__ volatile("mov %%dr3, %0" : "=r"(v)); return v; }
static inline u64 read_dr6(void) { u64 v; __asm__ volatile("mov %%dr6, %0" : "=r"(v)); return v; }
static inline void write_dr0(u64 v) { __asm__ volatile("mov %0, %%dr0" : : "r"(v)); }
static inline void write_dr1(u64 v) { __asm__ volatile("mov %0, %%dr1" : : "r"(v)); }
static inline void write_dr2(u64 v) { __asm__ volatile("mov %0, %%dr2" : : "r"(v)); }
static inline void write_dr3(u64 v) { __asm__ volatile("mov %0, %%dr3" : : "r"(v)); }
static inline void write_dr6(u64 v) { __asm__ volatile("mov %0, %%dr6" : : "r"(v)); }
static inline void write_dr7(u64 v) { __asm__ volatile("mov %0, %%dr7" : : "r"(v)); }

static inline void invlpg(const void *va) { __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory"); }
static inline void cpu_relax(void) { __asm__ volatile("pause" : : : "memory"); }
static inline void cpu_cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void cpu_sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void cpu_hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
