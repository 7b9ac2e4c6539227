/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts inside the hypervisor. */
#pragma once

#include "hv/lib/types.h"

struct trap_frame { /* as traps.S pushes it */
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    u64 vector, error;
    u64 rip, cs, rflags, rsp, ss; /* by the processor */
};

void trap_dispatch(struct trap_frame *f);         /* called by traps.S */
NORETURN void trap_panic(const struct trap_frame *f); /* panic(), with the registers of the exception */
void panic_check(void);                           /* in the NMI handler: while another core panics, this one stops here */
void irq_dispatch(u8 vector);                     /* called by traps.S: 32 and above */
