/* SPDX-License-Identifier: MIT */
/*
 * The guest ABI's numbers, offsets and sizes, written a second time: a change of hv/abi that breaks guests does not compile.
 * Never edit a line that a release had; add lines for what is new. tools/abi-gen --check compiles it.
 */
#include <stddef.h>
#include <stdint.h>

#include "hv/abi/handoff.h"
#include "hv/abi/hypercall.h"
#include "hv/abi/pages.h"
#include "hv/abi/plan.h"
#include "hv/abi/start.h"
#include "hv/abi/status.h"
#include "hv/abi/trace.h"

#ifdef __cplusplus
#define GOLDEN(what, value) static_assert((what) == (value), "hv/abi changed: " #what)
#else
#define GOLDEN(what, value) _Static_assert((what) == (value), "hv/abi changed: " #what)
#endif
#define FIELD(type, field, offset, size)        \
    GOLDEN(offsetof(struct type, field), offset); \
    GOLDEN(sizeof(((struct type *)0)->field), size)

/* Status codes */
GOLDEN(PITH_OK, 0);
GOLDEN(PITH_E_CALL, 1);
GOLDEN(PITH_E_ARG, 2);
GOLDEN(PITH_E_PERM, 3);
GOLDEN(PITH_E_MEM, 4);
GOLDEN(PITH_E_BUSY, 5);
GOLDEN(PITH_E_STATE, 6);
GOLDEN(PITH_E_HW, 7);
GOLDEN(PITH_E_GONE, 8);
GOLDEN(PITH_E_TIMEOUT, 9);

/* Detection */
GOLDEN(PITH_CPUID_BASE, 0x40000000);
GOLDEN(PITH_CPUID_ABI, 0x40000001);
GOLDEN(PITH_HC_VMCALL, 1);
GOLDEN(PITH_HC_VMMCALL, 2);
GOLDEN(PITH_CAP_NONE, 0);
GOLDEN(PITH_CAP_MANAGE, 1);
GOLDEN(PITH_CAP_SIGNAL, 2);
GOLDEN(PITH_CAP_CALL, 4);
GOLDEN(PITH_CAP_SHARE, 8);
GOLDEN(PITH_FEATURE_CONSOLE, 1);
GOLDEN(PITH_FEATURE_TIME, 2);
GOLDEN(PITH_FEATURE_WAIT, 4);
GOLDEN(PITH_FEATURE_EVENT, 8);
GOLDEN(PITH_FEATURE_VCPU, 16);
GOLDEN(PITH_FEATURE_CHANNEL, 256);
GOLDEN(PITH_FEATURE_GRANT, 512);
GOLDEN(PITH_FEATURE_RANDOM, 1024);
GOLDEN(PITH_FEATURE_IPC, 32);

GOLDEN(PITH_FEATURE_CONTROL, 2048);

/* Managing */
GOLDEN(PITH_PART_STOPPED, 0);
GOLDEN(PITH_PART_LOADING, 1);
GOLDEN(PITH_PART_RUNNING, 2);
GOLDEN(PITH_PART_PAUSED, 3);
GOLDEN(PITH_PART_STOPPING, 4);
GOLDEN(PITH_PART_RESTARTS, 5);
GOLDEN(PITH_PART_ABSENT, 6);
GOLDEN(PITH_PART_CREATING, 7);
GOLDEN(PITH_PART_DESTROYING, 8);
GOLDEN(PITH_END_NONE, 0);
GOLDEN(PITH_END_EXIT, 1);
GOLDEN(PITH_END_FAULT, 2);
GOLDEN(PITH_END_STOPPED, 3);
GOLDEN(PITH_END_RESET, 4);
GOLDEN(PITH_FEATURE_METER, 4096);
GOLDEN(PITH_FEATURE_BALLOON, 8192);
GOLDEN(PITH_METER_RUN_NS, 0);
GOLDEN(PITH_METER_RAM, 1);
GOLDEN(PITH_METER_FRAMES_USED, 2);
GOLDEN(PITH_METER_FRAMES, 3);
GOLDEN(PITH_METER_STARTS, 4);
GOLDEN(PITH_METER_DENIED, 5);
GOLDEN(PITH_METER_NOTHING, 6);
GOLDEN(PITH_METER_SWITCH_NS, 7);
GOLDEN(PITH_METER_EXITS, 256);
GOLDEN(PITH_METER_EXIT_NS, 512);
GOLDEN(PITH_CORE_BUSY_NS, 0);
GOLDEN(PITH_CORE_IDLE_NS, 1);
GOLDEN(PITH_CORE_VCPUS, 2);

/* Start structures */
GOLDEN(PITH_START_MAGIC, 0x5452415453485450);
GOLDEN(PITH_MEM_RAM, 1);
GOLDEN(PITH_MEM_RESERVED, 2);
GOLDEN(PITH_MEM_ACPI, 3);

FIELD(pith_start, magic, 0, 8);
FIELD(pith_start, version, 8, 4);
FIELD(pith_start, size, 12, 4);
FIELD(pith_start, cpuid_base, 16, 4);
FIELD(pith_start, nr_vcpus, 20, 4);
FIELD(pith_start, cmdline, 24, 8);
FIELD(pith_start, tsc_khz, 32, 8);
FIELD(pith_start, nr_mem, 40, 4);
FIELD(pith_start, nr_modules, 44, 4);
FIELD(pith_start, mem, 48, 8);
FIELD(pith_start, modules, 56, 8);
FIELD(pith_start, name, 64, 16);
GOLDEN(sizeof(struct pith_start), 80);

FIELD(pith_mem, base, 0, 8);
FIELD(pith_mem, size, 8, 8);
FIELD(pith_mem, type, 16, 4);
FIELD(pith_mem, pad, 20, 4);
GOLDEN(sizeof(struct pith_mem), 24);

FIELD(pith_module, base, 0, 8);
FIELD(pith_module, size, 8, 8);
FIELD(pith_module, name, 16, 64);
GOLDEN(sizeof(struct pith_module), 80);

/* Shared pages */
GOLDEN(PITH_PAGE_RO_AT, 0xc0000000);
GOLDEN(PITH_PAGE_AT, 0xc0001000);
GOLDEN(PITH_CHANNELS_AT, 0xc0200000);
GOLDEN(PITH_CHANNEL_STEP, 0x200000);
GOLDEN(PITH_CHANNELS_END, 0xd0000000);
GOLDEN(PITH_EVENTS, 64);
GOLDEN(PITH_CLOCK_SHIFT, 56);

FIELD(pith_page_ro, version, 0, 4);
FIELD(pith_page_ro, size, 4, 4);
FIELD(pith_page_ro, clock_mul, 8, 8);
FIELD(pith_page_ro, wall_start, 16, 8);
GOLDEN(sizeof(struct pith_page_ro), 24);

FIELD(pith_page, pending, 0, 8);
FIELD(pith_page, mask, 8, 8);
GOLDEN(sizeof(struct pith_page), 16);

/* Loader and hypervisor come in one file: what changes here needs another HANDOFF_VERSION */
GOLDEN(HANDOFF_VERSION, 11);
FIELD(handoff, version, 8, 4);
FIELD(handoff, manifest_base, 48, 8);
FIELD(handoff, plans, 144, 16);
FIELD(handoff, copies, 160, 16);
FIELD(handoff, machine, 192, 312);
FIELD(handoff, entry_tsc, 504, 8);
FIELD(handoff, serial, 512, 16);
GOLDEN(sizeof(struct handoff), 528);
GOLDEN(HANDOFF_MODULE, 3);

GOLDEN(PLAN_REAL, 0);
GOLDEN(PLAN_PROTECTED, 1);
GOLDEN(PLAN_LONG, 2);
GOLDEN(PLAN_NOWHERE, ~0ull);

FIELD(plan_copy, gpa, 0, 8);
FIELD(plan_copy, source, 8, 8);
FIELD(plan_copy, size, 16, 8);
GOLDEN(sizeof(struct plan_copy), 24);

FIELD(plan_start, rip, 0, 8);
FIELD(plan_start, rsp, 8, 8);
FIELD(plan_start, rax, 16, 8);
FIELD(plan_start, rbx, 24, 8);
FIELD(plan_start, rsi, 32, 8);
FIELD(plan_start, rdi, 40, 8);
FIELD(plan_start, cr0, 48, 8);
FIELD(plan_start, cr3, 56, 8);
FIELD(plan_start, cr4, 64, 8);
FIELD(plan_start, efer, 72, 8);
FIELD(plan_start, gdt, 80, 8);
FIELD(plan_start, gdt_limit, 88, 4);
FIELD(plan_start, mode, 92, 4);
FIELD(plan_start, cs, 96, 2);
FIELD(plan_start, ds, 98, 2);
GOLDEN(sizeof(struct plan_start), 104);

FIELD(load_plan, format, 0, 24);
FIELD(load_plan, first, 24, 4);
FIELD(load_plan, count, 28, 4);
FIELD(load_plan, tsc_khz, 32, 8);
FIELD(load_plan, start, 40, 104);
GOLDEN(sizeof(struct load_plan), 144);

/* Trace records: tools read logs of older versions too. */
FIELD(pith_trace, tsc, 0, 8);
FIELD(pith_trace, value, 8, 8);
FIELD(pith_trace, operand, 16, 4);
FIELD(pith_trace, rip, 20, 4);
FIELD(pith_trace, ticks, 24, 4);
FIELD(pith_trace, kind, 28, 1);
FIELD(pith_trace, flags, 29, 1);
FIELD(pith_trace, len, 30, 1);
FIELD(pith_trace, source, 31, 1);
GOLDEN(sizeof(struct pith_trace), 32);
FIELD(pith_trace_ring, magic, 0, 4);
FIELD(pith_trace_ring, core, 4, 4);
FIELD(pith_trace_ring, mask, 8, 4);
FIELD(pith_trace_ring, khz, 12, 4);
FIELD(pith_trace_ring, head, 16, 8);
FIELD(pith_trace_ring, from, 24, 8);
GOLDEN(sizeof(struct pith_trace_ring), 32);
GOLDEN(PITH_TRACE_MAGIC, 0x43525450);
GOLDEN(PITH_TRACE_HOST_IRQ, 0);
GOLDEN(PITH_TRACE_NMI, 1);
GOLDEN(PITH_TRACE_PREEMPT, 2);
GOLDEN(PITH_TRACE_WINDOW, 3);
GOLDEN(PITH_TRACE_EXCEPTION, 4);
GOLDEN(PITH_TRACE_HLT, 5);
GOLDEN(PITH_TRACE_PAUSE, 6);
GOLDEN(PITH_TRACE_CPUID, 7);
GOLDEN(PITH_TRACE_MSR, 8);
GOLDEN(PITH_TRACE_CR, 9);
GOLDEN(PITH_TRACE_DR, 10);
GOLDEN(PITH_TRACE_XSETBV, 11);
GOLDEN(PITH_TRACE_PIO, 12);
GOLDEN(PITH_TRACE_S2_FAULT, 13);
GOLDEN(PITH_TRACE_HYPERCALL, 14);
GOLDEN(PITH_TRACE_INSN, 15);
GOLDEN(PITH_TRACE_TASK_SWITCH, 16);
GOLDEN(PITH_TRACE_SHUTDOWN, 17);
GOLDEN(PITH_TRACE_ENTRY_FAILED, 18);
GOLDEN(PITH_TRACE_OTHER, 19);
GOLDEN(PITH_TRACE_INJECT, 32);
GOLDEN(PITH_TRACE_SCHED_IN, 33);
GOLDEN(PITH_TRACE_SCHED_OUT, 34);
GOLDEN(PITH_TRACE_START, 35);
GOLDEN(PITH_TRACE_STOP, 36);
GOLDEN(PITH_TRACE_END, 37);
GOLDEN(PITH_TRACE_RESTART, 38);
GOLDEN(PITH_TRACE_PAUSED, 39);
GOLDEN(PITH_TRACE_RESUMED, 40);
GOLDEN(PITH_TRACE_WRITE, 1);
GOLDEN(PITH_TRACE_STRING, 2);
GOLDEN(PITH_TRACE_REP, 4);
GOLDEN(PITH_TRACE_FETCH, 2);
GOLDEN(PITH_TRACE_MAPPED, 4);
GOLDEN(PITH_TRACE_WALK, 8);
GOLDEN(PITH_TRACE_ERROR, 2);
