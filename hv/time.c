/* SPDX-License-Identifier: MIT */
/* Host TSC and a partition's nanoseconds. */
#include "hv/time.h"

u64 time_ticks_ns(u64 ticks)
{
    u64 khz = arch_tsc_khz();

    return ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
}

bool time_tell(const struct partition *p, gpa_t version_at, u32 *version, gpa_t at, const void *from, size_t size)
{
    u32 begun = ++*version, done = ++*version;

    return arch_vm_write(&p->vm, version_at, &begun, sizeof(begun)) == PITH_OK &&
           arch_vm_write(&p->vm, at, from, size) == PITH_OK &&
           arch_vm_write(&p->vm, version_at, &done, sizeof(done)) == PITH_OK;
}

u64 time_ns(const struct partition *p)
{
    return time_ticks_ns(arch_tsc() - p->start_tsc);
}

u64 time_deadline(const struct partition *p, u64 ns)
{
    u64 khz = arch_tsc_khz();
    u64 ms = ns / 1000000;

    if (ns == 0 || ms > (TIMER_NEVER >> 1) / khz)
        return TIMER_NEVER;
    return p->start_tsc + ms * khz + ns % 1000000 * khz / 1000000;
}
