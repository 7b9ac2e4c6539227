/* SPDX-License-Identifier: MIT */
/*
 * The 8254: six modes, access to the counters, latches, the gate of port 61h.
 * LINK: hv/vdev/vpit.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hv/lib/types.h"
#include "hv/vdev/vpit.h"

#define OUT(status) ((status) >> 7)

static struct vpit pit;
static u64 now;

static int fresh(void **state)
{
    (void)state;
    vpit_reset(&pit);
    now = 1000000;
    return 0;
}

static void wr(u32 port, u8 val)
{
    vpit_write(&pit, port, val, now);
}

static u8 rd(u32 port)
{
    return vpit_read(&pit, port, now);
}

/* Control word for both bytes, then the count. */
static void program(u32 ch, u32 mode, u32 count)
{
    wr(0x43, (u8)(ch << 6 | 0x30 | mode << 1));
    wr(0x40 + ch, (u8)count);
    wr(0x40 + ch, (u8)(count >> 8));
}

static u32 both(u32 ch)
{
    u32 low = rd(0x40 + ch);

    return low | (u32)rd(0x40 + ch) << 8;
}

static u32 count(u32 ch)
{
    wr(0x43, (u8)(ch << 6));
    return both(ch);
}

static u8 status(u32 ch)
{
    wr(0x43, (u8)(0xe0 | 2u << ch));
    return rd(0x40 + ch);
}

static u32 speaker_out(void)
{
    return rd(0x61) >> 5 & 1;
}

static void nothing_runs_at_first(void **state)
{
    (void)state;
    assert_true(pit.edge == VPIT_NEVER);
    assert_false(vpit_due(&pit, ~0ull - 1));
    assert_int_equal(count(0), 0);
    assert_int_equal(status(0), 0x80 | 0x40 | 0x30 | 6); /* null count, mode 3 */
    assert_int_equal(rd(0x43), 0xff);
}

static void mode_0_counts_out_once(void **state)
{
    (void)state;
    wr(0x43, 0x30);
    assert_int_equal(status(0), 0x40 | 0x30);
    assert_false(vpit_out(&pit, now));
    wr(0x40, 100);
    wr(0x40, 0);
    assert_int_equal(status(0), 0x30);
    assert_int_equal(count(0), 100);
    now += 99;
    assert_int_equal(count(0), 1);
    assert_false(vpit_due(&pit, now));
    now++;
    assert_true(vpit_due(&pit, now));
    assert_true(vpit_out(&pit, now));
    assert_int_equal(status(0), 0xb0);
    now += 5;
    assert_int_equal(count(0), 0xfffb); /* counts on */
    now += 65536 * 3;
    assert_int_equal(count(0), 0xfffb);
    assert_false(vpit_due(&pit, now));
    wr(0x40, 10);   /* the first byte stops it and takes the output down */
    assert_false(vpit_out(&pit, now));
    now += 1000;
    assert_false(vpit_due(&pit, now));
    wr(0x40, 0);
    now += 10;
    assert_true(vpit_due(&pit, now));
}

static void count_of_zero_is_the_largest(void **state)
{
    (void)state;
    program(0, 0, 0);
    now += 65535;
    assert_int_equal(count(0), 1);
    assert_false(vpit_due(&pit, now));
    now++;
    assert_true(vpit_due(&pit, now));
}

static void mode_2_is_a_rate(void **state)
{
    (void)state;
    program(0, 2, 1000);
    assert_true(vpit_periodic(&pit));
    assert_true(vpit_out(&pit, now));
    for (u32 i = 0; i < 5; i++) {
        assert_int_equal(count(0), 1000);
        now += 999;
        assert_int_equal(count(0), 1);
        assert_false(vpit_out(&pit, now));
        assert_false(vpit_due(&pit, now));
        now++;
        assert_true(vpit_due(&pit, now));
        assert_false(vpit_due(&pit, now));
        assert_true(vpit_out(&pit, now));
    }
    now += 7300; /* seven edges count once, and the rhythm stays */
    assert_true(vpit_due(&pit, now));
    assert_true(pit.edge == now + 700);
}

static void mode_3_is_a_square_wave(void **state)
{
    (void)state;
    program(0, 7, 1000); /* mode 7 is 3 */
    assert_int_equal(count(0), 1000);
    now += 250;
    assert_int_equal(count(0), 500);
    now += 249;
    assert_true(vpit_out(&pit, now));
    now++;
    assert_false(vpit_out(&pit, now));
    assert_int_equal(count(0), 1000);
    now += 499;
    assert_int_equal(count(0), 2);
    assert_false(vpit_due(&pit, now));
    now++;
    assert_true(vpit_due(&pit, now));
    program(0, 3, 5); /* odd: high for three ticks, low for two */
    for (u32 i = 0; i < 10; i++, now++) {
        static const u8 counts[] = { 4, 2, 0, 4, 2 };

        assert_int_equal(count(0), counts[i % 5]);
        assert_int_equal(vpit_out(&pit, now), i % 5 < 3);
    }
    assert_int_equal(OUT(status(0)), 1);
}

static void new_count_waits_for_the_period(void **state)
{
    (void)state;
    program(0, 2, 1000);
    now += 2300;
    assert_true(vpit_due(&pit, now));
    wr(0x40, 200);
    wr(0x40, 0);
    assert_int_equal(count(0), 700);
    assert_int_equal(status(0) & 0x40, 0x40);
    assert_true(pit.edge == now + 700);
    now += 700;
    assert_true(vpit_due(&pit, now));
    assert_int_equal(status(0) & 0x40, 0);
    assert_int_equal(count(0), 200);
    assert_true(pit.edge == now + 200);
    wr(0x40, 0x2c); /* 300 */
    wr(0x40, 1);
    now += 200 + 2 * 300 + 50; /* nobody looked meanwhile */
    assert_int_equal(count(0), 250);
}

static void mode_4_strobes_once(void **state)
{
    (void)state;
    program(0, 4, 50);
    assert_true(vpit_out(&pit, now));
    now += 50;
    assert_false(vpit_out(&pit, now));
    assert_false(vpit_due(&pit, now));
    now++;
    assert_true(vpit_out(&pit, now));
    assert_true(vpit_due(&pit, now));
    now += 100000;
    assert_false(vpit_due(&pit, now));
}

static void modes_1_and_5_wait_for_the_gate(void **state)
{
    (void)state;
    program(0, 1, 50); /* counter 0's gate never rises */
    assert_true(pit.edge == VPIT_NEVER);
    wr(0x61, 0);
    program(2, 1, 50);
    now += 100;
    assert_int_equal(speaker_out(), 1);
    assert_int_equal(status(2) & 0x40, 0x40);
    wr(0x61, 1);
    assert_int_equal(speaker_out(), 0);
    assert_int_equal(status(2) & 0x40, 0);
    now += 40;
    wr(0x61, 0); /* does not stop it */
    now += 9;
    assert_int_equal(speaker_out(), 0);
    now += 1;
    assert_int_equal(speaker_out(), 1);
    wr(0x61, 1); /* begins it anew */
    now += 49;
    assert_int_equal(speaker_out(), 0);
    now++;
    assert_int_equal(speaker_out(), 1);

    program(2, 5, 50);
    now += 100;
    assert_int_equal(speaker_out(), 1);
    wr(0x61, 0);
    wr(0x61, 1);
    now += 50;
    assert_int_equal(speaker_out(), 0);
    now++;
    assert_int_equal(speaker_out(), 1);
}

static void gate_pauses_modes_0_and_4(void **state)
{
    (void)state;
    for (u32 mode = 0; mode <= 4; mode += 4) {
        wr(0x61, 0);
        program(2, mode, 100);
        now += 1000;
        assert_int_equal(count(2), 100);
        wr(0x61, 1);
        now += 40;
        wr(0x61, 0);
        now += 1000;
        assert_int_equal(count(2), 60);
        wr(0x61, 1);
        now += 59;
        assert_int_equal(count(2), 1);
        assert_int_equal(speaker_out(), mode == 4);
        now++;
        assert_int_equal(speaker_out(), mode == 0);
    }
}

static void gate_restarts_modes_2_and_3(void **state)
{
    (void)state;
    for (u32 mode = 2; mode <= 3; mode++) {
        wr(0x61, 0);
        program(2, mode, 1000);
        now += 5000;
        assert_int_equal(count(2), 1000);
        wr(0x61, 1);
        now += 900;
        assert_int_equal(speaker_out(), mode == 2);
        wr(0x61, 0);
        assert_int_equal(speaker_out(), 1);
        now += 77;
        wr(0x61, 1);
        assert_int_equal(count(2), 1000);
        now += 999;
        assert_int_equal(speaker_out(), 0);
        wr(0x61, 0); /* up at once, and stays */
        now += 3;
        assert_int_equal(speaker_out(), 1);
    }
}

static void bytes_and_latches(void **state)
{
    (void)state;
    wr(0x43, 0x14);  /* low byte only, mode 2 */
    wr(0x40, 0x80);
    now += 0x10;
    assert_int_equal(rd(0x40), 0x70);
    assert_int_equal(rd(0x40), 0x70);
    wr(0x43, 0x24);  /* high byte only */
    wr(0x40, 0x80);
    now += 0x100;
    assert_int_equal(rd(0x40), 0x7f);
    program(0, 2, 0x8000);
    now += 0x12;
    assert_int_equal(rd(0x40), 0xee); /* low, high, low, ... of a count that runs */
    now += 0x100;
    assert_int_equal(rd(0x40), 0x7e);
    wr(0x43, 0x00);  /* latched */
    now += 0x100;
    wr(0x43, 0x00);  /* and not latched again before it is read */
    assert_int_equal(rd(0x40), 0xee);
    assert_int_equal(rd(0x40), 0x7e);
    assert_int_equal(rd(0x40), 0xee);
    assert_int_equal(rd(0x40), 0x7d);
}

static void read_back(void **state)
{
    (void)state;
    program(0, 2, 1000);
    program(2, 0, 1000);
    wr(0x61, 1);
    now += 300;
    wr(0x43, 0xca);  /* count and status of 0 and 2 */
    now += 300;
    assert_int_equal(rd(0x40), 0xb4);
    assert_int_equal(both(0), 700);
    assert_int_equal(rd(0x42), 0x30);
    assert_int_equal(both(2), 700);
    wr(0x43, 0xd2);  /* count only, of 0 */
    assert_int_equal(both(0), 400);
    wr(0x43, 0xc1);  /* of none */
    assert_int_equal(rd(0x40), 400 & 0xff);
}

static void decimal(void **state)
{
    (void)state;
    wr(0x43, 0x35);  /* mode 2, BCD */
    wr(0x40, 0x34);
    wr(0x40, 0x12);
    assert_int_equal(count(0), 0x1234);
    now += 235;
    assert_int_equal(count(0), 0x0999);
    assert_int_equal(status(0) & 1, 1);
    wr(0x43, 0x31);
    wr(0x40, 0);
    wr(0x40, 0);
    now++;
    assert_int_equal(count(0), 0x9999);
    now += 10000 - 1;
    assert_true(vpit_due(&pit, now));
    wr(0x40, 0xff);  /* no such digits: nothing breaks */
    wr(0x40, 0xff);
    now += 20000;
    (void)count(0);
}

static void port_61(void **state)
{
    u32 toggles = 0;

    (void)state;
    wr(0x61, 0xff);
    assert_int_equal(rd(0x61) & 0xcf, 0x0f);
    wr(0x61, 0x00);
    assert_int_equal(rd(0x61) & 0xcf, 0x00);
    for (u32 i = 0; i < 1800; i++, now++)
        toggles += (vpit_read(&pit, 0x61, now) ^ vpit_read(&pit, 0x61, now + 1)) >> 4 & 1;
    assert_int_equal(toggles, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_runs_at_first, fresh),
        cmocka_unit_test_setup(mode_0_counts_out_once, fresh),
        cmocka_unit_test_setup(count_of_zero_is_the_largest, fresh),
        cmocka_unit_test_setup(mode_2_is_a_rate, fresh),
        cmocka_unit_test_setup(mode_3_is_a_square_wave, fresh),
        cmocka_unit_test_setup(new_count_waits_for_the_period, fresh),
        cmocka_unit_test_setup(mode_4_strobes_once, fresh),
        cmocka_unit_test_setup(modes_1_and_5_wait_for_the_gate, fresh),
        cmocka_unit_test_setup(gate_pauses_modes_0_and_4, fresh),
        cmocka_unit_test_setup(gate_restarts_modes_2_and_3, fresh),
        cmocka_unit_test_setup(bytes_and_latches, fresh),
        cmocka_unit_test_setup(read_back, fresh),
        cmocka_unit_test_setup(decimal, fresh),
        cmocka_unit_test_setup(port_61, fresh),
    };

    return cmocka_run_group_tests_name("vpit", tests, NULL, NULL);
}
