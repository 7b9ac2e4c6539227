/* SPDX-License-Identifier: MIT */
/* The only door to guest RAM: a page of this core's address space that shows one frame at a time. */
#pragma once

#include "hv/lib/types.h"

enum window_slot {
    WINDOW_DATA,
    WINDOW_WALK, /* guest page tables, while DATA stays */
    WINDOW_CODE, /* the page that the resident vCPU's RIP was last seen in: v->fetch */
    WINDOW_CODE_TABLES, /* and the tables that led there */
    WINDOW_SLOTS = WINDOW_CODE_TABLES + 4
};

/* Shows the frame at @page (page-aligned) read-write in this core's slot until the next call for that slot. */
void *window_get(enum window_slot slot, hpa_t page);
