/* SPDX-License-Identifier: MIT */
/*
 * Partitions that call each other: those of role=1 serve, one with a vCPU on the core of the client's first, one with two on another; the
 * client does all that a client may do, and meets every complaint. Nobody calls the one of role=2.
 */
#include "guests/lib/smp.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define NS_PER_MS UINT64_C(1000000)
#define WRONG     UINT64_C(0x12345678)

enum op { ECHO, COUNTS, SLEEP, HOLD, RELEASE, VANISH, BYE };

#define X2APIC_TIMER  0x832u
#define X2APIC_COUNT  0x838u

static uint64_t near, far, stranger;
static volatile uint64_t served, gone, held;
static uint8_t stack[4096] __attribute__((aligned(16)));

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void timer(uint32_t count)
{
    trap_lapic_on();
    wrmsr(X2APIC_TIMER, TRAP_IRQ);
    wrmsr(X2APIC_COUNT, count);
}

static uint64_t in_ms(uint64_t ms)
{
    return pith_now() + ms * NS_PER_MS;
}

static void sleep_ms(uint64_t ms)
{
    uint64_t until = in_ms(ms);

    while (pith_wait(until).rbx < until)
        continue;
}

/* Asleep: who waits with interrupts off in a loop has its core to itself where no interrupt ends a guest's run, and others live there. */
static void wait_for(const volatile bool *what)
{
    while (!*what)
        sleep_ms(1);
}

/* --- the server */

/* What the next IPC_REPLY_WAIT answers, in the registers that it is called with. */
static struct pith_result answer(struct pith_result c)
{
    struct pith_result r = { .rbx = c.rbx, .rcx = c.rdx + 1, .rdx = 2 * c.rsi, .rsi = c.rbx & 0xffff };

    served++;
    switch (c.rcx) {
    case COUNTS:
        r = (struct pith_result){ .rbx = c.rbx, .rcx = served, .rdx = gone, .rsi = held & 0xffff };
        break;
    case SLEEP:
        sleep_ms(c.rdx);
        break;
    case HOLD:
        held = c.rbx;
        r.rbx = 0;
        break;
    case RELEASE:
        if (pith_ipc_reply_wait(held, c.rdx, c.rsi, 0, 1).rbx) /* the past: nobody else calls meanwhile */
            gone += 1000;
        break;
    case VANISH:
        pith_quit(1);
    case BYE:
        test_equal((uint64_t)pith_ipc_reply_wait(c.rbx, 0, 0, 0, 1).rbx, 0, "reply-last");
        test_equal((uint64_t)pith_ipc_reply_wait(c.rbx, 0, 0, 0, 0).status, PITH_E_GONE, "reply-twice");
        pith_quit((uint64_t)test_end());
    default:
        break;
    }
    return r;
}

static void serve(void)
{
    struct pith_result c = pith_ipc_wait(0);

    for (;;) {
        struct pith_result r = c.rbx ? answer(c) : c;

        c = pith_ipc_reply_wait(r.rbx, r.rcx, r.rdx, r.rsi, 0);
        if (c.status == PITH_E_GONE) {
            gone++;
            c.rbx = 0;
        }
    }
}

static int alone(void)
{
    uint64_t until = in_ms(10);
    struct pith_result r = pith_ipc_wait(until);

    test_ok(r.status == PITH_OK && r.rbx == 0 && pith_now() >= until, "serve-until");
    test_ok(pith_ipc_wait(1).rbx == 0 && pith_ipc_reply_wait(0, 1, 2, 3, 1).rbx == 0, "serve-until-the-past");
    test_equal((uint64_t)pith_ipc_reply_wait(WRONG, 1, 2, 3, 0).status, PITH_E_GONE, "reply-to-nobody");
    test_equal((uint64_t)pith_ipc_call(stranger, 1, 2, 3, 0).status, PITH_E_PERM, "call-stranger");
    timer(1000);
    r = pith_ipc_wait(0);
    test_ok(r.status == PITH_OK && r.rbx == 0 && trap_irqs == 0, "serve-until-interrupt");
    test_equal(pith_ipc_wait(0).rbx, 0, "serve-while-interrupt");
    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    test_equal(trap_irqs, 1, "serve-then-interrupt");
    return test_end();
}

static void server(const struct pith_start *start)
{
    if (start->nr_vcpus > 1)
        test_ok(smp_start(1, serve, stack + sizeof(stack)), "serve-with-two");
    serve();
}

/* --- the client */

static bool echoes(uint64_t target, uint64_t n)
{
    struct pith_result me = pith_self(), r = pith_ipc_call(target, ECHO, n, n + 5, 0);

    return r.status == PITH_OK && r.rbx == n + 1 && r.rcx == 2 * (n + 5) && r.rdx == (me.rbx << 8 | me.rcx);
}

static void wait_until_there(uint64_t target)
{
    while (!echoes(target, 1))
        sleep_ms(1);
}

static void calls(uint64_t target, const char *name)
{
    bool all = true;

    wait_until_there(target);
    for (uint64_t i = 0; i < 200; i++)
        all &= echoes(target, i << 40 | i);
    test_ok(all, name);
}

static struct pith_result counts(uint64_t target)
{
    return pith_ipc_call(target, COUNTS, 0, 0, 0);
}

/* Taken and not answered in time; the second one is never seen by the server, which is alone and sleeps. */
static void deadlines(uint64_t target)
{
    struct pith_result before = counts(target), after;
    uint64_t until = in_ms(20);

    test_equal((uint64_t)pith_ipc_call(target, SLEEP, 100, 0, until).status, PITH_E_TIMEOUT, "call-timeout");
    test_ok(pith_now() >= until, "call-until");
    test_equal((uint64_t)pith_ipc_call(target, ECHO, 0, 0, in_ms(10)).status, PITH_E_TIMEOUT, "call-timeout-in-queue");
    after = counts(target);
    test_equal(after.rbx - before.rbx, 2, "call-withdrawn");
    test_equal(after.rcx - before.rcx, 1, "reply-after-timeout");
    (void)pith_ipc_call(target, ECHO, 3, 4, 1); /* as it may be: answered at once, or too late */
    wait_until_there(target);
}

static void restarts(uint64_t target)
{
    test_equal((uint64_t)pith_ipc_call(target, VANISH, 0, 0, 0).status, PITH_E_GONE, "call-gone");
    wait_until_there(target);
    test_ok(counts(target).rbx < 10, "call-after-restart");
}

static void complaints(void)
{
    uint64_t me = pith_self().rbx;

    test_equal((uint64_t)pith_ipc_call(0, 1, 2, 3, 0).status, PITH_E_ARG, "call-itself");
    test_equal((uint64_t)pith_ipc_call(stranger, 1, 2, 3, 0).status, PITH_E_PERM, "call-stranger");
    test_equal((uint64_t)pith_ipc_call(me, 1, 2, 3, 0).status, PITH_E_PERM, "call-own-number");
    test_equal((uint64_t)pith_ipc_call(1ull << 32 | near, 1, 2, 3, 0).status, PITH_E_PERM, "call-far-number");
    test_equal((uint64_t)pith_ipc_call(~0ull, 1, 2, 3, 0).status, PITH_E_PERM, "call-last-number");
}

static void interrupt(uint64_t target)
{
    uint64_t until = in_ms(30);
    struct pith_result r;

    trap_irqs = 0;
    timer(1000);
    __asm__ volatile("sti" : : : "memory");
    r = pith_ipc_call(target, SLEEP, 30, 0, 0);
    __asm__ volatile("cli" : : : "memory");
    test_ok(r.status == PITH_OK && pith_now() >= until, "call-despite-interrupt");
    test_equal(trap_irqs, 1, "call-then-interrupt");
}

static volatile struct pith_result second;
static volatile uint64_t second_target, second_op;
static volatile bool second_shall, second_done;

static void second_vcpu(void)
{
    for (;;) {
        wait_for(&second_shall);
        second = pith_ipc_call(second_target, second_op, 60, 0, 0);
        second_shall = false;
        second_done = true;
    }
}

static void second_calls(uint64_t target, uint64_t op)
{
    second_done = false;
    second_target = target;
    second_op = op;
    second_shall = true;
}

static void wait_until_held(void)
{
    while (counts(near).rdx != (pith_self().rbx << 8 | 1))
        sleep_ms(1);
}

static void two_at_once(void)
{
    test_ok(smp_start(1, second_vcpu, stack + sizeof(stack)), "second-vcpu");
    second_calls(near, HOLD);
    wait_until_held();
    test_ok(!second_done, "call-held");
    test_equal((uint64_t)pith_ipc_call(near, RELEASE, 77, 78, 0).status, PITH_OK, "call-releases-other");
    wait_for(&second_done);
    test_ok(second.status == PITH_OK && second.rbx == 77 && second.rcx == 78, "call-released");

    second_calls(far, SLEEP);
    sleep_ms(20);
    test_ok(echoes(far, 5) && !second_done, "call-other-server");
    wait_for(&second_done);
    test_ok(second.status == PITH_OK && second.rbx == 61, "call-slow-server");

    second_calls(near, HOLD);
    wait_until_held();
    test_equal((uint64_t)pith_ipc_call(near, VANISH, 0, 0, 0).status, PITH_E_GONE, "call-gone-beside-other");
    wait_for(&second_done);
    test_equal((uint64_t)second.status, PITH_E_GONE, "call-gone-while-held");
    wait_until_there(near);
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    near = pith_option(start, "near", 0);
    far = pith_option(start, "far", 0);
    stranger = pith_option(start, "stranger", 0);
    if (pith_option(start, "role", 0) == 2)
        return alone();
    if (pith_option(start, "role", 0))
        server(start);
    calls(near, "call-same-core");
    calls(far, "call-other-core");
    complaints();
    deadlines(near);
    restarts(near);
    restarts(far);
    interrupt(near);
    interrupt(far);
    two_at_once();
    test_equal((uint64_t)pith_ipc_call(near, BYE, 0, 0, 0).status, PITH_OK, "call-last");
    test_equal((uint64_t)pith_ipc_call(near, ECHO, 0, 0, 0).status, PITH_E_GONE, "call-ended");
    test_equal((uint64_t)pith_ipc_call(near, ECHO, 0, 0, 0).status, PITH_E_GONE, "call-ended-again");
    test_equal((uint64_t)pith_ipc_call(far, BYE, 0, 0, 0).status, PITH_OK, "call-last-other-core");
    return test_end();
}
