/* SPDX-License-Identifier: MIT */
/*
 * boot/ -> hypervisor contract: how a partition starts. The loader has looked into the image and says what to copy where, and
 * what the first vCPU's registers hold; the hypervisor believes neither (hv/load.c) and follows the plan at every start.
 */
#pragma once

#include <stdint.h>

#define PLAN_NOWHERE (~0ull)

enum plan_mode {
    PLAN_REAL,      /* 16-bit: a segment's base is its selector * 16 */
    PLAN_PROTECTED, /* flat 32-bit, no paging */
    PLAN_LONG,      /* flat 64-bit */
};

struct plan_copy { uint64_t gpa, source, size; };    /* source: host-physical, in one HANDOFF_MODULE range */

struct plan_start {                                  /* the boot vCPU; what is not named is as after reset */
    uint64_t rip, rsp, rax, rbx, rsi, rdi;
    uint64_t cr0, cr3, cr4, efer;
    uint64_t gdt;                                    /* guest-physical */
    uint32_t gdt_limit, mode;                        /* enum plan_mode */
    uint16_t cs, ds;                                 /* ds: in DS, ES, FS, GS and SS */
    uint32_t pad;
};

struct load_plan {
    char format[24];                                 /* "bzImage": for the log */
    uint32_t first, count;                           /* its copies in handoff.copies, done in this order in zeroed RAM */
    uint64_t tsc_khz;                                /* gpa of a uint64_t for the TSC's rate, which no loader knows; or PLAN_NOWHERE */
    struct plan_start start;
};
_Static_assert(sizeof(struct plan_start) == 104 && sizeof(struct load_plan) == 144, "no padding");
