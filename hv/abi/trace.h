/* SPDX-License-Identifier: MIT */
/*
 * What happened, for the people who run guests: 32 bytes a record, a ring a core, written by that core alone. The oldest are
 * overwritten, and counted. The monitor's `trace dump` prints them, tools/pith-trace reads that, or a ring as it is in memory.
 */
#pragma once

#include <stdint.h>

/* KIND(number, NAME): numbers are never reused. */
#define PITH_TRACE_EXITS(KIND)                                                                                    \
    KIND(0, HOST_IRQ) KIND(1, NMI) KIND(2, PREEMPT) KIND(3, WINDOW) KIND(4, EXCEPTION) KIND(5, HLT) KIND(6, PAUSE) \
    KIND(7, CPUID) KIND(8, MSR) KIND(9, CR) KIND(10, DR) KIND(11, XSETBV) KIND(12, PIO) KIND(13, S2_FAULT)         \
    KIND(14, HYPERCALL) KIND(15, INSN) KIND(16, TASK_SWITCH) KIND(17, SHUTDOWN) KIND(18, ENTRY_FAILED) KIND(19, OTHER)
#define PITH_TRACE_EVENTS(KIND)                                                                                   \
    KIND(32, INJECT) KIND(33, SCHED_IN) KIND(34, SCHED_OUT) KIND(35, START) KIND(36, STOP) KIND(37, END) KIND(38, RESTART) \
    KIND(39, PAUSED) KIND(40, RESUMED)

enum pith_trace_kind {
#define KIND(nr, name) PITH_TRACE_##name = nr,
    PITH_TRACE_EXITS(KIND) PITH_TRACE_EVENTS(KIND)
#undef KIND
};
#define PITH_TRACE_KINDS 41u
#define PITH_TRACE_PENDING 255u /* in a ring: is being written */

enum pith_trace_flags {
    PITH_TRACE_WRITE = 1,                                                      /* MSR, CR, DR, PIO (OUT), S2_FAULT */
    PITH_TRACE_STRING = 2, PITH_TRACE_REP = 4,                                 /* PIO */
    PITH_TRACE_FETCH = 2, PITH_TRACE_MAPPED = 4, PITH_TRACE_WALK = 8,          /* S2_FAULT */
    PITH_TRACE_ERROR = 2,                                                      /* EXCEPTION, INJECT: has an error code */
};

/*
 *               operand                              value
 * CPUID         EAX                                  ECX
 * MSR           its number                           what was written or read
 * CR, DR        number, general register << 8        0
 * XSETBV        ECX                                  EDX:EAX
 * PIO           port, bytes << 16                    EAX, whose lower bytes were written or read; 0 of string instructions
 * S2_FAULT      0                                    guest-physical address
 * HYPERCALL     EAX                                  EBX, status << 32
 * INSN          enum x86_insn                        0
 * EXCEPTION     vector, error code << 16             #PF: address, #DB: bits of DR6
 * INJECT        vector, error code << 16             type: 0 interrupt, 2 NMI, 3 exception, 4 to 6 of software
 * ENTRY_FAILED, OTHER: the processor's exit reason   its details
 * SCHED_OUT     0 its turn is over, 1 waits, 2 ended ticks that it had the core
 * STOP, END     enum partition_end                   exit status
 * RESTART       which in a row                       milliseconds until then
 */
struct pith_trace {
    uint64_t tsc;     /* the machine's ticks; of an exit: when the guest had left */
    uint64_t value;
    uint32_t operand;
    uint32_t rip;     /* of exits, with `trace = ... rip`: the guest's, lower half */
    uint32_t ticks;   /* of exits: until it was dealt with */
    uint8_t kind, flags;
    uint8_t len;      /* the same: how far RIP was moved; 255: elsewhere */
    uint8_t source;   /* partition << 4 | vCPU */
};
_Static_assert(sizeof(struct pith_trace) == 32, "tools/pith-trace");

#define PITH_TRACE_MAGIC 0x43525450u /* "PTRC" */
struct pith_trace_ring {
    uint32_t magic, core;
    uint32_t mask;    /* room for records, a power of two, less 1 */
    uint32_t khz;     /* ticks a millisecond */
    uint64_t head;    /* ever written; the newest is at (head - 1) & mask */
    uint64_t from;    /* where it was cleared last */
    struct pith_trace at[];
};
_Static_assert(sizeof(struct pith_trace_ring) == 32, "tools/pith-trace");
