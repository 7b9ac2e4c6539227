/* SPDX-License-Identifier: MIT */
/* Balloons: a vCPU asks and sleeps, core 0 does it. */
#include "hv/balloon.h"

#include "hv/hypercall.h"
#include "hv/lib/string.h"
#include "hv/load.h"
#include "hv/ram.h"

#define PIECE  ((u64)PITH_BALLOON_SIZE)
#define NO_YET BIT(31) /* in answers[], with the ticket */

enum balloon_state { BALLOON_FREE, BALLOON_TAKEN, BALLOON_ASKED };

/* --- the vCPU's side */

static bool has_answer(struct vcpu *v, bool late)
{
    u32 answer = __atomic_load_n(&v->part->balloon.answers[v->index], __ATOMIC_ACQUIRE);

    (void)late;
    if (answer & NO_YET)
        return false;
    v->arch.gpr.rax = answer;
    return true;
}

static enum pith_status ask(struct vcpu *v, gpa_t gpa, bool in)
{
    struct partition *p = v->part;
    struct balloon *b = &p->balloon;
    u32 none = BALLOON_FREE;

    if (gpa & (PIECE - 1) || !partition_has(p, gpa, PIECE))
        return PITH_E_ARG;
    if (!(p->features & PITH_FEATURE_BALLOON))
        return PITH_E_STATE;
    if (!__atomic_compare_exchange_n(&b->state, &none, BALLOON_TAKEN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return PITH_E_BUSY;

    b->gpa = gpa;
    b->in = in;
    b->vcpu = v->index;
    b->ticket = (b->ticket + 1) | NO_YET;
    __atomic_store_n(&b->answers[v->index], b->ticket, __ATOMIC_RELAXED);
    /* RELEASE: pairs with balloon_serve(). */
    __atomic_store_n(&b->state, BALLOON_ASKED, __ATOMIC_RELEASE);
    house_call(partitions_house);
    vcpu_block(v, 0, has_answer);
    return PITH_OK;
}

enum pith_status hc_balloon_out(struct vcpu *v, struct x86_gprs *g)
{
    return ask(v, g->rbx, false);
}

enum pith_status hc_balloon_in(struct vcpu *v, struct x86_gprs *g)
{
    return ask(v, g->rbx, true);
}

/* --- core 0's */

static u32 append(struct extent *to, u32 n, struct extent e)
{
    struct extent *last = n ? &to[n - 1] : NULL;

    if (!e.size)
        return n;
    if (last && last->gpa + last->size == e.gpa && last->hpa + last->size == e.hpa) {
        last->size += e.size;
        return n;
    }
    to[n] = e;
    return n + 1;
}

/* p's extents, sorted, with the piece at @gpa from @hpa, or, 0, without it. Their number: one more than there are, at most. */
static u32 arrange(const struct partition *p, gpa_t gpa, hpa_t hpa, struct extent *to)
{
    struct extent piece = { gpa, hpa, hpa ? PIECE : 0 };
    u32 n = 0;

    for (const struct extent *e = p->ram; e < p->ram + p->nr_ram; e++) {
        u64 before = gpa > e->gpa ? MIN(gpa - e->gpa, e->size) : 0;
        u64 behind = gpa + PIECE > e->gpa ? MIN(gpa + PIECE - e->gpa, e->size) : 0;

        n = append(to, n, (struct extent){ e->gpa, e->hpa, before });
        if (before < e->size) {
            n = append(to, n, piece);
            piece.size = 0;
        }
        n = append(to, n, (struct extent){ e->gpa + behind, e->hpa + behind, e->size - behind });
    }
    return append(to, n, piece);
}

static void commit(struct partition *p, const struct extent *ram, u32 n, u64 out)
{
    memcpy(p->ram, ram, n * sizeof(*ram));
    p->nr_ram = n;
    __atomic_store_n(&p->balloon.out, out, __ATOMIC_RELAXED);
}

static enum pith_status give_out(struct partition *p, gpa_t gpa)
{
    struct extent ram[PARTITION_EXTENTS + 1];
    u32 n = arrange(p, gpa, 0, ram);
    hpa_t hpa;

    if (!arch_vm_translate(&p->vm, gpa, S2_RW, &hpa) || grant_overlaps(p, gpa, PIECE))
        return PITH_E_STATE;
    if (n > PARTITION_EXTENTS || !p->frames.nr_free) /* it may be part of a page of 1 GiB, which takes a table to split */
        return PITH_E_MEM;

    arch_vm_unmap(&p->vm, gpa, PIECE);
    partition_flush(p);
    commit(p, ram, n, p->balloon.out + PIECE);
    ram_give(hpa, PIECE);
    return PITH_OK;
}

/* Where it was, or so that it follows what is before it: few extents stay few. */
static hpa_t best_place(const struct partition *p, gpa_t gpa)
{
    hpa_t best = 0;

    for (const struct extent *e = p->ram; e < p->ram + p->nr_ram && (e == p->ram || e->gpa < gpa); e++)
        best = e->hpa + (gpa - e->gpa);
    return best;
}

static enum pith_status take_in(struct partition *p, struct balloon *b)
{
    struct extent ram[PARTITION_EXTENTS + 1];
    enum pith_status st;
    hpa_t there;
    u32 n;

    if (arch_vm_translate(&p->vm, b->gpa, S2_NONE, &there))
        return PITH_E_STATE;
    if (!b->hpa) {
        b->hpa = ram_take_piece(best_place(p, b->gpa));
        b->scrubbed = 0;
    }
    n = arrange(p, b->gpa, b->hpa, ram);
    if (!b->hpa || n > PARTITION_EXTENTS)
        return PITH_E_MEM;
    if (b->scrubbed < PIECE) {
        host_zero(b->hpa + b->scrubbed, LOAD_CHUNK);
        b->scrubbed += LOAD_CHUNK;
        return PITH_E_BUSY;
    }
    st = arch_vm_map(&p->vm, b->gpa, b->hpa, PIECE, S2_RWX, S2_WB);
    if (st != PITH_OK)
        return st;

    commit(p, ram, n, b->out - PIECE);
    b->hpa = 0;
    return PITH_OK;
}

static enum pith_status step(struct partition *p)
{
    struct balloon *b = &p->balloon;
    enum pith_status st;

    if (!partition_runs(p))
        return PITH_E_GONE;
    st = partition_map_begin(p);
    if (st != PITH_OK)
        return st;
    st = b->in ? take_in(p, b) : give_out(p, b->gpa);
    p->frames_given = p->frames.nr_total - p->frames.nr_free;
    partition_map_end(p);
    return st;
}

void balloon_serve(struct partition *p)
{
    struct balloon *b = &p->balloon;
    enum pith_status st;
    u32 ticket, vcpu;

    if (__atomic_load_n(&b->state, __ATOMIC_ACQUIRE) != BALLOON_ASKED)
        return;
    st = step(p);
    if (st == PITH_E_BUSY) {
        house_call(partitions_house);
        arch_irq_window();
        return;
    }
    if (b->hpa)
        ram_give(b->hpa, PIECE);
    b->hpa = 0;
    ticket = b->ticket;
    vcpu = b->vcpu;
    /*
     * Free first: who has its answer can ask again. One that left the call meanwhile, and asks again, has another ticket by then. RELEASE:
     * to who takes it next, and to has_answer().
     */
    __atomic_store_n(&b->state, BALLOON_FREE, __ATOMIC_RELEASE);
    if (st == PITH_E_GONE) /* so is who asked, or it will be soon */
        return;
    __atomic_compare_exchange_n(&b->answers[vcpu], &ticket, st, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    vcpu_wake(p->vcpus[vcpu]);
}

/* Taken out and put in anew, so that a partition that has made many pieces of itself is in few again. It may be stopped in between. */
enum pith_status balloon_refill_step(struct partition *p)
{
    struct balloon *b = &p->balloon;
    enum pith_status st;

    if (!b->out)
        return PITH_OK;
    if (!p->load.refills && ram_free_pieces() + partition_ram_taken(p) < p->conf->memory)
        return PITH_E_MEM;
    st = partition_map_step(p, p->load.refills);
    p->frames_given = p->frames.nr_total - p->frames.nr_free;
    if (st != PITH_OK)
        return st;
    p->load.scrubbed = 0;
    if (p->load.refills) {
        __atomic_store_n(&b->out, 0, __ATOMIC_RELAXED);
        return PITH_OK;
    }
    p->load.refills = true;
    partition_give_ram(p);
    st = partition_take_ram(p);
    return st == PITH_OK ? PITH_E_BUSY : st;
}
