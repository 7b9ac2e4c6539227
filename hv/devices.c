/* SPDX-License-Identifier: MIT */
/* Which real devices a partition may have on this machine, and how it gets their ports and memory. */
#include "hv/devices.h"

#include "drivers/pci.h"
#include "hv/lib/log.h"

/* key, first and last, name of the partition; first and last that nobody may have, and what that is */
#define MANIFEST_KEPT_TEXT "%s 0x%lx-0x%lx of '%s' reaches into 0x%lx-0x%lx, %s - take that out"

#define GIVEN_MAX 64u

/* A PCI function that a partition was given some registers of. */
struct given {
    const struct manifest_partition *part;
    u32 function;
    u16 command; /* what it must do while the partition runs */
};
static struct given given[GIVEN_MAX];
static u32 nr_given;

struct window {
    u64 first, last;
    bool ports;
    const char *what;
    u32 function; /* of a PCI function's */
};

/* What to do where @r, which @p wants, meets @w. False: it may not have it, and that was said. */
typedef bool meet_fn(const struct window *w, const struct manifest_partition *p, const struct manifest_range *r);

static const char *key_of(const struct window *w)
{
    return w->ports ? "ports" : "mmio";
}

static bool each_meeting(const struct manifest *m, const struct window *w, meet_fn *meet)
{
    bool good = true;

    for (const struct manifest_partition *p = m->partitions; p < m->partitions + m->nr_partitions; p++) {
        const struct manifest_range *r = w->ports ? p->ports : p->mmio;
        u32 n = w->ports ? p->nr_ports : p->nr_mmio;

        for (u32 i = 0; i < n; i++)
            if (r[i].first <= w->last && r[i].last >= w->first)
                good &= meet(w, p, &r[i]);
    }
    return good;
}

static bool refuse(const struct window *w, const struct manifest_partition *p, const struct manifest_range *r)
{
    log_error("pith.conf:%u: " MANIFEST_KEPT_TEXT, p->line, key_of(w), r->first, r->last, p->name, w->first, w->last, w->what);
    return false;
}

static bool keep(const struct manifest *m, u64 first, u64 last, bool ports, const char *what)
{
    const struct window w = { first, last, ports, what, 0 };

    return each_meeting(m, &w, refuse);
}

static bool keep_memory_map(const struct manifest *m, const struct handoff *h)
{
    const u8 *at = phys_to_virt(h->ranges.base);
    bool good = true;

    for (u32 i = 0; i < h->ranges.count; i++, at += h->ranges.stride) {
        const struct handoff_range *r = (const void *)at;

        good &= keep(m, r->base, r->base + r->size - 1, false,
                     r->kind == HANDOFF_RESERVED ? "what the firmware keeps" : "RAM");
    }
    return good;
}

static u64 screen_end(const struct handoff *h)
{
    return h->fb.base + (u64)h->fb.pitch * h->fb.height;
}

static bool keep_machine(const struct manifest *m, const struct handoff *h)
{
    bool good = keep_memory_map(m, h);
    const struct acpi_kept *k;

    for (u32 i = 0; (k = arch_kept(i)) != NULL; i++)
        good &= keep(m, k->first, k->last, k->ports, k->what);
    if (h->fb.format != HANDOFF_FB_NONE)
        good &= keep(m, h->fb.base, screen_end(h) - 1, false, "the screen");
    return good;
}

static bool refuse_function(const struct window *w, const struct manifest_partition *p, const struct manifest_range *r,
                            const char *why)
{
    u32 f = w->function;

    log_error("pith.conf:%u: %s 0x%lx-0x%lx of '%s' reaches into 0x%lx-0x%lx of PCI device %02x:%02x.%u, %s", p->line,
              key_of(w), r->first, r->last, p->name, w->first, w->last, f >> 8, f >> 3 & 31, f & 7, why);
    return false;
}

/* The whole function is the partition's from now on. Any may be able to become a bus master: trying could start it. */
static bool give_function(const struct window *w, const struct manifest_partition *p, const struct manifest_range *r)
{
    struct given *g = given;

    if (!(p->flags & MANIFEST_DMA_TRUSTED))
        return refuse_function(w, p, r, "which could write to all memory - take it out, or write dma = trusted");
    while (g < given + nr_given && g->function != w->function)
        g++;
    if (g == given + GIVEN_MAX)
        return refuse_function(w, p, r, "one too many - give fewer devices");
    if (g == given + nr_given)
        given[nr_given++] = (struct given){ p, w->function, PCI_CMD_MASTER };
    if (g->part != p)
        return refuse_function(w, p, r, "of which another partition has a part - give all of it to one");
    g->command |= w->ports ? PCI_CMD_PORTS : PCI_CMD_MEMORY;
    return true;
}

struct pci_exam {
    const struct manifest *m;
    const struct handoff *h;
    bool good;
};

static void examine_function(void *ctx, u32 function)
{
    struct pci_exam *e = ctx;
    struct pci_bar bars[PCI_BARS];
    u32 n = pci_bars(function, bars);
    bool screen = false;

    for (u32 i = 0; i < n; i++)
        screen |= e->h->fb.format != HANDOFF_FB_NONE && bars[i].first < screen_end(e->h) && bars[i].last >= e->h->fb.base;
    for (u32 i = 0; i < n; i++) {
        const struct window w = { bars[i].first, bars[i].last, bars[i].ports, "the screen's device", function };

        e->good &= each_meeting(e->m, &w, screen ? refuse : give_function);
    }
}

static bool any_given(const struct manifest *m)
{
    u32 n = 0;

    for (u32 i = 0; i < m->nr_partitions; i++)
        n += m->partitions[i].nr_ports + m->partitions[i].nr_mmio;
    return n;
}

enum pith_status devices_check(const struct manifest *m, const struct handoff *h)
{
    struct pci_exam pci = { .m = m, .h = h };

    if (!any_given(m))
        return PITH_OK;
    pci.good = keep_machine(m, h);
    pci_each(examine_function, &pci);
    return pci.good ? PITH_OK : PITH_E_ARG;
}

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

static void set_commands(const struct partition *p, bool run)
{
    for (const struct given *g = given; g < given + nr_given; g++) {
        u16 command = (u16)pci_read(g->function, PCI_COMMAND);

        if (g->part != p->conf)
            continue;
        if (run)
            command = (u16)((command | g->command) & ~PCI_CMD_INTX_OFF);
        else
            command = (u16)((command & ~PCI_CMD_MASTER) | PCI_CMD_INTX_OFF);
        pci_write16(g->function, PCI_COMMAND, command);
    }
}

void devices_start(struct partition *p)
{
    set_commands(p, true);
    device_irqs_start(p);
}

void devices_stop(struct partition *p)
{
    device_irqs_stop(p);
    set_commands(p, false);
}
