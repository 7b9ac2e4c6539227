/* SPDX-License-Identifier: MIT */
/* The instruction itself. Everybody but tests uses the stubs, guests/lib/calls.h. */
#pragma once

#include <stdint.h>

#include "hv/abi/hypercall.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pith_result {
    int64_t status;    /* enum pith_status, or PITH_CALL_UNKNOWN */
    uint64_t rbx, rcx, rdx, rsi, rdi; /* results, as many as the call has */
};

/* PITH_HC_VMCALL or PITH_HC_VMMCALL: asked of CPUID once, before guest_main(). */
extern uint32_t pith_hypercall_insn;

/* @rax as it goes into the register. */
static inline struct pith_result pith_hypercall(uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi,
                                                uint64_t rdi)
{
    struct pith_result r;

    if (pith_hypercall_insn == PITH_HC_VMMCALL)
        __asm__ volatile("vmmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi) : : "memory");
    else
        __asm__ volatile("vmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi) : : "memory");
    r = (struct pith_result){ (int64_t)rax, rbx, rcx, rdx, rsi, rdi };
    return r;
}

#ifdef __cplusplus
}
#endif
