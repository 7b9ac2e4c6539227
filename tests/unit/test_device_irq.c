/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of real devices: from a pretended I/O APIC of the machine to a partition's.
 * LINK: hv/timer.c hv/vdev/vioapic.c
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
#include "hv/device_irq.c"

enum { EDGE = 3, LEVEL = 20, VECTOR = 0x41 };

static struct manifest_partition conf;
static struct partition part, other;
static struct vcpu vcpu, neighbour;
static struct { bool routed, masked; } machine[VIOAPIC_PINS];
static u32 delivered;
static u64 now;
static bool refuse;

u64 arch_tsc(void) { return now; }
u64 arch_tsc_khz(void) { return 1000; } /* a tick a microsecond */
void arch_timer_set(u64 tsc) { (void)tsc; }
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; }
u32 terminal_line_gsi(void) { return 4; }
bool arch_gsi_level(u32 gsi) { return gsi >= 16; }
enum pith_status arch_gsi_route(u32 gsi, u8 vector, u32 apic_id)
{
    assert_int_equal(vector, HOST_VEC_DEVICE + gsi);
    assert_int_equal(apic_id, 7);
    machine[gsi].routed = true;
    return refuse ? PITH_E_HW : PITH_OK;
}
void arch_gsi_mask(u32 gsi, bool masked)
{
    assert_true(machine[gsi].routed);
    machine[gsi].masked = masked;
}
void isa_set_irq(struct partition *p, u32 irq, bool high) { vioapic_set_pin(&p->ioapic, irq, high, partition_deliver, p); }
void partition_deliver(void *p, const struct vioapic_msg *msg)
{
    assert_ptr_equal(p, &part);
    assert_int_equal(msg->vector, VECTOR);
    delivered++;
}

static void program(u32 gsi, u32 low)
{
    vioapic_write(&part.ioapic, 0, 0x10 + 2 * gsi, partition_deliver, &part);
    vioapic_write(&part.ioapic, 0x10, low, partition_deliver, &part);
}

static int fresh(void **state)
{
    (void)state;
    memset(pins, 0, sizeof(pins));
    memset(machine, 0, sizeof(machine));
    memset(&part, 0, sizeof(part));
    core = (struct cpu){ .apic_id = 7 };
    conf = (struct manifest_partition){ .nr_irqs = 2, .irqs = { EDGE, LEVEL } };
    part.conf = &conf;
    part.vcpus[0] = &vcpu;
    vcpu = (struct vcpu){ .part = &part, .home = &core };
    neighbour = (struct vcpu){ .part = &other, .home = &core };
    core.current = &vcpu;
    vioapic_reset(&part.ioapic);
    refuse = false;
    now = 1000;
    assert_int_equal(device_irqs_create(&part), PITH_OK);
    assert_true(machine[EDGE].masked && machine[LEVEL].masked);
    device_irqs_start(&part);
    program(EDGE, VECTOR);
    program(LEVEL, VECTOR | 0x8000);
    delivered = 0;
    return 0;
}

/* The device asks; the machine's I/O APIC lets it through unless it is masked. */
static void ask(u32 gsi)
{
    if (!machine[gsi].masked)
        devices_irq(gsi);
    devices_attend(&core);
}

static void eoi(void)
{
    if (part.irqs_held)
        devices_eoi(&part, VECTOR);
    vioapic_eoi(&part.ioapic, VECTOR, partition_deliver, &part);
}

static void level(void **state)
{
    (void)state;
    assert_false(machine[LEVEL].masked);
    ask(LEVEL);
    assert_true(machine[LEVEL].masked);
    assert_int_equal(delivered, 1);
    ask(LEVEL);
    assert_int_equal(delivered, 1);
    eoi();
    assert_int_equal(delivered, 1); /* whether it is still asserted, the machine's I/O APIC says */
    assert_false(machine[LEVEL].masked);
    ask(LEVEL);
    assert_int_equal(delivered, 2);
    vioapic_eoi(&part.ioapic, VECTOR + 1, partition_deliver, &part);
    devices_eoi(&part, VECTOR + 1);
    assert_true(machine[LEVEL].masked); /* the EOI of another one */
}

/* While the guest has its pin masked, the interrupt waits there. */
static void level_while_masked(void **state)
{
    (void)state;
    program(LEVEL, VECTOR | 0x18000);
    ask(LEVEL);
    assert_int_equal(delivered, 0);
    assert_true(machine[LEVEL].masked);
    program(LEVEL, VECTOR | 0x8000);
    assert_int_equal(delivered, 1);
    eoi();
    assert_false(machine[LEVEL].masked);
}

static void edge(void **state)
{
    (void)state;
    for (u32 i = 1; i <= 5; i++) {
        ask(EDGE);
        assert_int_equal(delivered, i);
    }
    core.current = NULL;
    core.idle = (u64)-1; /* its time runs */
    ask(EDGE);
    assert_int_equal(delivered, 6);
    assert_false(machine[EDGE].masked);
}

/* Another partition's turn, and a device that never tires: once a millisecond, and the last edge is not lost. */
static void storm_of_edges(void **state)
{
    u32 came = 0;

    (void)state;
    core.current = &neighbour;
    for (u32 us = 0; us < 10000; us++, now++) {
        came += !machine[EDGE].masked;
        ask(EDGE);
        timers_run(&core.timers, now);
        devices_attend(&core);
    }
    assert_in_range(came, 9, 11);
    now += 1000;
    delivered = 0;
    timers_run(&core.timers, now);
    devices_attend(&core);
    assert_int_equal(delivered, 1);
    assert_false(machine[EDGE].masked);
}

/* Its turn comes before the pause is over: the pin stays masked until then, and is not forgotten. */
static void turn_within_pause(void **state)
{
    (void)state;
    core.current = &neighbour;
    ask(EDGE);
    core.current = &vcpu;
    devices_irq(EDGE); /* was on its way */
    devices_attend(&core);
    assert_true(machine[EDGE].masked);
    now += 2000;
    timers_run(&core.timers, now);
    assert_false(machine[EDGE].masked);
}

/* A guest that takes an edge for a level ends it once. */
static void edge_as_level(void **state)
{
    (void)state;
    program(EDGE, VECTOR | 0x8000);
    ask(EDGE);
    eoi();
    assert_int_equal(delivered, 1);
    ask(EDGE);
    assert_int_equal(delivered, 2);
}

static void stop_and_start(void **state)
{
    (void)state;
    core.current = &neighbour;
    ask(EDGE);
    ask(LEVEL);
    device_irqs_stop(&part);
    assert_true(machine[EDGE].masked && machine[LEVEL].masked);
    delivered = 0;
    now += 5000;
    timers_run(&core.timers, now);
    devices_irq(LEVEL); /* late ones */
    devices_irq(EDGE);
    devices_attend(&core);
    assert_int_equal(delivered, 0);
    assert_true(machine[EDGE].masked && machine[LEVEL].masked);

    vioapic_reset(&part.ioapic);
    part.ioapic.level = 0;
    device_irqs_start(&part);
    assert_false(machine[EDGE].masked || machine[LEVEL].masked);
    assert_int_equal(part.irqs_held, 0);
    program(LEVEL, VECTOR | 0x8000);
    assert_int_equal(delivered, 0); /* what was there before does not come again by itself */
    ask(LEVEL);
    assert_int_equal(delivered, 1);
}

/* Restarted within the pause: the old life's timer changes nothing. */
static void restart_within_pause(void **state)
{
    (void)state;
    core.current = &neighbour;
    ask(EDGE);
    device_irqs_stop(&part);
    device_irqs_start(&part);
    delivered = 0;
    now += 5000;
    timers_run(&core.timers, now);
    devices_attend(&core);
    assert_int_equal(delivered, 0);
}

static void not_there(void **state)
{
    (void)state;
    refuse = true;
    assert_int_equal(device_irqs_create(&part), PITH_E_ARG);
    refuse = false;
    conf.irqs[0] = VUART_IRQ;
    assert_int_equal(device_irqs_create(&part), PITH_E_ARG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(level), T(level_while_masked), T(edge), T(storm_of_edges), T(turn_within_pause), T(edge_as_level), T(stop_and_start),
        T(restart_within_pause), T(not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
