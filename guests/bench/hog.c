/* SPDX-License-Identifier: MIT */
/*
 * Partitions that take all they can get of a core in one way after the other, as the board's phase says; only=N: in one way; asked=1:
 * in this way, but only while the board says that somebody shall be busy.
 * The order and the names are those of hog_names.
 */
#include "guests/bench/sched.h"

#define X2APIC_ICR     0x830u
#define X2APIC_LVT     0x832u
#define X2APIC_COUNT   0x838u
#define X2APIC_DIVIDE  0x83eu
#define X2APIC_SELF    0x83fu
#define TIMER_PERIODIC 0x20000u
#define ALL_OTHERS     0xc4000u
#define UART           0x3f8u
#define NOWHERE        0xd8000000u
#define LAPIC          0xfee00000u
#define MIB            0x100000u
#define PAGE           4096u
#define EVENT          5u
#define EVENT_BOUND    6u

static uint8_t buffer[2 * PAGE] __attribute__((aligned(4096)));
static uint8_t stack[PAGE] __attribute__((aligned(16)));
static uint64_t ram, lent;

static void nothing(void)
{
    (void)pith_wait(pith_now() + 10 * NS_PER_MS);
}

static void loop(void)
{
    work(2000);
}

static void deaf_loop(void)
{
    __asm__ volatile("cli" : : : "memory");
    work(2000);
    __asm__ volatile("sti" : : : "memory");
}

/* A page after the other, behind the image. */
static void memory(void)
{
    static uint64_t at = 4 * MIB;

    for (unsigned i = 0; i < 256; i++) {
        (*(volatile uint64_t *)(uintptr_t)at)++;
        at = at + PAGE + 64 < ram - MIB ? at + PAGE + 64 : 4 * MIB;
    }
}

static void exits(void)
{
    (void)pith_cpuid(0, 0);
}

static void long_memory_instruction(void)
{
    uint64_t from = (uintptr_t)buffer, to = NOWHERE, n = 512;

    __asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}

static void long_port_instruction(void)
{
    uint64_t from = (uintptr_t)buffer, n = PAGE;

    __asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(0x80) : "memory");
}

static void serial_port(void)
{
    static unsigned i;

    __asm__ volatile("outb %b0, %w1" : : "a"(++i % 80 ? 'a' + i % 26 : '\n'), "d"(UART));
}

static void console(void)
{
    memset(buffer, 'x', PAGE);
    for (unsigned i = 79; i < PAGE; i += 80)
        buffer[i] = '\n';
    (void)pith_console_write((uintptr_t)buffer, PITH_CONSOLE_MAX);
}

static void console_line_ends(void)
{
    memset(buffer, '\n', PAGE);
    (void)pith_console_write((uintptr_t)buffer, PITH_CONSOLE_MAX);
}

static void events(void)
{
    (void)pith_event_send(0, EVENT);
    (void)pith_event_send(0, EVENT_BOUND);
}

static void self_interrupts(void)
{
    wrmsr(X2APIC_SELF, VECTOR_X2APIC);
}

static void start_other(void (*fn)(uint64_t))
{
    (void)pith_vcpu_start(1, (uintptr_t)fn, (uintptr_t)stack + sizeof(stack) - 8, 0);
}

static void woken(uint64_t argument)
{
    (void)argument;
    x2apic_on();
    interrupts_on();
    for (;;)
        (void)pith_wait(0);
}

static void interrupts_to_others(void)
{
    static bool is_there;

    if (!is_there)
        start_other(woken);
    is_there = true;
    wrmsr(X2APIC_ICR, ALL_OTHERS | VECTOR_X2APIC);
}

static void timer(void)
{
    wrmsr(X2APIC_DIVIDE, 0xb);
    wrmsr(X2APIC_LVT, TIMER_PERIODIC | VECTOR_X2APIC);
    wrmsr(X2APIC_COUNT, 1);
    work(2000);
    wrmsr(X2APIC_COUNT, 0);
}

static void naps(void)
{
    (void)pith_wait(pith_now() + 1);
}

static void yields(void)
{
    (void)pith_yield();
}

static void vcpus(void)
{
    (void)pith_vcpu_stop(1);
    start_other(woken);
}

static void balloon(void)
{
    (void)pith_balloon_out(4 * MIB);
    (void)pith_balloon_in(4 * MIB);
}

static void grants(void)
{
    lent = pith_grant(pith_self().rbx == 1 ? 2 : 1, 2 * MIB, MIB, 3).rbx;
    (void)pith_grant_revoke(lent);
}

static void denied_calls(void)
{
    (void)pith_part_stop(1);
    (void)pith_event_send(99, 1);
    (void)pith_ipc_call(99, 0, 0, 0, 0);
}

static const struct { const char *name; void (*once)(void); } hogs[] = {
    { "nothing", nothing },
    { "loop", loop },
    { "loop_without_interrupts", deaf_loop },
    { "memory", memory },
    { "cpuid", exits },
    { "memory_instructions", long_memory_instruction },
    { "port_instructions", long_port_instruction },
    { "events", events },
    { "self_ipis", self_interrupts },
    { "ipis", interrupts_to_others },
    { "timer", timer },
    { "naps", naps },
    { "yields", yields },
    { "vcpus", vcpus },
    { "balloon", balloon },
    { "grants", grants },
    { "denied_calls", denied_calls },
    { "serial_port", serial_port }, /* from here on, what is printed long after */
    { "console", console },
    { "console_line_ends", console_line_ends },
};
const unsigned nr_hogs = sizeof(hogs) / sizeof(hogs[0]);

void hog_name(uint64_t phase, char name[BENCH_NAME])
{
    (void)pith_format(name, BENCH_NAME, "%s", hogs[phase].name);
}

void hog_part(const struct pith_start *start)
{
    uint64_t only = pith_option(start, "only", nr_hogs), asked = pith_option(start, "asked", 0);

    ram = pith_memory(start);
    x2apic_on();
    interrupts_on();
    (void)pith_event_bind(EVENT, 0, 0);
    (void)pith_event_bind(EVENT_BOUND, 0, VECTOR_X2APIC);
    __atomic_store_n(&board->of[options.me].ready, 1, __ATOMIC_RELEASE); /* to spinners, where it is one of them */
    while (!stopped()) {
        uint64_t phase = only < nr_hogs ? only : __atomic_load_n(&board->phase, __ATOMIC_ACQUIRE);

        if (asked && !__atomic_load_n(&board->busy, __ATOMIC_ACQUIRE))
            phase = 0;
        hogs[phase < nr_hogs ? phase : 0].once();
    }
}
