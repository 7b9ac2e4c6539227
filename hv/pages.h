/* SPDX-License-Identifier: MIT */
/* The two pages that every partition shares with the hypervisor: hv/abi/pages.h. */
#pragma once

#include "hv/partition.h"

enum pith_status pages_create(struct partition *p) MUST_CHECK; /* and maps them */
void pages_reset(struct partition *p);                         /* as a start of the partition finds them; none of its vCPUs runs */
