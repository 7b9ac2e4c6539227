/* SPDX-License-Identifier: MIT */
/* Loading a partition by the loader's plan, which is looked at before it is believed. */
#include "hv/load.h"

#include "arch/x86/cpu/regs.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"

/* Bits that a start state may have: what a boot protocol needs, and every processor takes. */
#define START_CR0  (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define START_CR4  (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define START_EFER (EFER_LME | EFER_LMA)

static const struct handoff *handoff;

static const void *element(const struct handoff_array *a, u64 index)
{
    return phys_to_virt(a->base + index * a->stride);
}

void load_init(const struct handoff *h)
{
    handoff = h;
    for (u32 i = 0; i < h->ranges.count; i++) {
        const struct handoff_range *r = element(&h->ranges, i);

        if (r->kind == HANDOFF_MODULE && host_map(r->base, r->size, HOST_RO) != phys_to_virt(r->base))
            panic("no memory to map the partitions' files");
    }
}

static bool within(u64 at, u64 size, u64 base, u64 length)
{
    return at >= base && at - base <= length && size <= length - (at - base);
}

/* RAM may come in several pieces that follow each other. */
static bool in_ram(const struct partition *p, gpa_t gpa, u64 size)
{
    for (u32 i = 0; i < p->nr_ram && size; i++) {
        u64 offset = gpa - p->ram[i].gpa;
        u64 n = offset < p->ram[i].size ? MIN(size, p->ram[i].size - offset) : 0;

        gpa += n;
        size -= n;
    }
    return !size;
}

static bool in_module(hpa_t hpa, u64 size)
{
    for (u32 i = 0; i < handoff->ranges.count; i++) {
        const struct handoff_range *r = element(&handoff->ranges, i);

        if (r->kind == HANDOFF_MODULE && within(hpa, size, r->base, r->size))
            return true;
    }
    return false;
}

static bool copies_sound(const struct partition *p)
{
    if (!within(p->plan->first, p->plan->count, 0, handoff->copies.count))
        return false;
    for (u32 i = 0; i < p->plan->count; i++) {
        const struct plan_copy *c = element(&handoff->copies, p->plan->first + i);

        if (!in_module(c->source, c->size) || !in_ram(p, c->gpa, c->size))
            return false;
    }
    return p->plan->tsc_khz == PLAN_NOWHERE || in_ram(p, p->plan->tsc_khz, sizeof(u64));
}

/* What the processor refuses all the same ends the partition when it starts. */
static bool start_sound(const struct plan_start *s)
{
    static const u64 cr0[] = { [PLAN_REAL] = 0, [PLAN_PROTECTED] = CR0_PE, [PLAN_LONG] = CR0_PE | CR0_PG };
    bool flat64 = s->mode == PLAN_LONG;

    return s->mode < ARRAY_SIZE(cr0) && (s->cr0 & (CR0_PE | CR0_PG)) == cr0[s->mode] && !(s->cr0 & ~START_CR0) &&
           !(s->cr4 & ~START_CR4) && s->efer == (flat64 ? START_EFER : 0) && (!flat64 || s->cr4 & CR4_PAE) &&
           s->gdt_limit <= 0xffff && !(s->cr3 & PAGE_MASK);
}

bool load_check(struct partition *p, u32 index)
{
    if (index >= handoff->plans.count)
        return false;
    p->plan = element(&handoff->plans, index);
    return !p->plan->format[sizeof(p->plan->format) - 1] && copies_sound(p) && start_sound(&p->plan->start);
}

/* False: all of it is zero. */
static bool scrub_some(struct partition *p)
{
    u64 skip = p->load.scrubbed;

    for (u32 i = 0; i < p->nr_ram; i++) {
        u64 n;

        if (skip >= p->ram[i].size) {
            skip -= p->ram[i].size;
            continue;
        }
        n = MIN(LOAD_CHUNK, p->ram[i].size - skip);
        p->load.scrub_tsc -= arch_tsc();
        host_zero(p->ram[i].hpa + skip, n);
        p->load.scrub_tsc += arch_tsc();
        p->load.scrubbed += n;
        return true;
    }
    return false;
}

static enum pith_status copy_some(struct partition *p)
{
    const struct plan_copy *c = element(&handoff->copies, p->plan->first + p->load.copy);
    u64 done = p->load.copied, n = MIN(c->size - done, LOAD_CHUNK);
    enum pith_status st = arch_vm_write(&p->vm, c->gpa + done, phys_to_virt(c->source + done), n);

    p->load.copied += n;
    if (p->load.copied == c->size) {
        p->load.copy++;
        p->load.copied = 0;
    }
    return st == PITH_OK ? PITH_E_BUSY : st;
}

enum pith_status load_step(struct partition *p)
{
    u64 khz = arch_tsc_khz();

    if (scrub_some(p))
        return PITH_E_BUSY;
    if (p->load.copy < p->plan->count)
        return copy_some(p);
    return p->plan->tsc_khz == PLAN_NOWHERE ? PITH_OK : arch_vm_write(&p->vm, p->plan->tsc_khz, &khz, sizeof(khz));
}
