/* SPDX-License-Identifier: MIT */
/*
 * The two 8259s, step by step as the data sheet has them.
 * LINK: hv/vdev/vpic.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <string.h>

#include <cmocka.h>

#include "hv/lib/types.h"
#include "hv/vdev/vpic.h"

static struct vpic pic;

static void wr(u32 port, u8 val)
{
    vpic_write(&pic, port, val);
}

static u8 rd(u32 port)
{
    struct vpic before = pic;
    bool changed;
    u8 val = vpic_read(&pic, port, &changed);

    assert_true(changed || memcmp(&before, &pic, sizeof(pic)) == 0);
    return val;
}

static void initialize(u8 icw4)
{
    wr(0x20, 0x11);
    wr(0x21, 0x20);
    wr(0x21, 0x04);
    wr(0x21, icw4);
    wr(0xa0, 0x11);
    wr(0xa1, 0x28);
    wr(0xa1, 0x02);
    wr(0xa1, icw4);
}

static int fresh(void **state)
{
    (void)state;
    vpic_reset(&pic);
    initialize(0x01);
    return 0;
}

static void raise(u32 irq)
{
    vpic_set_line(&pic, irq, false);
    vpic_set_line(&pic, irq, true);
}

static void expect_ack(u8 vector)
{
    assert_true(vpic_intr(&pic));
    assert_int_equal(vpic_ack(&pic), vector);
}

static u8 in_service(u32 port)
{
    wr(port, 0x0b);
    return rd(port);
}

static u8 requested(u32 port)
{
    wr(port, 0x0a);
    return rd(port);
}

static void firmware_leaves_all_masked(void **state)
{
    (void)state;
    vpic_reset(&pic);
    assert_int_equal(rd(0x21), 0xff);
    assert_int_equal(rd(0xa1), 0xff);
    for (u32 irq = 0; irq < 16; irq++)
        raise(irq);
    assert_false(vpic_intr(&pic));
    wr(0x21, 0xfe);
    expect_ack(0x08);
    wr(0x20, 0x20);
    wr(0x21, 0xfb);
    wr(0xa1, 0xfe);
    expect_ack(0x70);
}

static void initialization_words(void **state)
{
    (void)state;
    assert_int_equal(rd(0x21), 0); /* ICW1 clears the mask */
    wr(0x21, 0x55);
    assert_int_equal(rd(0x21), 0x55);
    wr(0x20, 0x10);  /* cascaded, without ICW4 */
    wr(0x21, 0x47);
    wr(0x21, 0x04);
    wr(0x21, 0xa5);  /* OCW1 again */
    assert_int_equal(rd(0x21), 0xa5);
    wr(0x21, 0);
    raise(3);
    expect_ack(0x43);
    wr(0x20, 0x12);  /* single */
    wr(0x21, 0x50);
    wr(0x21, 0x5a);
    assert_int_equal(rd(0x21), 0x5a);
}

static void icw1_forgets_edges_and_service(void **state)
{
    (void)state;
    raise(4);
    raise(5);
    expect_ack(0x24);
    initialize(0x01);
    assert_false(vpic_intr(&pic));
    assert_int_equal(in_service(0x20), 0);
    vpic_set_line(&pic, 5, true); /* still high: no edge */
    assert_false(vpic_intr(&pic));
    raise(5);
    expect_ack(0x25);
}

static void fixed_priority_and_nesting(void **state)
{
    (void)state;
    raise(6);
    raise(3);
    assert_int_equal(requested(0x20), 0x48);
    expect_ack(0x23);
    assert_int_equal(requested(0x20), 0x40);
    assert_int_equal(in_service(0x20), 0x08);
    assert_false(vpic_intr(&pic)); /* 6 waits for the end of 3 */
    raise(1);
    expect_ack(0x21);              /* 1 nests */
    assert_int_equal(in_service(0x20), 0x0a);
    wr(0x20, 0x20);                /* ends 1, the higher */
    assert_int_equal(in_service(0x20), 0x08);
    wr(0x20, 0x63);                /* ends 3 by name */
    expect_ack(0x26);
}

static void masked_lines_wait(void **state)
{
    (void)state;
    wr(0x21, 0x10);
    raise(4);
    assert_false(vpic_intr(&pic));
    assert_int_equal(requested(0x20), 0x10);
    wr(0x21, 0);
    expect_ack(0x24);
}

static void withdrawn_request_is_spurious(void **state)
{
    (void)state;
    raise(4);
    vpic_set_line(&pic, 4, false);
    assert_false(vpic_intr(&pic));
    assert_int_equal(vpic_ack(&pic), 0x27);
    assert_int_equal(in_service(0x20), 0); /* nothing to end */
    raise(7);
    expect_ack(0x27);
    assert_int_equal(in_service(0x20), 0x80); /* how software tells it apart */
}

static void slave_goes_through_line_2(void **state)
{
    (void)state;
    raise(12);
    raise(3);
    expect_ack(0x2c); /* line 2 ranks before 3 */
    assert_int_equal(in_service(0x20), 0x04);
    assert_int_equal(in_service(0xa0), 0x10);
    assert_false(vpic_intr(&pic));
    raise(8);         /* higher at the slave; the master does not nest it */
    assert_false(vpic_intr(&pic));
    wr(0xa0, 0x20);
    assert_false(vpic_intr(&pic));
    wr(0x20, 0x20);
    expect_ack(0x28);
    wr(0xa0, 0x20);
    wr(0x20, 0x20);
    expect_ack(0x23);
}

static void slave_with_a_second_request(void **state)
{
    (void)state;
    raise(9);
    raise(10);
    expect_ack(0x29);
    wr(0xa0, 0x20);
    wr(0x20, 0x20);
    expect_ack(0x2a);
}

static void spurious_slave(void **state)
{
    (void)state;
    raise(14);
    pic.chip[1].irr = 0; /* as if it went away between the two cycles */
    assert_int_equal(vpic_ack(&pic), 0x2f);
    assert_int_equal(in_service(0xa0), 0);
    assert_int_equal(in_service(0x20), 0x04); /* the master saw a real one */
}

static void masked_slave(void **state)
{
    (void)state;
    wr(0xa1, 0x10);
    raise(12);
    assert_false(vpic_intr(&pic));
    wr(0xa1, 0);
    wr(0x21, 0x04);
    assert_false(vpic_intr(&pic));
    wr(0x21, 0);
    expect_ack(0x2c);
}

static void special_fully_nested(void **state)
{
    (void)state;
    initialize(0x11);
    raise(12);
    expect_ack(0x2c);
    raise(8);
    expect_ack(0x28); /* now it nests */
    assert_int_equal(in_service(0xa0), 0x11);
    raise(13);
    assert_false(vpic_intr(&pic));
}

static void automatic_end(void **state)
{
    (void)state;
    initialize(0x03);
    raise(1);
    raise(9);
    expect_ack(0x21);
    assert_int_equal(in_service(0x20), 0);
    expect_ack(0x29);
    assert_int_equal(in_service(0xa0), 0);
    assert_false(vpic_intr(&pic));
    wr(0x20, 0x80); /* rotate in automatic mode */
    raise(3);
    expect_ack(0x23);
    raise(3);
    raise(4);
    expect_ack(0x24);
    wr(0x20, 0x00);
    raise(5);
    expect_ack(0x25); /* no rotation: 4 is the lowest, 5 first */
    raise(6);
    raise(4);
    expect_ack(0x26);
}

static void rotation(void **state)
{
    (void)state;
    raise(2 + 1);
    expect_ack(0x23);
    wr(0x20, 0xa0); /* rotate on non-specific EOI: 3 is the lowest now */
    raise(3);
    raise(4);
    expect_ack(0x24);
    wr(0x20, 0xe4); /* rotate on specific EOI */
    raise(5);
    expect_ack(0x25);
    wr(0x20, 0x65);
    wr(0x20, 0xc7); /* set priority: 7 the lowest, 0 first */
    raise(0);
    expect_ack(0x20);
    wr(0x20, 0x40); /* no operation */
    assert_int_equal(in_service(0x20), 0x01);
    wr(0x20, 0x20);
    expect_ack(0x23);
    wr(0x20, 0x20);
    wr(0x20, 0x20); /* nothing in service: nothing happens */
    assert_int_equal(in_service(0x20), 0);
}

static void special_mask(void **state)
{
    (void)state;
    raise(3);
    expect_ack(0x23);
    raise(6);
    wr(0x21, 0x08);
    assert_false(vpic_intr(&pic)); /* masked, and blocks all the same */
    wr(0x20, 0x68);
    expect_ack(0x26);
    wr(0x20, 0x20);                /* ends 6: 3 is masked */
    assert_int_equal(in_service(0x20), 0x08);
    wr(0x20, 0x20);
    assert_int_equal(in_service(0x20), 0x08);
    raise(6);
    wr(0x20, 0x48);
    assert_false(vpic_intr(&pic));
    wr(0x20, 0x63);
    expect_ack(0x26);
}

static void poll_mode(void **state)
{
    (void)state;
    wr(0x20, 0x0c);
    assert_int_equal(rd(0x20), 0);
    raise(5);
    assert_int_equal(rd(0x20), 0x20); /* one read only */
    wr(0x20, 0x0c);
    assert_int_equal(rd(0x21), 0x85); /* at either port */
    assert_int_equal(in_service(0x20), 0x20);
    assert_false(vpic_intr(&pic));
    assert_int_equal(rd(0x21), 0);
    wr(0x20, 0x20);
    raise(11);
    raise(12);
    wr(0xa0, 0x0c);
    assert_int_equal(rd(0xa0), 0x83);
    wr(0xa0, 0x20);
    expect_ack(0x2c); /* polling the slave has not eaten the other's request */
}

static void level_lines(void **state)
{
    (void)state;
    wr(0x4d0, 0xff);
    wr(0x4d1, 0xff);
    assert_int_equal(rd(0x4d0), 0xf8);
    assert_int_equal(rd(0x4d1), 0xde);
    vpic_set_line(&pic, 5, true);
    expect_ack(0x25);
    wr(0x20, 0x20);
    expect_ack(0x25); /* again, as long as it is high */
    vpic_set_line(&pic, 5, false);
    wr(0x20, 0x20);
    assert_false(vpic_intr(&pic));
    vpic_set_line(&pic, 10, true);
    initialize(0x01); /* asks on */
    expect_ack(0x2a);
    wr(0xa0, 0x20);
    wr(0x20, 0x20);
    wr(0x4d1, 0);     /* an edge now: it must rise first */
    assert_false(vpic_intr(&pic));
    wr(0x4d1, 0x04);
    expect_ack(0x2a);
}

static void no_such_line(void **state)
{
    (void)state;
    raise(2);
    vpic_set_line(&pic, 16, true);
    vpic_set_line(&pic, ~0u, true);
    assert_false(vpic_intr(&pic));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(firmware_leaves_all_masked),
        cmocka_unit_test_setup(initialization_words, fresh),
        cmocka_unit_test_setup(icw1_forgets_edges_and_service, fresh),
        cmocka_unit_test_setup(fixed_priority_and_nesting, fresh),
        cmocka_unit_test_setup(masked_lines_wait, fresh),
        cmocka_unit_test_setup(withdrawn_request_is_spurious, fresh),
        cmocka_unit_test_setup(slave_goes_through_line_2, fresh),
        cmocka_unit_test_setup(slave_with_a_second_request, fresh),
        cmocka_unit_test_setup(spurious_slave, fresh),
        cmocka_unit_test_setup(masked_slave, fresh),
        cmocka_unit_test_setup(special_fully_nested, fresh),
        cmocka_unit_test_setup(automatic_end, fresh),
        cmocka_unit_test_setup(rotation, fresh),
        cmocka_unit_test_setup(special_mask, fresh),
        cmocka_unit_test_setup(poll_mode, fresh),
        cmocka_unit_test_setup(level_lines, fresh),
        cmocka_unit_test_setup(no_such_line, fresh),
    };

    return cmocka_run_group_tests_name("vpic", tests, NULL, NULL);
}
