/* SPDX-License-Identifier: MIT */
/* Real devices that pith.conf gives to partitions: ports, memory, interrupts. */
#pragma once

#include "hv/partition.h"

u64 devices_frames(const struct manifest_partition *c);                /* for tables of its device memory */
enum pith_status devices_create(struct partition *p) MUST_CHECK;       /* ports and memory, for good */
bool devices_isolated(const struct partition *p);                      /* false: it has a device that reaches all memory */

/* Core 0. Interrupts and bus mastering are on from start to stop. */
void devices_start(struct partition *p);
void devices_stop(struct partition *p);

/* device_irq.c: their interrupts alone. */
enum pith_status device_irqs_create(struct partition *p) MUST_CHECK;
void device_irqs_start(struct partition *p);
void device_irqs_stop(struct partition *p);
/* Interrupt @gsi has come, IF=0, on the core it was routed to; then that core's cpu_attend(). */
void devices_irq(u32 gsi);
void devices_attend(struct cpu *cpu);
/* Holds p->lock: the guest ends @vector, before its I/O APIC hears of it. */
void devices_eoi(struct partition *p, u8 vector);
