/* SPDX-License-Identifier: MIT */
/* The only door to guest RAM: a page of this core's address space that shows one frame at a time. */
#pragma once

#include "arch/x86/vm.h"

enum window_slot {
    WINDOW_DATA,
    WINDOW_WALK, /* guest page tables, while DATA stays */
    WINDOW_CODE, /* pages that RIPs were seen in, the last one of the resident vCPU's is v->fetch */
    WINDOW_CODE_TABLES = WINDOW_CODE + CODE_PAGES, /* and the tables that led to that */
    WINDOW_SLOTS = WINDOW_CODE_TABLES + 4
};

/* Shows the frame at @page (page-aligned) read-write in this core's slot until the next call for that slot. */
void *window_get(enum window_slot slot, hpa_t page);
