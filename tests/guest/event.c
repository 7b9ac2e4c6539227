/* SPDX-License-Identifier: MIT */
/* Events within one partition, the pages it shares with Pith, and the timer. dead=N: a partition that it may signal, and that ends. */
#include "guests/lib/event.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define NS_PER_MS     UINT64_C(1000000)
#define ROUNDS        300u
#define BIT(n)        (1ull << (n))

enum { POLLED = 3, IRQ = 63, PING = 10, PONG, OTHERS_IRQ, UNBOUND = 40 };

static uint64_t at_start;
static volatile uint32_t others_rounds;

/* What is pending is taken here, and not before. */
static uint64_t irqs_now(void)
{
    uint64_t before = trap_irqs;

    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    return trap_irqs - before;
}

static uint64_t status(struct pith_result r)
{
    return (uint64_t)r.status;
}

/* --- the pages */

static bool in_map(const struct pith_start *start, uint64_t gpa)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;

    for (uint32_t i = 0; i < start->nr_mem; i++)
        if (gpa - mem[i].base < mem[i].size)
            return true;
    return false;
}

static void pages(const struct pith_start *start)
{
    volatile uint64_t *ro = (volatile uint64_t *)(uintptr_t)PITH_PAGE_RO_AT;
    uint64_t was = ro[1], zero = 0;

    test_equal(at_start, 0, "events-none-at-start");
    test_ok(PITH_PAGE_RO->version == 1 && PITH_PAGE_RO->size >= sizeof(struct pith_page_ro), "page-version");
    test_ok(!in_map(start, PITH_PAGE_RO_AT) && !in_map(start, PITH_PAGE_AT), "pages-in-no-map");
    ro[1] = ~was;
    test_equal(ro[1], was, "page-read-only");
    for (unsigned i = sizeof(struct pith_page) / 8; i < 512; i++)
        zero |= ((const volatile uint64_t *)PITH_PAGE)[i];
    test_equal(zero, 0, "page-zero");
    test_equal(*(volatile uint64_t *)(uintptr_t)(PITH_PAGE_AT + 0x1000u), ~0ull, "nothing-above-the-pages");
}

static void clock_by_page(void)
{
    bool between = true;

    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = pith_now(), now = pith_clock(), after = pith_now();

        between &= before <= now + 1 && now <= after + 1; /* rounding */
    }
    test_ok(between, "clock-as-time");
    test_ok(PITH_PAGE_RO->wall_start > 1600000000, "wall-clock");
}

/* --- complaints */

static void complaints(const struct pith_start *start)
{
    static const uint64_t bad[][3] = { { 64, 0, 0x40 }, { ~0ull, 0, 0x40 }, { 0, 16, 0x40 }, { 0, ~0ull, 0 }, { 0, 0, 1 }, { 0, 0, 15 },
                                       { 0, 0, 256 }, { 0, 0, 1ull << 32 | 0x40 } };
    uint64_t dead = pith_option(start, "dead", 0), end = pith_now() + 60 * PITH_NS_PER_S;
    bool all = true;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        all &= pith_event_bind(bad[i][0], bad[i][1], bad[i][2]).status == PITH_E_ARG;
    all &= pith_event_bind(0, start->nr_vcpus, 0).status == PITH_E_ARG;
    test_ok(all, "bind-arguments");
    test_equal(status(pith_event_send(0, 0)), PITH_E_STATE, "bind-refused-is-no-bind");
    test_equal(status(pith_event_send(0, UNBOUND)), PITH_E_STATE, "send-unbound");
    test_equal(status(pith_event_send(0, 64)), PITH_E_ARG, "send-no-such-event");
    test_equal(status(pith_timer(1, UNBOUND)), PITH_E_STATE, "timer-unbound");
    test_equal(status(pith_timer(1, 64)), PITH_E_ARG, "timer-no-such-event");
    all = true;
    for (uint64_t n = 1; n < 70; n++)
        all &= n == dead || pith_event_send(n, 0).status == PITH_E_PERM;
    test_ok(all && pith_event_send(~0ull, 0).status == PITH_E_PERM, "send-to-others");
    while (pith_event_send(dead, 0).status != PITH_E_GONE && pith_now() < end)
        (void)pith_wait(pith_now() + 10 * NS_PER_MS);
    test_equal(status(pith_event_send(dead, 0)), PITH_E_GONE, "send-to-the-dead");
    test_equal(pith_events_pending(), 0, "nothing-pending-after-complaints");
}

/* --- within one vCPU */

static void bits(void)
{
    (void)pith_event_bind(POLLED, 0, 0);
    (void)pith_event_bind(IRQ, 0, TRAP_IRQ);
    test_equal(status(pith_event_send(0, POLLED)), PITH_OK, "send");
    test_equal(pith_events_pending(), BIT(POLLED), "pending");
    test_equal(irqs_now(), 0, "polled-without-interrupt");
    (void)pith_event_send(0, POLLED);
    test_equal(pith_events_take(~0ull), BIT(POLLED), "sent-twice-is-one");
    (void)pith_event_send(0, IRQ);
    test_equal(irqs_now(), 1, "interrupt");
    (void)pith_event_send(0, IRQ);
    test_equal(irqs_now(), 1, "interrupt-although-pending");
    pith_events_mask(BIT(IRQ));
    (void)pith_event_send(0, IRQ);
    test_equal(irqs_now(), 0, "masked-without-interrupt");
    test_equal(pith_events_unmask(BIT(IRQ)), BIT(IRQ), "masked-pending");
    test_equal(irqs_now(), 0, "unmasking-brings-none");
    pith_events_mask(~BIT(IRQ));
    (void)pith_event_send(0, IRQ);
    test_equal(irqs_now(), 1, "others-masked");
    (void)pith_events_unmask(~0ull);
    (void)pith_events_take(~0ull);
}

static void waits(void)
{
    uint64_t late = pith_now() + 5 * NS_PER_MS;
    struct pith_result r;

    (void)pith_event_send(0, POLLED);
    (void)pith_event_send(0, IRQ); /* its interrupt is pending too, which keeps nobody */
    r = pith_event_wait(BIT(POLLED) | BIT(PING), 0);
    test_equal(r.rbx, BIT(POLLED), "wait-takes");
    test_equal(pith_events_pending(), BIT(IRQ), "wait-takes-its-own-only");
    test_equal(pith_event_wait(BIT(POLLED), 0).rbx, 0, "wait-ends-by-interrupt");
    test_equal(irqs_now(), 1, "wait-keeps-interrupt");
    r = pith_event_wait(BIT(POLLED), late);
    test_ok(r.status == PITH_OK && r.rbx == 0 && pith_now() >= late, "wait-ends-by-time");
    test_equal(pith_event_wait(BIT(POLLED), 1).rbx, 0, "wait-until-then");
    test_equal(pith_event_wait(0, 1).rbx, 0, "wait-for-none");
    (void)pith_events_take(~0ull);
}

static void timer(void)
{
    uint64_t at = pith_now() + 5 * NS_PER_MS;

    test_equal(status(pith_timer(at, POLLED)), PITH_OK, "timer");
    test_equal(pith_event_wait(BIT(POLLED), 0).rbx, BIT(POLLED), "timer-sends");
    test_ok(pith_now() >= at, "timer-in-time");
    test_equal(pith_event_wait(BIT(POLLED), pith_now() + 10 * NS_PER_MS).rbx, 0, "timer-once");
    (void)pith_timer(1, POLLED);
    test_equal(pith_event_wait(BIT(POLLED), 0).rbx, BIT(POLLED), "timer-of-the-past");
    (void)pith_timer(pith_now() + 5 * NS_PER_MS, POLLED);
    (void)pith_timer(0, POLLED);
    test_equal(pith_event_wait(BIT(POLLED), pith_now() + 20 * NS_PER_MS).rbx, 0, "timer-cancelled");
    (void)pith_timer(pith_now() + 10000 * PITH_NS_PER_S, IRQ);
    (void)pith_timer(pith_now() + 5 * NS_PER_MS, POLLED);
    test_equal(pith_event_wait(BIT(POLLED) | BIT(IRQ), 0).rbx, BIT(POLLED), "timer-replaced");
    (void)pith_timer(pith_now() + NS_PER_MS, IRQ);
    while (pith_wait(0).status == PITH_OK && !irqs_now())
        ;
    test_equal(pith_events_take(~0ull), BIT(IRQ), "timer-interrupts");
}

/* --- between two vCPUs, on cores of their own or on one */

static uint8_t stack[4096] __attribute__((aligned(16)));
static volatile uint64_t others_argument, others_rsp, beats;

static void start_other(void (*fn)(uint64_t), uint64_t argument, const char *name)
{
    test_equal(status(pith_vcpu_start(1, (uintptr_t)fn, (uintptr_t)stack + sizeof(stack) - 8, argument)), PITH_OK, name);
}

static void beat(uint64_t argument)
{
    uint64_t rsp;

    __asm__ volatile("mov %%rsp, %0" : "=r"(rsp));
    others_rsp = rsp;
    others_argument = argument;
    (void)pith_timer(pith_now() + 30 * NS_PER_MS, POLLED); /* ends with it */
    for (;;) {
        beats = beats + 1;
        (void)pith_wait(pith_now() + NS_PER_MS);
    }
}

static void stop_self(uint64_t argument)
{
    others_argument = argument;
    (void)pith_vcpu_stop(1);
    others_argument = 0;
}

static bool comes(volatile uint64_t *word, uint64_t value)
{
    uint64_t end = pith_now() + 60 * PITH_NS_PER_S;

    while (*word != value && pith_now() < end)
        (void)pith_yield();
    return *word == value;
}

/* Once it has stopped. */
static uint64_t start_again(void (*fn)(uint64_t), uint64_t argument)
{
    uint64_t end = pith_now() + 60 * PITH_NS_PER_S, st;

    do
        st = status(pith_vcpu_start(1, (uintptr_t)fn, (uintptr_t)stack + sizeof(stack) - 8, argument));
    while (st == PITH_E_STATE && pith_now() < end && pith_yield().status == PITH_OK);
    return st;
}

static void starts_and_stops(const struct pith_start *start)
{
    uint64_t at = (uintptr_t)beat, was;

    bool all = pith_vcpu_start(start->nr_vcpus, at, 0, 0).status == PITH_E_ARG;

    all &= pith_vcpu_start(1, PITH_PAGE_AT, 0, 0).status == PITH_E_ARG && pith_vcpu_start(1, 1ull << 63, 0, 0).status == PITH_E_ARG;
    test_ok(all, "vcpu-start-arguments");
    test_equal(status(pith_vcpu_start(0, at, 0, 0)), PITH_E_STATE, "vcpu-start-running");
    test_equal(status(pith_vcpu_stop(start->nr_vcpus)), PITH_E_ARG, "vcpu-stop-nobody");
    test_equal(status(pith_vcpu_stop(1)), PITH_OK, "vcpu-stop-waiting");
    start_other(beat, 0x1234567890, "vcpu-start");
    test_ok(comes(&others_argument, 0x1234567890), "vcpu-argument");
    test_ok(others_rsp - (uintptr_t)stack < sizeof(stack), "vcpu-stack");
    test_equal(status(pith_vcpu_start(1, at, 0, 0)), PITH_E_STATE, "vcpu-start-again");
    test_equal(status(pith_vcpu_stop(1)), PITH_OK, "vcpu-stop");
    test_equal(start_again(stop_self, 5), PITH_OK, "vcpu-start-after-stop");
    test_ok(comes(&others_argument, 5), "vcpu-second-life");
    (void)pith_wait(pith_now() + 50 * NS_PER_MS);
    test_equal(others_argument, 5, "vcpu-stop-self");
    was = beats;
    test_equal(pith_event_wait(BIT(POLLED), pith_now() + 10 * NS_PER_MS).rbx, 0, "vcpu-timer-ends-with-it");
    test_equal(beats, was, "vcpu-stopped");
}

static void other(uint64_t argument)
{
    (void)argument;
    trap_lapic_on();
    for (;;) {
        uint64_t taken = pith_event_wait(BIT(PING), 0).rbx;

        if (!taken)
            continue; /* for no reason */
        others_rounds = others_rounds + 1;
        (void)pith_event_send(0, PONG);
    }
}

static void ping_pong(void)
{
    unsigned rounds = 0;

    (void)pith_event_bind(PING, 1, 0);
    (void)pith_event_bind(PONG, 0, 0);
    if (!test_equal(start_again(other, 0), PITH_OK, "second-vcpu"))
        return;
    while (rounds < ROUNDS) {
        (void)pith_event_send(0, PING);
        if (pith_event_wait(BIT(PONG), pith_now() + 60 * PITH_NS_PER_S).rbx != BIT(PONG))
            break;
        rounds++;
    }
    test_equal(rounds, ROUNDS, "ping-pong");
    test_equal(others_rounds, ROUNDS, "ping-pong-of-the-other");
}

int guest_main(const struct pith_start *start)
{
    at_start = PITH_PAGE->pending | PITH_PAGE->mask;
    trap_init();
    trap_lapic_on();
    pages(start);
    clock_by_page();
    complaints(start);
    bits();
    waits();
    timer();
    starts_and_stops(start);
    ping_pong();
    return test_end();
}
