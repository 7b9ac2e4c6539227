/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables, walked in software. Pure: reads through a callback.
 * SDM 3, Paging; APM 2, Page Translation and Protection. Protection keys are not offered to guests and not looked at.
 */
#pragma once

#include "arch/x86/vm.h"

struct gwalk_env {
    struct vm_mode mode;       /* cpl: of the access, 0 for implicit supervisor accesses (then with RFLAGS.AC = 0) */
    bool nx, page_1g;          /* EFER.NXE is honoured; 1 GiB pages exist */
    u8 maxphyaddr;
    /* 4 or 8 bytes at a guest-physical address; false: nothing there, which reads as ones, as on a bus. */
    bool (*read)(void *ctx, gpa_t gpa, void *buf, size_t len);
    /* Sets Accessed (and Dirty) bits: compare and exchange. False: the entry changed, the walk begins again, a few times;
     * then the translation stands without them. NULL: never set. */
    bool (*update)(void *ctx, gpa_t gpa, u64 old, u64 val, size_t len);
    void *ctx;
};
enum gwalk_access { GWALK_READ = 0, GWALK_WRITE = 1, GWALK_FETCH = 2 };

/* Guest-linear to guest-physical for one byte; false: *fault is the #PF (or #GP for a non-canonical address) to inject. */
bool gwalk(const struct gwalk_env *env, u64 linear, enum gwalk_access access, gpa_t *gpa, struct x86_event *fault);
