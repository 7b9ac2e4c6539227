/* SPDX-License-Identifier: MIT */
/* Channels: made at boot, never taken away. */
#include "hv/channel.h"

#include "hv/abi/pages.h"
#include "hv/lib/log.h"
#include "hv/ram.h"

static struct channel channels[MANIFEST_CHANNELS];
static u32 nr_channels;

const struct channel *channel_get(u32 n)
{
    return n < nr_channels ? &channels[n] : NULL;
}

enum s2_prot channel_rights(const struct channel *c, const struct partition *p)
{
    if (c->conf->writers & BIT(p->index))
        return S2_RW;
    return c->conf->readers & BIT(p->index) ? S2_R : S2_NONE;
}

bool channel_member(const struct partition *p)
{
    bool member = false;

    for (u32 i = 0; i < nr_channels; i++)
        member |= channel_rights(&channels[i], p) != S2_NONE;
    return member;
}

/* Where the processor takes large pages, those are what it gets. */
static hpa_t take(const struct manifest_channel *c)
{
    hpa_t hpa = ram_take(c->size, c->size < MIB(2) ? PAGE_SIZE : MIB(2), ~0ull);

    if (hpa)
        host_zero(hpa, c->size);
    return hpa;
}

enum pith_status channels_create(const struct manifest *m)
{
    gpa_t gpa = PITH_CHANNELS_AT;

    for (u32 i = 0; i < m->nr_channels; i++) {
        const struct manifest_channel *c = &m->channels[i];

        channels[i] = (struct channel){ c, gpa, take(c) };
        if (!channels[i].hpa) {
            log_error("pith.conf:%u: not enough memory for channel %s (%lu KiB wanted, %lu MiB free) - lower size =", c->line, c->name,
                      c->size >> 10, ram_free_bytes() >> 20);
            return PITH_E_MEM;
        }
        gpa += ALIGN_UP(c->size, (u64)PITH_CHANNEL_STEP);
    }
    nr_channels = m->nr_channels;
    return PITH_OK;
}

enum pith_status channels_map(struct partition *p)
{
    enum pith_status st = PITH_OK;

    for (const struct channel *c = channels; st == PITH_OK && c < channels + nr_channels; c++) {
        enum s2_prot prot = channel_rights(c, p);

        if (prot)
            st = arch_vm_map(&p->vm, c->gpa, c->hpa, c->conf->size, prot, S2_WB);
    }
    return st;
}

u64 channels_tables(const struct manifest *m, u32 index)
{
    u64 n = 1;

    for (u32 i = 0; i < m->nr_channels; i++)
        if ((m->channels[i].readers | m->channels[i].writers) & BIT(index))
            n += ALIGN_UP(m->channels[i].size, MIB(2)) / MIB(2);
    return n;
}

u64 channels_bytes(void)
{
    u64 bytes = 0;

    for (u32 i = 0; i < nr_channels; i++)
        bytes += channels[i].conf->size;
    return bytes;
}
