/* SPDX-License-Identifier: MIT */
/*
 * The calls by which partitions call each other. A caller is in one list of the other's endpoint from its call until its answer; a
 * vCPU that serves is in a third one while it waits. Whoever is told to look may find that somebody else was faster, but as long as
 * callers queue and servers wait, one of these has been told.
 */
#include "hv/ipc.h"

#include "hv/hypercall.h"
#include "hv/rights.h"
#include "hv/sched.h"

static struct endpoint {
    struct spinlock lock;
    bool open;
    u64 calls;
    struct vcpu *list[IPC_LISTS]; /* by enum ipc_state */
} __attribute__((aligned(64))) endpoints[MANIFEST_PARTITIONS];
_Static_assert(sizeof(struct endpoint) <= 64, "a cache line each");

static inline struct endpoint *endpoint_of(u64 index)
{
    struct endpoint *e = &endpoints[index];

    __asm__("" : "+r"(e)); /* one address: it is not to be computed again for every field */
    return e;
}

static u32 state_of(const struct vcpu *v)
{
    /* ACQUIRE: pairs with the RELEASE in answer(); the words are visible. */
    return __atomic_load_n(&v->ipc.state, __ATOMIC_ACQUIRE);
}

static void unlink_from(struct vcpu **link, const struct vcpu *v)
{
    while (*link != v)
        link = &(*link)->ipc.next;
    *link = v->ipc.next;
}

static void enter(struct endpoint *e, struct vcpu *v, enum ipc_state state)
{
    v->ipc.at = e;
    v->ipc.state = state;
    v->ipc.next = e->list[state];
    e->list[state] = v;
}

/* Callers are served in order. */
static void queue(struct endpoint *e, struct vcpu *v)
{
    struct vcpu **link = &e->list[IPC_QUEUED];

    while (*link)
        link = &(*link)->ipc.next;
    v->ipc.at = e;
    v->ipc.state = IPC_QUEUED;
    v->ipc.next = NULL;
    *link = v;
}

/* Somebody queues, or who was told of it goes. */
static void tell(const struct endpoint *e)
{
    if (e->list[IPC_QUEUED] && e->list[IPC_SERVES])
        vcpu_wake(e->list[IPC_SERVES]);
}

static void give(const struct vcpu *caller, const u64 word[3], struct vcpu *server)
{
    struct x86_gprs *g = &server->arch.gpr;

    g->rbx = caller->ipc.client;
    g->rcx = word[0];
    g->rdx = word[1];
    g->rsi = word[2];
}

/* The first who queues, into @server's registers. */
static bool take(struct endpoint *e, struct vcpu *server)
{
    struct vcpu *caller = e->list[IPC_QUEUED];

    if (!caller)
        return false;
    e->list[IPC_QUEUED] = caller->ipc.next;
    enter(e, caller, IPC_TAKEN);
    if (caller->home == server->home)
        server->lender = caller;
    give(caller, caller->ipc.word, server);
    return true;
}

bool ipc_leave(struct vcpu *v)
{
    struct endpoint *e = v->ipc.at;
    bool in;

    if (state_of(v) == IPC_NONE)
        return false;
    spin_lock(&e->lock); /* also of one that was answered: who did that has let go of it */
    in = v->ipc.state < IPC_LISTS;
    if (in) {
        unlink_from(&e->list[v->ipc.state], v);
        tell(e);
    }
    v->ipc.state = IPC_NONE;
    spin_unlock(&e->lock);
    return in;
}

/* A server's: done() of its wait. */
static bool served(struct vcpu *v, bool late)
{
    struct endpoint *e = v->ipc.at;

    /* RELAXED: who queues now tells this vCPU, or one that tells it. */
    if (!__atomic_load_n(&e->list[IPC_QUEUED], __ATOMIC_RELAXED) && !late && !vcpu_interrupted(v))
        return false;
    spin_lock(&e->lock);
    if (!take(e, v))
        v->arch.gpr.rbx = 0;
    unlink_from(&e->list[IPC_SERVES], v);
    v->ipc.state = IPC_NONE;
    tell(e);
    spin_unlock(&e->lock);
    return true;
}

static inline void serve(struct endpoint *e, struct vcpu *v, u64 deadline)
{
    if (take(e, v))
        return;
    if (vcpu_interrupted(v)) {
        v->arch.gpr.rbx = 0;
        return;
    }
    enter(e, v, IPC_SERVES);
    vcpu_block(v, deadline, served);
}

static void put_words(struct x86_gprs *g, u64 w0, u64 w1, u64 w2)
{
    g->rbx = w0;
    g->rcx = w1;
    g->rdx = w2;
}

/* A caller's. */
static bool answered(struct vcpu *v, bool late)
{
    struct x86_gprs *g = &v->arch.gpr;

    if (state_of(v) != IPC_ANSWERED && !late)
        return false;
    g->rax = ipc_leave(v) ? PITH_E_TIMEOUT : v->ipc.status;
    put_words(g, v->ipc.word[0], v->ipc.word[1], v->ipc.word[2]);
    return true;
}

/* Where nobody queues, and a server waits on this core. */
static struct vcpu *server_here(const struct endpoint *e, const struct cpu *cpu)
{
    struct vcpu *s = e->list[IPC_QUEUED] ? NULL : e->list[IPC_SERVES];

    while (s && s->home != cpu)
        s = s->ipc.next;
    return s;
}

/* What it waits for is in its registers, and it lives here. It runs next, in the share where @v runs, if that @waits. */
static inline void hand_on(struct vcpu *v, struct vcpu *other, bool waits)
{
    vcpu_unblock(other);
    if (other->state != VCPU_BLOCKED || other->paused)
        return;
    if (waits)
        sched_lend(v->home, other);
    else
        sched_ready(v->home, other);
}

/* The words go to the server at once. */
static void call_here(struct endpoint *e, struct vcpu *v, struct vcpu *server)
{
    const struct x86_gprs *g = &v->arch.gpr;
    const u64 word[3] = { g->rcx, g->rdx, g->rsi };

    unlink_from(&e->list[IPC_SERVES], server);
    server->ipc.state = IPC_NONE;
    enter(e, v, IPC_TAKEN);
    give(v, word, server);
}

static __attribute__((noinline)) void call_later(struct endpoint *e, struct vcpu *v)
{
    const struct x86_gprs *g = &v->arch.gpr;

    v->ipc.word[0] = g->rcx;
    v->ipc.word[1] = g->rdx;
    v->ipc.word[2] = g->rsi;
    queue(e, v);
    tell(e);
}

/* The server is not done with another call, or was not asked for one yet: it comes to that in the time that is promised to @v. */
static __attribute__((noinline)) void lend_to_busy(struct vcpu *v, const struct partition *p)
{
    for (u32 i = 0; i < p->nr_vcpus; i++)
        if (p->vcpus[i]->home == v->home && p->vcpus[i]->state == VCPU_READY) {
            sched_lend_busy(v->home, p->vcpus[i]);
            return;
        }
}

/* Both calls look at v's registers, not at @g, which are the same: one pointer less to keep. */
enum pith_status hc_ipc_call(struct vcpu *v, struct x86_gprs *g)
{
    u64 number = v->arch.gpr.rbx;
    struct endpoint *e = endpoint_of((number - 1) % MANIFEST_PARTITIONS);
    struct vcpu *server;

    (void)g;
    if (number && !may_reach(v, number, RIGHT_CALL))
        return rights_denied(v, number, RIGHT_CALL);
    if (!number || number == v->part->index + 1)
        return PITH_E_ARG;
    spin_lock(&e->lock);
    if (!e->open) {
        spin_unlock(&e->lock);
        return PITH_E_GONE;
    }
    v->ipc.client = ++e->calls << 16 | (v->part->index + 1) << 8 | v->index;
    server = server_here(e, v->home);
    if (server)
        call_here(e, v, server);
    else
        call_later(e, v);
    spin_unlock(&e->lock);
    vcpu_block(v, v->arch.gpr.rdi, answered);
    if (server)
        hand_on(v, server, true);
    else if (v->share.budget && v->home->rq.cur == &v->share)
        lend_to_busy(v, partition_get((u32)number - 1));
    return PITH_OK;
}

enum pith_status hc_ipc_wait(struct vcpu *v, struct x86_gprs *g)
{
    struct endpoint *e = endpoint_of(v->part->index);

    spin_lock(&e->lock);
    serve(e, v, g->rbx);
    spin_unlock(&e->lock);
    return PITH_OK;
}

/* Of one that is in no list any more. */
static void answer(struct vcpu *caller, enum pith_status st, const struct x86_gprs *g)
{
    caller->ipc.status = st;
    caller->ipc.word[0] = g->rcx;
    caller->ipc.word[1] = g->rdx;
    caller->ipc.word[2] = g->rsi;
    __atomic_store_n(&caller->ipc.state, IPC_ANSWERED, __ATOMIC_RELEASE);
    vcpu_wake(caller);
}

/* Whom @name names, taken out of the list. */
static struct vcpu *client(struct endpoint *e, u64 name)
{
    struct vcpu *c = e->list[IPC_TAKEN];

    while (c && c->ipc.client != name)
        c = c->ipc.next;
    if (c)
        unlink_from(&e->list[IPC_TAKEN], c);
    return c;
}

/* The answer of @v to @c. The latter, if it lives on this core: it has it. */
static struct vcpu *reply(struct vcpu *v, struct vcpu *c)
{
    const struct x86_gprs *g = &v->arch.gpr;

    if (c->home != v->home) {
        answer(c, PITH_OK, g);
        return NULL;
    }
    put_words(&c->arch.gpr, g->rcx, g->rdx, g->rsi);
    c->ipc.state = IPC_NONE;
    return c;
}

enum pith_status hc_ipc_reply_wait(struct vcpu *v, struct x86_gprs *g)
{
    struct endpoint *e = endpoint_of(v->part->index);
    u64 name = v->arch.gpr.rbx;
    struct vcpu *c = NULL;

    (void)g;
    spin_lock(&e->lock);
    if (name) {
        c = client(e, name);
        if (!c) {
            spin_unlock(&e->lock);
            return PITH_E_GONE;
        }
        c = reply(v, c);
    }
    serve(e, v, v->arch.gpr.rdi);
    spin_unlock(&e->lock);
    if (c)
        hand_on(v, c, v->arch.wait == WAIT_CALL && v->home->rq.cur != &v->share); /* lends what it was lent, nothing of its own */
    return PITH_OK;
}

bool ipc_serves(const struct vcpu *server, const struct vcpu *caller)
{
    u32 state = state_of(caller);

    return (state == IPC_QUEUED || state == IPC_TAKEN) && caller->ipc.at == endpoint_of(server->part->index);
}

void ipc_open(const struct partition *p)
{
    struct endpoint *e = endpoint_of(p->index);

    spin_lock(&e->lock);
    e->open = true;
    spin_unlock(&e->lock);
}

void ipc_close(const struct partition *p)
{
    static const struct x86_gprs nothing;
    struct endpoint *e = endpoint_of(p->index);

    spin_lock(&e->lock);
    e->open = false;
    for (u32 i = IPC_QUEUED; i <= IPC_TAKEN; i++)
        for (struct vcpu *next, *c = e->list[i]; c; c = next) {
            next = c->ipc.next;
            e->list[i] = next;
            answer(c, PITH_E_GONE, &nothing);
        }
    spin_unlock(&e->lock);
}
