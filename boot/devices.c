/* SPDX-License-Identifier: MIT */
/* Ranges of pith.conf against this machine's memory map, ACPI tables, screen and PCI devices. */
#include "boot/devices.h"

#include "boot/pci.h"
#include "hv/lib/fmt.h"

struct exam {
    struct manifest *m;
    const struct devices_of *machine;
    manifest_mistake_fn *mistake;
    void *ctx;
};

struct window {
    u64 first, last;
    bool ports;
    const char *what;
    u32 function; /* of a PCI function's */
};

/* What to do where @r, which @p wants, meets @w. */
typedef void meet_fn(const struct exam *e, const struct window *w, struct manifest_partition *p, const struct manifest_range *r);

static const char *key_of(const struct window *w)
{
    return w->ports ? "ports" : "mmio";
}

static void each_meeting(const struct exam *e, const struct window *w, meet_fn *meet)
{
    for (struct manifest_partition *p = e->m->partitions; p < e->m->partitions + e->m->nr_partitions; p++) {
        const struct manifest_range *r = w->ports ? p->ports : p->mmio;
        u32 n = w->ports ? p->nr_ports : p->nr_mmio;

        for (u32 i = 0; i < n; i++)
            if (r[i].first <= w->last && r[i].last >= w->first)
                meet(e, w, p, &r[i]);
    }
}

static void refuse(const struct exam *e, const struct window *w, struct manifest_partition *p, const struct manifest_range *r)
{
    char text[200];

    fmt_str(text, sizeof(text), MANIFEST_KEPT_TEXT, key_of(w), r->first, r->last, p->name, w->first, w->last, w->what);
    e->mistake(e->ctx, &(struct manifest_place){ .part = p, .key = key_of(w) }, text);
}

static void keep(const struct exam *e, u64 first, u64 last, bool ports, const char *what)
{
    const struct window w = { first, last, ports, what, 0 };

    each_meeting(e, &w, refuse);
}

static u64 screen_end(const struct handoff_fb *fb)
{
    return fb->base + (u64)fb->pitch * fb->height;
}

/* Whether there is one, and its registers. */
static bool line_of(const struct devices_of *machine, struct window *w)
{
    const struct handoff_serial *s = &machine->serial;

    *w = (struct window){ s->base, s->base + 8ull * s->stride - 1, s->space == HANDOFF_IO, MANIFEST_LINE_TEXT, 0 };
    return s->bits;
}

static void keep_machine(const struct exam *e)
{
    const struct devices_of *machine = e->machine;
    struct window line;

    for (const struct handoff_range *r = machine->ranges; r < machine->ranges + machine->nr_ranges; r++)
        keep(e, r->base, r->base + r->size - 1, false, r->kind == HANDOFF_RESERVED ? "what the firmware keeps" : "RAM");
    for (const struct acpi_kept *k = machine->acpi->kept; k < machine->acpi->kept + machine->acpi->nr_kept; k++)
        keep(e, k->first, k->last, k->ports, k->what);
    if (machine->fb.bytes)
        keep(e, machine->fb.base, screen_end(&machine->fb) - 1, false, "the screen");
    if (line_of(machine, &line))
        each_meeting(e, &line, refuse);
}

static void refuse_function(const struct exam *e, const struct window *w, struct manifest_partition *p,
                            const struct manifest_range *r, const char *why)
{
    u32 f = w->function;
    char text[240];

    fmt_str(text, sizeof(text), "%s 0x%lx-0x%lx of '%s' reaches into 0x%lx-0x%lx of PCI device %02x:%02x.%u, %s", key_of(w),
            r->first, r->last, p->name, w->first, w->last, f >> 8, f >> 3 & 31, f & 7, why);
    e->mistake(e->ctx, &(struct manifest_place){ .part = p, .key = key_of(w) }, text);
}

static struct manifest_function *given_to(struct manifest_partition *p, u32 function)
{
    for (u32 i = 0; i < p->nr_functions; i++)
        if (p->functions[i].number == function)
            return &p->functions[i];
    return NULL;
}

static bool given_to_other(const struct exam *e, const struct manifest_partition *p, u32 function)
{
    for (u32 i = 0; i < e->m->nr_partitions; i++)
        if (&e->m->partitions[i] != p && given_to(&e->m->partitions[i], function))
            return true;
    return false;
}

/* The whole function is the partition's from now on. Any may be able to become a bus master: trying could start it. */
static void give_function(const struct exam *e, const struct window *w, struct manifest_partition *p,
                          const struct manifest_range *r)
{
    struct manifest_function *f = given_to(p, w->function);

    if (!(p->flags & MANIFEST_DMA_TRUSTED)) {
        refuse_function(e, w, p, r, "which could write to all memory - take it out, or write dma = trusted");
    } else if (given_to_other(e, p, w->function)) {
        refuse_function(e, w, p, r, "of which another partition has a part - give all of it to one");
    } else if (!f && p->nr_functions == MANIFEST_FUNCTIONS) {
        refuse_function(e, w, p, r, "one too many - give fewer devices");
    } else {
        if (!f) {
            f = &p->functions[p->nr_functions++];
            *f = (struct manifest_function){ w->function, PCI_CMD_MASTER };
        }
        f->command |= w->ports ? PCI_CMD_PORTS : PCI_CMD_MEMORY;
    }
}

static void examine_function(void *ctx, u32 function)
{
    const struct exam *e = ctx;
    const struct handoff_fb *fb = &e->machine->fb;
    struct pci_bar bars[PCI_BARS];
    u32 n = pci_bars(function, bars);
    const char *own = NULL;
    struct window line;
    bool has_line = line_of(e->machine, &line);

    for (u32 i = 0; i < n; i++) {
        if (fb->bytes && bars[i].first < screen_end(fb) && bars[i].last >= fb->base)
            own = "the screen's device";
        if (has_line && bars[i].ports == line.ports && bars[i].first <= line.last && bars[i].last >= line.first)
            own = "the device of " MANIFEST_LINE_TEXT;
    }
    for (u32 i = 0; i < n; i++) {
        const struct window w = { bars[i].first, bars[i].last, bars[i].ports, own, function };

        each_meeting(e, &w, own ? refuse : give_function);
    }
}

static bool any_given(const struct manifest *m)
{
    u32 n = 0;

    for (u32 i = 0; i < m->nr_partitions; i++)
        n += m->partitions[i].nr_ports + m->partitions[i].nr_mmio;
    return n;
}

void devices_examine(struct manifest *m, const struct devices_of *machine, manifest_mistake_fn *mistake, void *ctx)
{
    struct exam e = { m, machine, mistake, ctx };

    if (!any_given(m))
        return;
    keep_machine(&e);
    pci_each(examine_function, &e);
}
