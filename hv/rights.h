/* SPDX-License-Identifier: MIT */
/* Authority: which other partitions a call may reach. */
#pragma once

#include "hv/partition.h"

void rights_init(struct partition *p); /* from p->conf: rights and features */
/* Counts the denial, and tells of it. PITH_E_PERM. */
enum pith_status rights_denied(struct vcpu *v, u64 number, enum right right);

static inline bool may_reach(const struct vcpu *v, u64 number, enum right right)
{
    return number - 1 < MANIFEST_PARTITIONS && (v->part->may[right] & BIT(number - 1));
}

/*
 * @number as in a call: 0 is the caller itself, which may do anything to itself. PITH_E_PERM is the answer for partitions that do not
 * exist as for those out of reach: nothing can be learned of them.
 */
static inline enum pith_status MUST_CHECK reach(struct vcpu *v, u64 number, enum right right, struct partition **p)
{
    if (!number) {
        *p = v->part;
        return PITH_OK;
    }
    if (!may_reach(v, number, right)) {
        (void)rights_denied(v, number, right);
        return PITH_E_PERM;
    }
    *p = partitions[number - 1];
    return PITH_OK;
}
