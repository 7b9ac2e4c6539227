/* SPDX-License-Identifier: MIT */
/* Where the second-stage walker finds its tables: the direct map here, plain memory in unit tests. */
#pragma once

#include "hv/lib/types.h"

u64 *s2_table_at(hpa_t table);
