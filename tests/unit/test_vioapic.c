/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC: registers, edges, levels with Remote IRR.
 * LINK: hv/vdev/vioapic.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/types.h"
#include "hv/vdev/vioapic.h"

#define MASKED 0x10000u
#define LEVEL  0x8000u
#define RIRR   0x4000u

static struct vioapic io;
static struct vioapic_msg last;
static int count;

static void deliver(void *ctx, const struct vioapic_msg *msg)
{
    assert_ptr_equal(ctx, &io);
    last = *msg;
    count++;
}

static void wr(u32 reg, u32 val)
{
    vioapic_write(&io, 0x00, reg, deliver, &io);
    vioapic_write(&io, 0x10, val, deliver, &io);
}

static u32 rd(u32 reg)
{
    vioapic_write(&io, 0x00, reg, deliver, &io);
    return vioapic_read(&io, 0x10);
}

static void pin(u32 n, bool level)
{
    vioapic_set_pin(&io, n, level, deliver, &io);
}

static int fresh(void **state)
{
    (void)state;
    memset(&io, 0, sizeof(io));
    vioapic_reset(&io);
    count = 0;
    return 0;
}

static void test_registers(void **state)
{
    (void)state;
    assert_int_equal(rd(0), 0);
    assert_int_equal(rd(1), 0x00170011);
    wr(0, ~0u);
    assert_int_equal(rd(0), 0x0f000000);
    assert_int_equal(rd(2), 0x0f000000);
    wr(1, 0);
    assert_int_equal(rd(1), 0x00170011);
    for (u32 i = 0; i < VIOAPIC_PINS; i++) {
        assert_int_equal(rd(0x10 + 2 * i), MASKED);
        assert_int_equal(rd(0x11 + 2 * i), 0);
    }
    assert_int_equal(rd(0x40), 0);
    assert_int_equal(rd(0x0f), 0);
    wr(0x40, 1);
    assert_int_equal(vioapic_read(&io, 0x00), 0x40);
    assert_int_equal(vioapic_read(&io, 0x40), 0); /* no EOI register in this version */
    assert_int_equal(count, 0);
}

static void test_entry_bits(void **state)
{
    (void)state;
    wr(0x2f - 1, ~0u);
    wr(0x2f, ~0u);
    assert_int_equal(rd(0x2e), 0x0001afff); /* status bits stay */
    assert_int_equal(rd(0x2f), 0xff000000);
    wr(0x10, 0x40);
    assert_true(io.rte[0] == 0x40);
    wr(0x0f, 0x77);
    assert_true(io.rte[0] == 0x40);
    wr(0x3e, 0x41);
    wr(0x3f, 0x07000000);
    assert_true(io.rte[23] == 0x0700000000000041ull);
}

static void test_edge(void **state)
{
    (void)state;
    wr(0x19, 0x02000000);
    wr(0x18, 0x0b31); /* logical, reserved mode bits as written */
    pin(4, true);
    assert_int_equal(count, 1);
    assert_int_equal(last.vector, 0x31);
    assert_int_equal(last.delivery_mode, 3);
    assert_true(last.logical);
    assert_false(last.level);
    assert_int_equal(last.dest, 2);
    pin(4, true);
    assert_int_equal(count, 1);
    pin(4, false);
    assert_int_equal(count, 1);
    pin(4, true);
    assert_int_equal(count, 2);
    assert_int_equal(rd(0x18) & RIRR, 0);
}

static void test_edge_on_masked_pin_is_lost(void **state)
{
    (void)state;
    wr(0x18, MASKED | 0x31);
    pin(4, true);
    wr(0x18, 0x31);
    assert_int_equal(count, 0);
    pin(4, false);
    pin(4, true);
    assert_int_equal(count, 1);
}

static void test_level_waits_for_eoi(void **state)
{
    (void)state;
    wr(0x18, LEVEL | 0x31);
    pin(4, true);
    assert_int_equal(count, 1);
    assert_true(last.level);
    assert_int_equal(rd(0x18), LEVEL | RIRR | 0x31);
    assert_int_equal(vioapic_waiting(&io, 0x31), 1 << 4);
    assert_int_equal(vioapic_waiting(&io, 0x32), 0);
    pin(4, false);
    pin(4, true);
    assert_int_equal(count, 1);
    vioapic_eoi(&io, 0x32, deliver, &io);
    assert_int_equal(count, 1);
    vioapic_eoi(&io, 0x31, deliver, &io);
    assert_int_equal(count, 2);
    pin(4, false);
    vioapic_eoi(&io, 0x31, deliver, &io);
    assert_int_equal(count, 2);
    assert_int_equal(rd(0x18), LEVEL | 0x31);
    assert_int_equal(vioapic_waiting(&io, 0x31), 0);
    vioapic_eoi(&io, 0x31, deliver, &io);
    assert_int_equal(count, 2);
}

static void test_level_unmasked_while_asserted(void **state)
{
    (void)state;
    wr(0x18, MASKED | LEVEL | 0x31);
    pin(4, true);
    assert_int_equal(count, 0);
    wr(0x18, LEVEL | 0x31);
    assert_int_equal(count, 1);
    wr(0x18, MASKED | LEVEL | 0x31);
    assert_int_equal(rd(0x18), MASKED | LEVEL | RIRR | 0x31);
    vioapic_eoi(&io, 0x31, deliver, &io);
    assert_int_equal(count, 1);
    wr(0x18, LEVEL | 0x31);
    assert_int_equal(count, 2);
    wr(0x18, LEVEL | 0x31);
    assert_int_equal(count, 2);
}

static void test_edge_mode_clears_remote_irr(void **state)
{
    (void)state;
    wr(0x18, LEVEL | 0x31);
    pin(4, true);
    wr(0x18, MASKED | 0x31);
    assert_int_equal(rd(0x18), MASKED | 0x31);
    wr(0x18, LEVEL | 0x31);
    assert_int_equal(count, 2);
}

static void test_shared_vector(void **state)
{
    (void)state;
    wr(0x12, LEVEL | 0x50);
    wr(0x14, LEVEL | 0x50);
    pin(1, true);
    pin(2, true);
    count = 0;
    vioapic_eoi(&io, 0x50, deliver, &io);
    assert_int_equal(count, 2);
}

static void test_nmi_is_an_edge(void **state)
{
    (void)state;
    wr(0x12, LEVEL | 0x400);
    pin(1, true);
    assert_int_equal(count, 1);
    assert_false(last.level);
    assert_int_equal(last.delivery_mode, 4);
    assert_int_equal(rd(0x12), LEVEL | 0x400);
}

static void test_lowest_priority_is_a_level(void **state)
{
    (void)state;
    wr(0x12, LEVEL | 0x141);
    pin(1, true);
    assert_true(last.level);
    assert_int_equal(last.delivery_mode, 1);
    assert_int_equal(rd(0x12), LEVEL | RIRR | 0x141);
}

static void test_pins_outside(void **state)
{
    (void)state;
    pin(24, true);
    pin(~0u, true);
    assert_int_equal(io.level, 0);
    wr(0x3e, 0x41);
    pin(23, true);
    assert_int_equal(count, 1);
    vioapic_reset(&io);
    assert_int_equal(io.level, 1u << 23); /* the device still drives it */
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registers), T(entry_bits), T(edge), T(edge_on_masked_pin_is_lost), T(level_waits_for_eoi),
        T(level_unmasked_while_asserted), T(edge_mode_clears_remote_irr), T(shared_vector),
        T(nmi_is_an_edge), T(lowest_priority_is_a_level), T(pins_outside),
    };

    return cmocka_run_group_tests_name("vioapic", tests, NULL, NULL);
}
