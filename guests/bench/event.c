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
    { "event_across_cores", "event_across_halted", "event_across_waiter", "event_across_running" },
};

/*
 * The mean of rounds that are near each other: of the cheapest ones, which on one core are all equal. With two cores it is what most
 * rounds take, as a few find a core in another state, and not in each run; and there Bochs' clock goes by five.
 */
#define NEAR 15
struct mean { int64_t about, sum, rounds, votes; };
static bool two_cores;

static void mean_add(struct mean *m, int64_t ticks)
{
    if (!m->votes || (!two_cores && ticks < m->about - NEAR))
        *m = (struct mean){ .about = ticks };
    if (ticks < m->about - NEAR || ticks > m->about + NEAR) {
        m->votes -= two_cores;
        return;
    }
    m->sum += ticks;
    m->rounds++;
    m->votes++;
}

/* One a partition, in memory that both see. */
struct note {
    uint64_t sent;       /* when, the last time */
    struct mean sending; /* the call */
    struct mean latency; /* from the other one's sending; its clock is another */
    struct mean seen;    /* from there to the last look of one that looks at its clock until it is interrupted */
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
    back = pith_tsc();
    __asm__ volatile("pause");
    mine->sent = from;
    mean_add(&mine->sending, (int64_t)(back - from));
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
static void receive(enum how how, struct note *mine, const struct note *theirs)
{
    uint64_t before = bench_irqs, seen = 0, taken;

    if (how == HALTED)
        halt(before);
    else if (how == RUNNING)
        seen = look(before);
    else
        (void)pith_event_wait(1u << how, 0);
    taken = how == IN_CALL ? pith_tsc() : bench_taken;
    nap(1);
    mean_add(&mine->latency, (int64_t)(taken - theirs->sent));
    mean_add(&mine->seen, (int64_t)(seen - theirs->sent));
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

    two_cores = across;
    bind();
    for (enum how how = SLEEPING; how < HOWS && names[two_cores][how]; how++) {
        (void)pith_event_wait(1u << READY, 0);
        *mine = (struct note){ 0 };
        for (int i = 0; i < ROUNDS; i++) {
            receive(how, mine, theirs);
            send(peer, how, mine);
        }
    }
}

static int64_t clock_takes(void)
{
    struct mean m = { 0 };

    for (int i = 0; i < ROUNDS; i++)
        mean_add(&m, (int64_t)tsc_takes());
    return m.sum / m.rounds;
}

/* Half of both ways, without what reading the clock takes. */
static void print(const char *name, const char *of, struct mean here, struct mean there)
{
    pith_printf("bench %s%s %ld\n", name, of, (here.sum / here.rounds + there.sum / there.rounds) / 2 - clock_takes());
}

static void measure(uint64_t peer, enum how how)
{
    struct note *mine = &notes()->of[0];
    const struct note *theirs = &notes()->of[1];
    const char *name = names[two_cores][how];

    while (pith_event_send(peer, READY).status != PITH_OK)
        nap(1);
    *mine = (struct note){ 0 };
    nap(10);
    for (int i = 0; i < ROUNDS; i++) {
        send(peer, how, mine);
        receive(how, mine, theirs);
    }
    print(name, "", mine->latency, theirs->latency);
    if (two_cores)
        print(name, "_sender", mine->sending, theirs->sending);
    if (how == RUNNING)
        print(name, "_seen", mine->seen, theirs->seen);
}

void events_measure(uint64_t peer, bool across)
{
    two_cores = across;
    bind();
    for (enum how how = SLEEPING; how < HOWS && names[two_cores][how]; how++)
        measure(peer, how);
    if (two_cores)
        pith_printf("bench clock %ld\n", clock_takes());
}
