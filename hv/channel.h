/* SPDX-License-Identifier: MIT */
/* Memory that several partitions see at the same guest-physical address: pith.conf's [channel NAME]. */
#pragma once

#include "hv/partition.h"

struct channel { const struct manifest_channel *conf; gpa_t gpa; hpa_t hpa; };

/* Boot core, before the partitions: memory for all of them, zeroed once and for all. What is missing is told with its line. */
enum pith_status channels_create(const struct manifest *m) MUST_CHECK;
enum pith_status channels_map(struct partition *p) MUST_CHECK; /* those that it is a member of */
u64 channels_tables(const struct manifest *m, u32 index);      /* frames that partition @index needs for that, at most */
u64 channels_bytes(void);                                      /* of RAM, all together */
const struct channel *channel_get(u32 n);                      /* NULL behind the last */
bool channel_member(const struct partition *p);                /* of any */
enum s2_prot channel_rights(const struct channel *c, const struct partition *p); /* S2_NONE: no member */
