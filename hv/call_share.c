/* SPDX-License-Identifier: MIT */
/* Calls for memory that partitions share. */
#include "hv/hypercall.h"

#include "hv/channel.h"
#include "hv/lib/string.h"

enum pith_status hc_channel(struct vcpu *v, struct x86_gprs *g)
{
    const struct channel *c;

    for (u32 i = 0; (c = channel_get(i)); i++) {
        enum s2_prot prot = channel_rights(c, v->part);
        u64 name[2];

        memcpy(name, c->conf->name, sizeof(name));
        if (!prot || name[0] != g->rbx || name[1] != g->rcx)
            continue;
        g->rbx = c->gpa;
        g->rcx = c->conf->size;
        g->rdx = prot;
        return PITH_OK;
    }
    return PITH_E_ARG;
}
