/* SPDX-License-Identifier: MIT */
/* How a partition gets the ports and memory of its real devices, and when they may act. */
#include "hv/devices.h"

#include "drivers/pci.h"
#include "hv/lib/log.h"

/* In the worst case each leads to tables of its own on every level, and is mapped by the smallest pages. */
u64 devices_frames(const struct manifest_partition *c)
{
    u64 n = 0;

    for (u32 i = 0; i < c->nr_mmio; i++)
        n += (c->mmio[i].last - c->mmio[i].first) / MIB(1) + 8;
    return n;
}

static enum pith_status map_memory(struct partition *p, const struct manifest_range *r)
{
    enum pith_status st = arch_vm_map(&p->vm, r->first, r->first, r->last - r->first + 1, S2_RW, S2_UC);

    if (st != PITH_OK)
        log_error("pith.conf:%u: mmio 0x%lx-0x%lx of '%s' cannot be mapped (status %d) - give less", p->conf->line, r->first,
                  r->last, p->name, st);
    return st;
}

enum pith_status devices_create(struct partition *p)
{
    const struct manifest_partition *c = p->conf;
    enum pith_status st = device_irqs_create(p);

    for (u32 i = 0; i < c->nr_ports; i++)
        arch_vm_trap_pio(&p->vm, (u16)c->ports[i].first, (u32)(c->ports[i].last - c->ports[i].first + 1), false);
    for (u32 i = 0; st == PITH_OK && i < c->nr_mmio; i++)
        st = map_memory(p, &c->mmio[i]);
    if (!devices_isolated(p))
        log_error("%s is NOT ISOLATED (dma = trusted): its devices could read and write all memory", p->name);
    return st == PITH_OK ? PITH_OK : PITH_E_ARG;
}

bool devices_isolated(const struct partition *p)
{
    return !(p->conf->flags & MANIFEST_DMA_TRUSTED);
}

static void set_commands(const struct manifest_partition *c, bool run)
{
    for (const struct manifest_function *f = c->functions; f < c->functions + c->nr_functions; f++) {
        u16 command = (u16)pci_read(f->number, PCI_COMMAND);

        if (run)
            command = (u16)((command | f->command) & ~PCI_CMD_INTX_OFF);
        else
            command = (u16)((command & ~PCI_CMD_MASTER) | PCI_CMD_INTX_OFF);
        pci_write16(f->number, PCI_COMMAND, command);
    }
}

void devices_start(struct partition *p)
{
    set_commands(p->conf, true);
    device_irqs_start(p);
}

void devices_stop(struct partition *p)
{
    device_irqs_stop(p);
    set_commands(p->conf, false);
}
