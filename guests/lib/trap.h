/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts for guests that provoke them on purpose: tests and labs. */
#pragma once

#include "guests/lib/pith.h"

#ifdef __cplusplus
extern "C" {
#endif

enum trap_vector { TRAP_DE = 0, TRAP_DB = 1, TRAP_BP = 3, TRAP_UD = 6, TRAP_DF = 8, TRAP_GP = 13, TRAP_PF = 14 };

#define TRAP_NONE (-1)  /* nothing happened */
#define TRAP_IRQ  0x40u /* the vector for interrupts; others have no gate */

struct trap_frame {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error; /* error 0 where the exception has none */
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "trap.S");

extern struct trap_frame trap_last;     /* of the last exception */
extern uint64_t trap_cr2;
extern volatile uint64_t trap_irqs;     /* interrupts taken at TRAP_IRQ */
extern void (*trap_on_irq)(void);       /* called for each of them, before it is acknowledged; NULL: nothing is */

/* GDT with user segments (0x18, 0x20), TSS and 32-bit code (0x38), and an IDT.
 * An exception outside trap_try() is reported and ends the guest. */
void trap_init(void);
/* The local APIC on, as x2APIC: interrupts at TRAP_IRQ come once IF is set, and are ended there. */
void trap_lapic_on(void);
/* Calls fn(arg); TRAP_NONE, or the vector of the exception that ended it. Not nested. */
int trap_try(void (*fn)(uint64_t arg), uint64_t arg);
/* The same at CPL 3, after trap_open_user(); fn ends with trap_user_done(). */
int trap_try_user(void (*fn)(uint64_t arg), uint64_t arg);
/* Lets CPL 3 see all that the start's page tables map. */
void trap_open_user(void);
static inline void trap_user_done(void) /* trap_try_user() returns TRAP_BP */
{
    __asm__ volatile("int3");
}

#ifdef __cplusplus
}
#endif
