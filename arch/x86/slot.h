/* SPDX-License-Identifier: MIT */
/*
 * A core's slot: 4 MiB of virtual addresses at HOST_CORES_BASE + index * 4 MiB. Its first 2 MiB hold, page by page,
 *   guard, stack (4), guard, #DF stack (2), guard, NMI stack (2), guard, #MC stack (2), guard, own page table, windows;
 * the second 2 MiB are one large page that host_zero() moves about. All 256 slots make one page directory.
 * Every stack lies in its core's slot, so the stack pointer tells which core this is, whatever %gs holds.
 */
#pragma once

#define SLOT_BASE        0xffff868000000000 /* HOST_CORES_BASE, for assembly */
#define SLOT_SHIFT       22
#define SLOT_STACK       1                  /* pages from the slot's start */
#define SLOT_STACK_PAGES 4
#define SLOT_DF          6
#define SLOT_NMI         9
#define SLOT_MC          12
#define SLOT_IST_PAGES   2
#define SLOT_TABLE       15
#define SLOT_WINDOWS     16
#define SLOT_FRAMES      11                 /* page table, then the stacks in the order above */
