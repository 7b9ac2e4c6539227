/* SPDX-License-Identifier: MIT */
/*
 * What tests/guest/shuffle.c starts, stops and pauses, as role= says: each is under load until somebody ends it, and tells on the
 * channel "board" that it gets on. What must not be is printed: "not ok".
 */
#include "guests/lib/smp.h"
#include "guests/lib/test.h"
#include "tests/guest/shuffle.h"

#define NS_PER_MS UINT64_C(1000000)
#define PATIENCE  (120 * PITH_NS_PER_S) /* it may stand still in between, and its clock does not */
#define MOST      4u
#define EVENT     3u

enum role { HOG, CPUS, CLIENT, SERVER, PERIODIC, SENDER, TAKER };

static struct board *board;
static uint64_t me, seed;

static void beat(void)
{
    board->of[me].beats++;
}

static void done(void)
{
    board->of[me].done++;
    beat();
}

static uint64_t in_ms(uint64_t ms)
{
    return pith_now() + ms * NS_PER_MS;
}

static uint64_t find(const char *name)
{
    struct pith_words w = pith_name(name);

    return pith_part_find(w.low, w.high).rbx;
}

static __attribute__((noreturn)) void hog(void)
{
    for (uint64_t n = 0;; n++) {
        (void)pith_cpuid(0, 0);
        if (n % 65536 == 0)
            pith_puts("still here\n");
        beat();
        board->of[me].done++;
    }
}

/* --- vCPUs that go and come while all of them interrupt each other */
#define APIC_BASE  0x1bu
#define APIC_X2    0xc00u
#define X2APIC_ID  0x802u
#define X2APIC_EOI 0x80bu
#define X2APIC_SVR 0x80fu
#define OTHERS     (3u << 18)

enum vector { VECTOR_NOISE = 0x40, VECTOR_ASKED = 0x41 };

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
struct frame;
static struct gate idt[VECTOR_ASKED + 1];
static struct cpu {
    volatile uint64_t awake, asked, answered;
    uint64_t starts; /* that vCPU 0 asked for */
    bool online;
    uint8_t stack[4096] __attribute__((aligned(16)));
} cpus[MOST];
static uint32_t nr, starting;

/* Interrupt handlers call these. */
#define FROM_HANDLERS __attribute__((no_caller_saved_registers))

FROM_HANDLERS static void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

FROM_HANDLERS static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

__attribute__((interrupt)) static void on_noise(struct frame *f)
{
    (void)f;
    wrmsr(X2APIC_EOI, 0);
}

__attribute__((interrupt)) static void on_asked(struct frame *f)
{
    struct cpu *c = &cpus[rdmsr(X2APIC_ID)];

    (void)f;
    c->answered = c->asked;
    wrmsr(X2APIC_EOI, 0);
}

static void set_gate(enum vector vector, void (*fn)(struct frame *))
{
    uint64_t at = (uintptr_t)fn;

    idt[vector] = (struct gate){ (uint16_t)at, 0x08, 0, 0x8e, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
}

static void begin(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = { sizeof(idt) - 1, (uintptr_t)idt };

    __asm__ volatile("lidt %0" : : "m"(idtr));
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) | APIC_X2);
    wrmsr(X2APIC_SVR, 0x1ff);
    __asm__ volatile("sti");
}

static void make_noise(uint64_t index)
{
    begin();
    cpus[index].awake++;
    for (;;) {
        smp_icr(0, OTHERS | VECTOR_NOISE);
        for (unsigned i = 0; i < 2000; i++)
            __asm__ volatile("pause");
    }
}

static void by_sipi(void) { make_noise(starting); }

static bool until(const volatile uint64_t *what, uint64_t value)
{
    uint64_t end = pith_now() + PATIENCE;

    while (*what != value)
        if (pith_wait(pith_now() + NS_PER_MS / 10).rbx > end)
            return false;
    return true;
}

static bool started_by_call(uint32_t i)
{
    uint64_t end = pith_now() + PATIENCE, stack = (uintptr_t)cpus[i].stack + sizeof(cpus[i].stack) - 8;

    while (pith_vcpu_start(i, (uintptr_t)make_noise, stack, i).status == PITH_E_STATE) /* it has not stopped yet */
        if (pith_wait(pith_now() + NS_PER_MS / 10).rbx > end)
            return false;
    return true;
}

static bool comes(uint32_t i, bool sipi)
{
    starting = i;
    cpus[i].starts++;
    cpus[i].online = true;
    return (sipi ? smp_start(i, by_sipi, cpus[i].stack + sizeof(cpus[i].stack)) : started_by_call(i)) &&
           until(&cpus[i].awake, cpus[i].starts);
}

static void goes(uint32_t i, bool init)
{
    cpus[i].online = false;
    if (init)
        smp_icr(i, SMP_INIT);
    else
        (void)pith_vcpu_stop(i);
}

/* Nobody who is there misses an interrupt, and nobody is there who is not to be. */
static bool all_answer(void)
{
    bool ok = true;

    for (uint32_t i = 1; i < nr; i++)
        if (cpus[i].online) {
            cpus[i].asked++;
            smp_icr(i, VECTOR_ASKED);
        }
    for (uint32_t i = 1; i < nr; i++)
        ok = ok && (!cpus[i].online || until(&cpus[i].answered, cpus[i].asked)) && cpus[i].awake == cpus[i].starts;
    return ok;
}

static int go_and_come(uint32_t vcpus)
{
    nr = vcpus;
    set_gate(VECTOR_NOISE, on_noise);
    set_gate(VECTOR_ASKED, on_asked);
    begin();
    for (;;) {
        uint64_t r = next_random(&seed);
        uint32_t i = 1 + (uint32_t)(r >> 8) % (nr - 1);
        bool came = true;

        if (cpus[i].online)
            goes(i, r & 1);
        else
            came = comes(i, r & 1);
        if (!came || !all_answer())
            return test_ok(false, came ? "answers" : "comes"), 1;
        done();
    }
}

/* --- calls, events, deadlines */
static int call(void)
{
    uint64_t server = find("serve");

    for (;;) {
        uint64_t w = next_random(&seed);
        struct pith_result r = pith_ipc_call(server, w, ~w, 7, in_ms(20));

        if (r.status == PITH_OK) {
            if (r.rbx != w + 1 || r.rcx != ~w || r.rdx != 8)
                return test_ok(false, "answer"), 1;
            done();
            continue;
        }
        if (r.status != PITH_E_GONE && r.status != PITH_E_TIMEOUT)
            return test_equal((uint64_t)r.status, PITH_E_GONE, "call"), 1;
        beat();
        (void)pith_wait(in_ms(1));
    }
}

static __attribute__((noreturn)) void serve(void)
{
    struct pith_result c = pith_ipc_wait(in_ms(5));

    for (;;) {
        bool served = c.status == PITH_OK && c.rbx;

        c = pith_ipc_reply_wait(served ? c.rbx : 0, c.rcx + 1, c.rdx, c.rsi + 1, in_ms(5));
        if (served)
            done();
        else
            beat();
    }
}

/* Its clock does not jump back, however long it stood still. */
static int every_2_ms(void)
{
    for (uint64_t next = pith_now(), before = next;;) {
        uint64_t woke = pith_wait(next).rbx;

        if (woke < next || pith_now() < woke || woke < before)
            return test_ok(false, "clock"), 1;
        before = woke;
        while (pith_now() < woke + NS_PER_MS / 20)
            continue;
        done();
        next = woke + 2 * NS_PER_MS;
    }
}

static int flood(void)
{
    uint64_t taker = find("take");

    for (uint64_t n = 0;; n++) {
        int64_t status = pith_event_send(taker, EVENT).status;

        if (status != PITH_OK && status != PITH_E_GONE && status != PITH_E_STATE)
            return test_equal((uint64_t)status, PITH_OK, "send"), 1;
        beat();
        board->of[me].done += status == PITH_OK;
        if (n % 256 == 0)
            (void)pith_wait(in_ms(1));
    }
}

static __attribute__((noreturn)) void take(void)
{
    (void)pith_event_bind(EVENT, 0, 0);
    for (;;)
        if (pith_event_wait(1 << EVENT, in_ms(5)).rbx)
            done();
        else
            beat();
}

int guest_main(const struct pith_start *start)
{
    board = board_get();
    me = pith_self().rbx;
    seed = pith_tsc() | 1;
    /* Nothing comes but to those that ask for it; and Bochs preempts no guest that was entered with interrupts off. */
    __asm__ volatile("sti" ::: "memory");
    switch ((enum role)pith_option(start, "role", HOG)) {
    case CPUS: return go_and_come(start->nr_vcpus);
    case CLIENT: return call();
    case SERVER: serve();
    case PERIODIC: return every_2_ms();
    case SENDER: return flood();
    case TAKER: take();
    case HOG: break;
    }
    hog();
}
