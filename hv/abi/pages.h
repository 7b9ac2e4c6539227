/* SPDX-License-Identifier: MIT */
/* Memory that Pith shares with a partition, at the same guest-physical addresses in each; above all RAM that lies below 4 GiB. */
#pragma once

#define PITH_PAGE_RO_AT   0xc0000000u
#define PITH_CHANNELS_AT  0xc0200000u /* channels, each at the next multiple of PITH_CHANNEL_STEP */
#define PITH_CHANNEL_STEP 0x200000u
#define PITH_CHANNELS_END 0xd0000000u
#define PITH_GRANTS_AT    0xd0000000u /* where a partition maps what others grant to it */
#define PITH_GRANTS_END   0xd4000000u
