/* SPDX-License-Identifier: MIT */
/*
 * What printing takes of core 0, by a simulated clock: as much as the line and the screen take where nobody is promised anything,
 * little in any 10 ms where somebody is, and all of it comes out.
 * LINK: hv/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu.h"
static struct cpu core;
#define this_cpu() (&core)
#include "hv/terminal.c"

#define KHZ    1000ull         /* a tick is a microsecond */
#define WINDOW (10 * KHZ)
#define BYTES  20000u

static u64 now, byte_takes, letters;
static char text[BYTES], out[BYTES + 1];
static size_t out_len;

u64 arch_tsc(void) { return now; }
u64 arch_tsc_khz(void) { return KHZ; }
bool arch_gsi_level(u32 gsi) { return gsi == 20; }
u32 arch_cpu_apic_id(void) { return 0; }
enum pith_status arch_gsi_route(u32 gsi, u8 vector, u32 apic_id) { (void)gsi, (void)vector, (void)apic_id; return PITH_OK; }
void arch_vm_barrier(void) { }
void arch_timer_set(u64 tsc) { (void)tsc; }
void *host_map(hpa_t hpa, u64 size, enum host_map_type type) { (void)hpa, (void)size, (void)type; return NULL; }
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; }
size_t log_tail(char *buf, size_t size) { (void)buf, (void)size; return 0; }
bool log_panicking(void) { return false; }
bool keyboard_init(void) { return false; }
int keyboard_get(void) { return -1; }
void keys_take(struct keys *k, u8 code, char to[KEYS_BYTES]) { (void)k, (void)code, (void)to; }
struct cpu *cpu_get(u32 index) { (void)index; return &core; }
void cpu_ask(struct cpu *cpu, enum cpu_ask what) { (void)cpu, (void)what; }
void uart_init(const struct uart *u) { (void)u; }
static u32 room, listening;
u32 uart_room(const struct uart *u) { (void)u; return room; }
void uart_interrupt(const struct uart *u) { (void)u; listening++; }
void uart_put(struct uart *u, u8 c) { uart_send(u, c); }
int uart_get(const struct uart *u) { (void)u; return -1; }
void uart_flush(struct uart *u) { (void)u; }
void uart_send(const struct uart *u, u8 c)
{
    (void)u;
    out[out_len++] = (char)c;
    now += byte_takes;
}
bool screen_init(struct screen *s, const struct screen_desc *desc, volatile void *pixels)
{
    (void)s, (void)desc, (void)pixels;
    return true;
}
void screen_write(struct screen *s, const char *what, size_t len) { (void)s, (void)what; letters += len; }
bool screen_show(struct screen *s, u32 most)
{
    u32 n = (u32)MIN(letters, most);

    (void)s;
    letters -= n;
    now += n * byte_takes;
    return !letters;
}

static int set_up(void **state)
{
    (void)state;
    memset(&core, 0, sizeof(core));
    out_len = letters = 0;
    head = tail = 0;
    rests[false] = rests[true] = 0;
    now = 1000 * KHZ;
    have_line = have_screen = true;
    room = UART_FIFO;
    listening = 0;
    for (u32 i = 0; i < BYTES; i++)
        text[i] = (char)('a' + i % 26);
    terminal_start();
    return 0;
}

/* All who look after the terminal: its alarm, and something else each @look ticks. Returns the most that it took in any window. */
static u64 print_all(u64 look, u64 most_windows)
{
    u64 from = now, worst = 0, took[64] = { 0 }, at[64] = { 0 };
    u32 n = 0;

    terminal_put(text, BYTES);
    while (out_len < BYTES || letters) {
        u64 began, sum = 0;

        assert_true(now - from < most_windows * WINDOW);
        began = now;
        timers_run(&core.timers, now);
        terminal_drain();
        if (now > began) {
            took[n % 64] = now - began;
            at[n++ % 64] = began;
            for (u32 i = 0; i < MIN(n, 64u); i++)
                sum += began - at[i] < WINDOW ? took[i] : 0;
            worst = MAX(worst, sum);
        }
        now = MAX(now + 1, MIN(core.timers.first ? core.timers.first->deadline : TIMER_NEVER, now + look));
    }
    out[out_len] = 0;
    assert_memory_equal(out, text, BYTES);
    return worst;
}

static void promise(bool made)
{
    core.rq.due.n = made;
}

static void test_without_promises_it_is_quick(void **state)
{
    (void)state;
    byte_takes = 1;
    assert_in_range(print_all(100000, 80), 1000, WINDOW);
}

static void test_a_promise_loses_little(void **state)
{
    (void)state;
    byte_takes = 1;
    promise(true);
    assert_in_range(print_all(100000, 6000), 1, WINDOW / PROMISED_REST);
    /* Whoever looks meanwhile does not make it more. */
    set_up(state);
    promise(true);
    assert_in_range(print_all(7, 6000), 1, WINDOW / PROMISED_REST);
}

/* Where an emulator was interrupted, a byte seems to take a millisecond: that does not silence the line. */
static void test_what_seems_to_take_long_goes_on(void **state)
{
    (void)state;
    byte_takes = 1000;
    promise(true);
    assert_in_range(print_all(100000, 10 * BYTES), 1, 10 * WINDOW);
}

static void test_a_promise_that_is_kept_makes_way(void **state)
{
    (void)state;
    byte_takes = 1;
    promise(true);
    terminal_put(text, 1000);
    terminal_drain();
    assert_int_equal(out_len, DRAIN_BYTES / PROMISED_PART);
    now += DRAIN_US;
    terminal_drain();
    assert_int_equal(out_len, DRAIN_BYTES / PROMISED_PART);
    promise(false);
    terminal_drain();
    assert_int_equal(out_len, DRAIN_BYTES / PROMISED_PART + DRAIN_BYTES);
}

/* Nothing is left over, and an alarm is set for it. */
static void test_what_comes_in_a_rest_has_an_alarm(void **state)
{
    (void)state;
    byte_takes = 1;
    promise(true);
    terminal_put(text, 4);
    terminal_drain();
    assert_int_equal(out_len, 4);
    now += 1;
    terminal_put(text + 4, 4);
    terminal_drain();
    assert_int_equal(out_len, 4);
    assert_int_equal(again.deadline, rests[true]);
    now = again.deadline;
    timers_run(&core.timers, now);
    terminal_drain();
    assert_int_equal(out_len, 8);
}

/* A full ring: what does not fit is counted. */
static void test_what_does_not_fit_is_lost(void **state)
{
    (void)state;
    for (u32 i = 0; i < RING / BYTES; i++)
        terminal_put(text, BYTES);
    assert_int_equal(terminal_take_lost(), 0);
    terminal_put(text, BYTES);
    assert_int_equal(terminal_take_lost(), BYTES - RING % BYTES);
    assert_int_equal(head, RING);
}

/* Its ring would fill, and the screen stand still: after a while it is fed as if it took all. */
static void test_a_dead_line_stops_nobody(void **state)
{
    u64 from;

    (void)state;
    byte_takes = 0;
    terminal_put(text, 1);
    terminal_drain();
    from = now;
    room = 0;
    terminal_put(text + 1, 100);
    for (now++; now - from < DEAD_MS * KHZ; now += 10 * KHZ) {
        terminal_drain();
        assert_int_equal(out_len, 1);
    }
    terminal_drain();
    assert_int_equal(out_len, 1 + DRAIN_BYTES);
    assert_int_equal(tail, 1 + DRAIN_BYTES);
}

static const struct handoff nothing, ports = { .serial = { 0x2f8, 3, HANDOFF_IO, 1, 8, 0 } };
static const struct handoff low = { .serial = { 0xfe034000, 3, HANDOFF_MEMORY, 4, 32, 0 } };
static const struct handoff high = { .serial = { 0x140001000, 3, HANDOFF_MEMORY, 4, 32, 0 } };

/* Where entry.S's tables do not reach, it comes later. */
static void test_lines_come_when_they_are_mapped(void **state)
{
    static const struct { const struct handoff *h; bool early, late; } cases[] = {
        { &ports, true, true }, { &low, true, true }, { &high, false, true }, { &nothing, false, false },
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        have_line = false;
        terminal_early(cases[i].h);
        assert_int_equal(have_line, cases[i].early);
        terminal_late(cases[i].h);
        assert_int_equal(have_line, cases[i].late);
    }
    terminal_early(&ports);
    assert_true(!line.mmio && line.port == 0x2f8 && line.stride == 1 && !line.wide);
    terminal_early(&low);
    assert_true(line.mmio == phys_to_virt(0xfe034000) && line.stride == 4 && line.wide);
}

/* A level that others share might never fall; without an interrupt of its own the line is polled, and no number is kept from partitions. */
static void test_only_edges_interrupt(void **state)
{
    struct handoff h = ports;

    (void)state;
    terminal_early(&h);
    assert_true(terminal_line_interrupt(HOST_VEC_UART));
    assert_int_equal(terminal_line_gsi(), 3);
    assert_int_equal(listening, 1);
    h.serial.gsi = 20;
    terminal_early(&h);
    assert_false(terminal_line_interrupt(HOST_VEC_UART));
    assert_int_equal(terminal_line_gsi(), HANDOFF_NO_GSI);
    h.serial.gsi = HANDOFF_NO_GSI;
    terminal_early(&h);
    assert_false(terminal_line_interrupt(HOST_VEC_UART));
    have_line = false;
    assert_true(terminal_line_interrupt(HOST_VEC_UART));
    assert_int_equal(listening, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_without_promises_it_is_quick, set_up),
        cmocka_unit_test_setup(test_a_promise_loses_little, set_up),
        cmocka_unit_test_setup(test_what_seems_to_take_long_goes_on, set_up),
        cmocka_unit_test_setup(test_a_promise_that_is_kept_makes_way, set_up),
        cmocka_unit_test_setup(test_what_comes_in_a_rest_has_an_alarm, set_up),
        cmocka_unit_test_setup(test_what_does_not_fit_is_lost, set_up),
        cmocka_unit_test_setup(test_a_dead_line_stops_nobody, set_up),
        cmocka_unit_test_setup(test_lines_come_when_they_are_mapped, set_up),
        cmocka_unit_test_setup(test_only_edges_interrupt, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
