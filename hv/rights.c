/* SPDX-License-Identifier: MIT */
/* Rights as pith.conf gives them, and the record of those who tried more. */
#include "hv/rights.h"

#include "hv/abi/hypercall.h"
#include "hv/channel.h"
#include "hv/devices.h"
#include "hv/lib/log.h"

_Static_assert(PITH_CAP_SHARE == BIT(RIGHT_SHARE) && PITH_CAP_MANAGE == BIT(RIGHT_MANAGE), "a capability is a right that reaches anybody");

static const char *const names[RIGHTS] = { "manage", "signal", "call", "share" };

void rights_init(struct partition *p)
{
    const struct manifest_rights *may = &p->conf->may;

    p->may[RIGHT_MANAGE] = may->manage;
    p->may[RIGHT_SIGNAL] = may->signal;
    p->may[RIGHT_CALL] = may->call;
    p->may[RIGHT_SHARE] = may->share;
    for (u32 i = 0; i < RIGHTS; i++)
        p->caps |= p->may[i] ? BIT(i) : 0;
    p->features = PITH_FEATURE_CONSOLE | PITH_FEATURE_TIME | PITH_FEATURE_WAIT | PITH_FEATURE_EVENT | PITH_FEATURE_VCPU |
                  PITH_FEATURE_IPC | (channel_member(p) ? PITH_FEATURE_CHANNEL : 0) | (grants_useful(p) ? PITH_FEATURE_GRANT : 0) |
                  (p->random.seeded ? PITH_FEATURE_RANDOM : 0);
    p->features |= p->may[RIGHT_MANAGE] ? PITH_FEATURE_CONTROL : 0;
    p->features |= PITH_FEATURE_METER | (devices_isolated(p) ? PITH_FEATURE_BALLOON : 0); /* devices may use all memory at any time */
}

/* One line a second at most for each partition: its log is everybody's. */
enum pith_status rights_denied(struct vcpu *v, u64 number, enum right right)
{
    struct partition *p = v->part;
    const struct partition *target = number <= nr_partitions ? partition_get((u32)number - 1) : NULL;
    const char *name = target ? target->name : "NAME";
    u64 now = arch_tsc();
    u64 count = __atomic_add_fetch(&p->denied, 1, __ATOMIC_RELAXED);

    if (count > 1 && now - p->denied_tsc < arch_tsc_khz() * 1000)
        return PITH_E_PERM;
    p->denied_tsc = now;
    log_warn("%s: denied %s of partition %lu (%lu so far) - may-%s = %s in its section of pith.conf would allow it", p->name,
             names[right], number, count, names[right], name);
    return PITH_E_PERM;
}
