/* SPDX-License-Identifier: MIT */
/*
 * From EVENT_SEND in one partition to what another one does first. Their TSCs differ by a number that neither knows: so each is in
 * turn the sender, and what is told is half of the sum of both ways, in which that number is not any more.
 */
#include "guests/bench/bench.h"

/* How the receiver waits; the number of its event, too. By an interrupt it is told, but in EVENT_WAIT alone. */
enum how { SLEEPING, HALTED, IN_CALL, RUNNING, HOWS, READY = HOWS };

static const char *const names[2][HOWS] = {
    { "event_to_partition", "event_to_halted", "event_to_waiter", NULL },
    { "across_sleeping", "across_halted", "across_waiter", "across_running" },
};

/* One a partition, in memory that both see. The other one's clock is in those that say how long. */
struct note {
    uint64_t sent;              /* when, the last time */
    uint64_t send_takes;        /* until the call is back; of the other core, nothing */
    int64_t latency;            /* the shortest way here */
    int64_t seen;               /* of one that looks at its clock until it is interrupted: the latest look */
};
struct notes { struct note of[2]; };

static struct notes *notes(void)
{
    struct pith_words name = pith_name("notes");

    return (struct notes *)(uintptr_t)pith_channel(name.low, name.high).rbx;
}

static void nap(uint64_t ms)
{
    (void)pith_wait(pith_now() + ms * NS_PER_MS);
}

/* PAUSE: QEMU, which runs one core at a time while it counts, goes on with the other core there. */
static void send(uint64_t peer, enum how how, struct note *mine)
{
    uint64_t from = pith_tsc(), back;

    (void)pith_event_send(peer, how);
    __asm__ volatile("pause");
    back = pith_tsc();
    mine->sent = from;
    mine->send_takes = back - from < mine->send_takes ? back - from : mine->send_takes;
}

static void halt(uint64_t before)
{
    __asm__ volatile("cli");
    while (bench_irqs == before)
        __asm__ volatile("sti; hlt; cli");
    __asm__ volatile("sti");
    (void)pith_events_take(1u << HALTED);
}

/* Looks at the clock until it is interrupted; when that was last. */
static uint64_t look(uint64_t before)
{
    uint64_t now, seen = 0;

    while (now = pith_tsc(), bench_irqs == before) {
        seen = now;
        __asm__ volatile("pause");
    }
    (void)pith_events_take(1u << RUNNING);
    return seen;
}

/* Waits for the event; what is known when the other one has noted when it sent. */
static void receive(enum how how, struct note *mine, const volatile struct note *theirs)
{
    uint64_t before = bench_irqs, seen = 0, taken;
    int64_t latency;

    if (how == HALTED)
        halt(before);
    else if (how == RUNNING)
        seen = look(before);
    else
        (void)pith_event_wait(1u << how, 0);
    taken = how == IN_CALL ? pith_tsc() : bench_taken;
    nap(1);
    latency = (int64_t)(taken - theirs->sent);
    mine->latency = latency < mine->latency ? latency : mine->latency;
    if (seen && (int64_t)(seen - theirs->sent) > mine->seen)
        mine->seen = (int64_t)(seen - theirs->sent);
}

static void prepare(struct note *mine)
{
    *mine = (struct note){ .send_takes = ~0ull, .latency = INT64_MAX, .seen = INT64_MIN };
}

static void bind(void)
{
    (void)pith_events_take(~0ull); /* what other measurements sent */
    for (enum how how = SLEEPING; how < HOWS; how++)
        (void)pith_event_bind(how, 0, how == IN_CALL ? 0 : VECTOR_X2APIC);
    (void)pith_event_bind(READY, 0, 0);
}

void events_answer(uint64_t peer, bool across)
{
    struct note *mine = &notes()->of[1], *theirs = &notes()->of[0];

    bind();
    for (enum how how = SLEEPING; how < HOWS && names[across][how]; how++) {
        (void)pith_event_wait(1u << READY, 0);
        prepare(mine);
        for (int i = 0; i < ROUNDS; i++) {
            receive(how, mine, theirs);
            send(peer, how, mine);
        }
    }
}

static void print(const char *name, int64_t both_ways)
{
    pith_printf("bench %s %ld\n", name, both_ways / 2 - (int64_t)tsc_takes());
}

static void measure(uint64_t peer, enum how how, const char *name)
{
    struct note *mine = &notes()->of[0];
    const volatile struct note *theirs = &notes()->of[1];

    while (pith_event_send(peer, READY).status != PITH_OK)
        nap(1);
    prepare(mine);
    nap(10);
    for (int i = 0; i < ROUNDS; i++) {
        send(peer, how, mine);
        receive(how, mine, theirs);
    }
    print(name, mine->latency + theirs->latency);
    if (how != RUNNING)
        return;
    print("across_seen", mine->seen + theirs->seen);
    print("across_send", (int64_t)(mine->send_takes + theirs->send_takes));
}

void events_measure(uint64_t peer, bool across)
{
    bind();
    for (enum how how = SLEEPING; how < HOWS && names[across][how]; how++)
        measure(peer, how, names[across][how]);
}
