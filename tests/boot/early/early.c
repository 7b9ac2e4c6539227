/* SPDX-License-Identifier: MIT */
/* A failure between the firmware's screen and the hypervisor's own, linked by ld --wrap into a hypervisor that nobody ships. */
#include "arch/x86/host.h"

enum pith_status __real_arch_host_init(const struct handoff *h, struct frame_pool *pool, void *self);
enum pith_status __wrap_arch_host_init(const struct handoff *h, struct frame_pool *pool, void *self);

enum pith_status __wrap_arch_host_init(const struct handoff *h, struct frame_pool *pool, void *self)
{
    enum pith_status st = __real_arch_host_init(h, pool, self);

    return st == PITH_OK ? PITH_E_MEM : st;
}
