/* SPDX-License-Identifier: MIT */
/*
 * Grants. A target's map changes under its own lock (partition_map_wait()), which is held until nothing of what was unmapped is in
 * use any more; the owner's slots change under a lock of theirs. So a grant that is seen mapped under the target's lock stays so.
 */
#include "hv/grant.h"

#include "hv/abi/pages.h"
#include "hv/hypercall.h"
#include "hv/rights.h"

#define TABLE_SPAN MIB(2)
#define CHUNK      64u /* pages mapped between looks at interrupts: about 8,000 instructions */

static u64 targets; /* partitions that somebody may grant to, a bit each */

static u64 targets_of(const struct manifest *m)
{
    u64 set = 0;

    for (u32 i = 0; i < m->nr_partitions; i++)
        set |= m->partitions[i].may.share;
    return set;
}

void grants_init(const struct manifest *m)
{
    targets = targets_of(m);
}

bool grants_useful(const struct partition *p)
{
    return p->may[RIGHT_SHARE] || targets & BIT(p->index);
}

u64 grants_tables(const struct manifest *m, u32 index)
{
    return targets_of(m) & BIT(index) ? 1 + (PITH_GRANTS_END - PITH_GRANTS_AT) / TABLE_SPAN : 0;
}

enum pith_status grants_reserve(struct partition *p)
{
    enum pith_status st = PITH_OK;

    for (gpa_t at = PITH_GRANTS_AT; st == PITH_OK && targets & BIT(p->index) && at < PITH_GRANTS_END; at += TABLE_SPAN) {
        st = arch_vm_map(&p->vm, at, p->ram[0].hpa, PAGE_SIZE, S2_R, S2_WB);
        if (st == PITH_OK)
            arch_vm_unmap(&p->vm, at, PAGE_SIZE); /* tables stay */
    }
    return st;
}

/* --- numbers: serial, owner, slot; one that was revoked never comes again */

static u64 number_of(const struct partition *o, const struct grant *g, u64 serial)
{
    return serial << 16 | o->index << 8 | (u64)(g - o->grants.slot);
}

/* The owner, and in *g the slot; what is in it may change until its lock is held. */
static struct partition *owner_of(u64 number, struct grant **g)
{
    struct partition *o = partition_get(number >> 8 & 0xff);

    if (!o || (number & 0xff) >= GRANTS_MAX)
        return NULL;
    *g = &o->grants.slot[number & 0xff];
    return o;
}

static struct grant look(struct partition *o, const struct grant *g)
{
    struct grant copy;

    spin_lock(&o->grants.lock);
    copy = *g;
    spin_unlock(&o->grants.lock);
    return copy;
}

bool grant_overlaps(struct partition *p, gpa_t gpa, u64 size)
{
    bool overlaps = false;

    spin_lock(&p->grants.lock);
    for (const struct grant *g = p->grants.slot; g < p->grants.slot + GRANTS_MAX; g++)
        overlaps |= g->size && gpa < g->gpa + g->size && g->gpa < gpa + size;
    spin_unlock(&p->grants.lock);
    return overlaps;
}

/* --- giving */

/* Not what it shares with others or with Pith, and not devices. */
static bool own_ram(const struct partition *p, gpa_t gpa, u64 size)
{
    hpa_t hpa;
    u64 n;

    if (!partition_has(p, gpa, size))
        return false;
    for (; size; gpa += n, size -= n) {
        n = arch_vm_extent(&p->vm, gpa, size, S2_RW, &hpa);
        if (!n)
            return false;
    }
    return true;
}

static bool whole_pages(gpa_t gpa, u64 size)
{
    return size && size <= PITH_GRANT_MAX && !((gpa | size) & PAGE_MASK) && gpa < BIT(48);
}

static struct grant *free_slot(struct grants *gs)
{
    for (struct grant *g = gs->slot; g < gs->slot + GRANTS_MAX; g++)
        if (!g->size)
            return g;
    return NULL;
}

enum pith_status hc_grant(struct vcpu *v, struct x86_gprs *regs)
{
    struct partition *p = v->part, *target = NULL;
    enum pith_status st = reach(v, regs->rbx, RIGHT_SHARE, &target);
    u64 rights = regs->rsi;
    struct grant *g;

    if (st != PITH_OK)
        return st;
    if (!target || target == p || (rights != S2_R && rights != S2_RW) || !whole_pages(regs->rcx, regs->rdx))
        return PITH_E_ARG;
    partition_map_wait(p); /* else a page could be given back between look and grant */
    st = own_ram(p, regs->rcx, regs->rdx) ? PITH_OK : PITH_E_ARG;
    spin_lock(&p->grants.lock);
    g = free_slot(&p->grants);
    if (st == PITH_OK && !g)
        st = PITH_E_MEM;
    if (st == PITH_OK) {
        *g = (struct grant){
            .gpa = regs->rcx, .size = regs->rdx, .serial = g->serial + 1, .target = (u8)target->index, .prot = (u8)rights,
        };
        regs->rbx = number_of(p, g, g->serial);
    }
    spin_unlock(&p->grants.lock);
    partition_map_end(p);
    return st;
}

/* --- taking back */

/* Out of the target's map, and with @revoke for good. PITH_E_ARG: no such grant, or not any more. */
static enum pith_status withdraw(struct partition *o, struct grant *g, u64 number, bool revoke)
{
    struct partition *target = partition_get(look(o, g).target);
    enum pith_status st = PITH_E_ARG;
    struct grant now;

    partition_map_wait(target);
    now = look(o, g);
    if (now.size && number_of(o, g, now.serial) == number) {
        st = now.at || revoke ? PITH_OK : PITH_E_STATE;
        if (now.at) {
            arch_vm_unmap(&target->vm, now.at, now.size);
            partition_flush(target);
        }
        spin_lock(&o->grants.lock);
        g->at = 0;
        g->size = revoke ? 0 : now.size;
        spin_unlock(&o->grants.lock);
    }
    partition_map_end(target);
    return st;
}

enum pith_status hc_grant_revoke(struct vcpu *v, struct x86_gprs *regs)
{
    struct grant *g = NULL;
    struct partition *o = owner_of(regs->rbx, &g);

    return o == v->part ? withdraw(o, g, regs->rbx, true) : PITH_E_ARG;
}

enum pith_status hc_grant_unmap(struct vcpu *v, struct x86_gprs *regs)
{
    struct grant *g = NULL;
    struct partition *o = owner_of(regs->rbx, &g);

    return o && look(o, g).target == v->part->index ? withdraw(o, g, regs->rbx, false) : PITH_E_ARG;
}

bool grants_end_one(struct partition *p)
{
    for (u32 i = 0; i < nr_partitions; i++) {
        struct partition *o = partition_get(i);

        for (struct grant *g = o->grants.slot; g < o->grants.slot + GRANTS_MAX; g++) {
            struct grant now = look(o, g);

            if (!now.size || (o != p && (now.target != p->index || !now.at)))
                continue;
            (void)withdraw(o, g, number_of(o, g, now.serial), o == p);
            return true;
        }
    }
    return false;
}

/* --- mapping */

static bool in_window(gpa_t at, u64 size)
{
    return !(at & PAGE_MASK) && at >= PITH_GRANTS_AT && at < PITH_GRANTS_END && size <= PITH_GRANTS_END - at;
}

static enum pith_status map_all(struct partition *p, const struct partition *o, const struct grant *g, gpa_t at)
{
    enum pith_status st = PITH_OK;
    u64 done = 0, n;
    hpa_t hpa;

    while (done < g->size && st == PITH_OK) {
        n = arch_vm_extent(&o->vm, g->gpa + done, MIN(g->size - done, CHUNK * PAGE_SIZE), S2_RW, &hpa); /* not 0: granted pages stay */
        st = arch_vm_map(&p->vm, at + done, hpa, n, g->prot, S2_WB);
        done += st == PITH_OK ? n : 0;
        arch_irq_window();
    }
    if (st != PITH_OK && done) { /* something else is behind that */
        arch_vm_unmap(&p->vm, at, done);
        partition_flush(p);
    }
    return st;
}

enum pith_status hc_grant_map(struct vcpu *v, struct x86_gprs *regs)
{
    struct partition *p = v->part, *o;
    gpa_t at = regs->rcx;
    struct grant *g, now;
    enum pith_status st;

    o = owner_of(regs->rbx, &g);
    if (!o)
        return PITH_E_ARG;
    partition_map_wait(p);
    now = look(o, g);
    if (!now.size || now.target != p->index || number_of(o, g, now.serial) != regs->rbx || !in_window(at, now.size))
        st = PITH_E_ARG;
    else
        st = now.at ? PITH_E_STATE : map_all(p, o, &now, at);
    if (st == PITH_OK) {
        spin_lock(&o->grants.lock);
        g->at = at;
        spin_unlock(&o->grants.lock);
        regs->rbx = now.size;
        regs->rcx = now.prot;
    }
    partition_map_end(p);
    return st;
}
