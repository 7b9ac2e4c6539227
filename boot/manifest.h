/* SPDX-License-Identifier: MIT */
/* What every manifest must satisfy. Pure: tools/pith-check runs the same code. */
#pragma once

#include "hv/abi/manifest.h"
#include "hv/abi/pages.h"
#include "hv/abi/status.h"
#include "hv/lib/types.h"

#define MANIFEST_MEMORY_MIN MIB(1)
#define MANIFEST_MEMORY_MAX GIB(1024)
#define MANIFEST_TRACE_MIN  KIB(4)
#define MANIFEST_TRACE_MAX  MIB(16)
/* Times in us. Shorter ones would be spent on going from one to the other. */
#define MANIFEST_PERIOD_MIN 200u
#define MANIFEST_PERIOD_MAX 1000000u
#define MANIFEST_BUDGET_MIN 50u
#define MANIFEST_SLOT_MIN   100u
#define MANIFEST_WINDOW     10000u /* in which an entitlement is kept */
#define MANIFEST_ENTITLEMENT_MIN 500u /* of the window */
#define MANIFEST_WEIGHT_MIN 10u
#define MANIFEST_WEIGHT_MAX 1000u
#define MANIFEST_IRQ_MAX    23u /* the last pin of a guest's I/O APIC */
#define MANIFEST_MMIO_MAX   (BIT(52) - 1) /* the widest physical address x86-64 allows */

/* What a mistake is about: a partition, a channel, a cyclic frame, or none of them: the whole. @key: which line of pith.conf to change. */
struct manifest_place {
    const struct manifest_partition *part;
    const struct manifest_channel *channel;
    const struct manifest_cyclic *cyclic;
    const char *key;
};
/* Called once per mistake; @text reads "what is wrong - what to do". */
typedef void manifest_mistake_fn(void *ctx, const struct manifest_place *at, const char *text);

#define MANIFEST_LINE_TEXT "Pith's console, which serial in [pith] can move"
/* key, first and last, name of the partition; first and last that nobody may have, and what that is */
#define MANIFEST_KEPT_TEXT "%s 0x%lx-0x%lx of '%s' reaches into 0x%lx-0x%lx, %s - take that out"

#define MANIFEST_COMS     4u
#define MANIFEST_PC_CLOCK 1843200u /* Hz, of a UART */
/* com1 to com4, @n from 0, as PCs have them. */
struct manifest_serial manifest_com(u32 n);
/* What has these ports or that memory on every machine; NULL: nothing. */
const char *manifest_kept(bool ports, u64 first, u64 last);
/* The guest-physical address of channel @n, the same in every partition; of the one behind the last: where they end. */
u64 manifest_channel_address(const struct manifest *m, u32 n);
/* What partitions 0 to @last need: those on request may have the same memory, one after the other. */
u64 manifest_memory(const struct manifest *m, u32 last);
/* Reports every mistake. @nr_cores: what this machine has, MANIFEST_CORES when not known yet. */
void manifest_examine(const struct manifest *m, u32 nr_modules, u32 nr_cores,
                      manifest_mistake_fn *mistake, void *ctx);
/* What is no mistake, and may surprise: of a manifest without mistakes. */
void manifest_warn(const struct manifest *m, manifest_mistake_fn *warn, void *ctx);
