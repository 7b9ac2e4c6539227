/* SPDX-License-Identifier: MIT */
/*
 * The 16550A: identification as Linux does it, FIFOs, interrupt sources, loopback.
 * LINK: hv/vdev/vuart.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/types.h"
#include "hv/vdev/vuart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR  IIR
#define OUT2 0x08

static struct vuart u;

static int wr(u32 reg, u8 val)
{
    return vuart_write(&u, reg, val);
}

static u8 rd(u32 reg)
{
    return vuart_read(&u, reg);
}

static int fresh(void **state)
{
    (void)state;
    memset(&u, 0xff, sizeof(u));
    vuart_reset(&u);
    return 0;
}

/* drivers/tty/serial/8250: autoconfig() and autoconfig_16550a() */
static void test_linux_finds_a_16550a(void **state)
{
    u8 status1, status2;

    (void)state;
    wr(IER, 0);
    assert_int_equal(rd(IER) & 0x0f, 0);
    wr(IER, 0x0f);
    assert_int_equal(rd(IER), 0x0f);
    wr(IER, 0);
    wr(MCR, 0x1a);
    assert_int_equal(rd(MSR) & 0xf0, 0x90);
    wr(MCR, 0);
    wr(LCR, 0xbf);
    wr(IIR, 0);
    wr(LCR, 0);
    wr(FCR, 1);
    assert_int_equal(rd(IIR) >> 6, 3);

    wr(LCR, 0xbf);
    assert_int_not_equal(rd(2), 0); /* EFR would read 0: a 16650 */
    wr(LCR, 0);
    wr(FCR, 0x21);
    status1 = rd(IIR) >> 5;
    wr(FCR, 1);
    wr(LCR, 0x80);
    wr(FCR, 0x21);
    status2 = rd(IIR) >> 5;
    wr(LCR, 0);
    assert_false(status1 == 6 && status2 == 7); /* a 16750 */
    wr(IER, 0x40);
    assert_int_equal(rd(IER), 0); /* UUE: an XScale */
    wr(SCR, 0xa5);
    assert_int_equal(rd(SCR), 0xa5);
}

static void test_reset(void **state)
{
    (void)state;
    assert_int_equal(rd(IER), 0);
    assert_int_equal(rd(IIR), 0x01);
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(MSR), 0xb0);
    assert_int_equal(rd(MCR), 0);
    assert_int_equal(rd(DATA), 0);
    assert_int_equal(rd(8), 0xff);
    assert_false(vuart_irq(&u));
}

static void test_divisor(void **state)
{
    (void)state;
    wr(IER, 0x05);
    wr(LCR, 0x83);
    assert_int_equal(wr(DATA, 12), -1);
    wr(IER, 1);
    assert_int_equal(rd(DATA), 12);
    assert_int_equal(rd(IER), 1);
    wr(LCR, 0x03);
    assert_int_equal(rd(IER), 0x05);
    assert_int_equal(rd(LCR), 0x03);
    assert_int_equal(wr(DATA, 'x'), 'x');
}

static void test_transmit_interrupt(void **state)
{
    (void)state;
    wr(MCR, OUT2);
    wr(IER, 0x02); /* arms: the transmitter is empty */
    assert_true(vuart_irq(&u));
    assert_int_equal(rd(IIR), 0x02);
    assert_int_equal(rd(IIR), 0x01); /* reading it ended it */
    assert_false(vuart_irq(&u));
    assert_int_equal(wr(DATA, 'a'), 'a');
    assert_true(vuart_irq(&u));
    rd(IIR);
    wr(IER, 0x03); /* still enabled: nothing new */
    assert_false(vuart_irq(&u));
    wr(IER, 0);
    wr(IER, 0x02);
    assert_true(vuart_irq(&u));
}

static void test_out2_and_loop_gate_the_line(void **state)
{
    (void)state;
    wr(IER, 0x02);
    assert_false(vuart_irq(&u));
    wr(MCR, OUT2 | 0x10);
    assert_false(vuart_irq(&u));
    wr(MCR, OUT2);
    assert_true(vuart_irq(&u));
    wr(MCR, 0xff);
    assert_int_equal(rd(MCR), 0x1f);
}

static void test_receive_without_fifo(void **state)
{
    (void)state;
    assert_true(vuart_rx_room(&u));
    vuart_rx(&u, 'a');
    assert_false(vuart_rx_room(&u));
    assert_int_equal(rd(LSR), 0x61);
    vuart_rx(&u, 'b'); /* overwrites */
    assert_int_equal(rd(LSR), 0x63);
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(DATA), 'b');
    assert_int_equal(rd(LSR), 0x60);
}

static void test_receive_fifo(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    wr(MCR, OUT2);
    for (int round = 0; round < 3; round++) { /* across the end of the ring */
        for (u8 i = 0; i < 16; i++) {
            assert_true(vuart_rx_room(&u));
            vuart_rx(&u, i);
        }
        assert_false(vuart_rx_room(&u));
        vuart_rx(&u, 99); /* lost */
        assert_int_equal(rd(LSR), 0x63);
        for (u8 i = 0; i < 16; i++)
            assert_int_equal(rd(DATA), i);
        assert_int_equal(rd(LSR), 0x60);
        vuart_rx(&u, 0);
        rd(DATA);
    }
}

static void test_receive_interrupts(void **state)
{
    (void)state;
    wr(MCR, OUT2);
    wr(FCR, 0x81); /* trigger at 8 */
    wr(IER, 0x07);
    rd(IIR);
    for (u8 i = 0; i < 7; i++)
        vuart_rx(&u, i);
    assert_true(vuart_irq(&u));
    assert_int_equal(rd(IIR), 0xcc); /* time-out */
    vuart_rx(&u, 7);
    wr(DATA, 'x'); /* a pending transmit interrupt waits behind */
    assert_int_equal(rd(IIR), 0xc4);
    for (int i = 0; i < 9; i++)
        vuart_rx(&u, 8);
    assert_int_equal(rd(IIR), 0xc6); /* overrun first */
    rd(LSR);
    assert_int_equal(rd(IIR), 0xc4);
    for (int i = 0; i < 16; i++)
        rd(DATA);
    assert_int_equal(rd(IIR), 0xc2);
    assert_int_equal(rd(IIR), 0xc1);
}

/* Each enable bit lets its own source through and no other. */
static void test_sources_one_by_one(void **state)
{
    static const u8 source[4] = { 0x0c, 0x02, 0x06, 0x01 }; /* data, transmitter, line, modem */

    (void)state;
    wr(FCR, 0xc1);
    for (u8 i = 0; i < 17; i++)
        vuart_rx(&u, i);
    for (u8 i = 0; i < 10; i++)
        rd(DATA);
    for (u8 bit = 0; bit < 4; bit++) {
        wr(DATA, 'x');
        wr(IER, (u8)(1 << bit));
        assert_int_equal(rd(IIR), 0xc0 | source[bit]);
    }
}

static void test_trigger_levels(void **state)
{
    static const u8 levels[4] = { 1, 4, 8, 14 };

    (void)state;
    wr(IER, 1);
    for (u8 i = 0; i < 4; i++) {
        wr(FCR, (u8)(i << 6 | 3));
        for (u8 n = 1; n <= 16; n++) {
            vuart_rx(&u, n);
            assert_int_equal(rd(IIR), n >= levels[i] ? 0xc4 : 0xcc);
        }
    }
}

static void test_fifo_control(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    vuart_rx(&u, 'a');
    wr(FCR, 0x01);
    assert_int_equal(rd(LSR), 0x61);
    wr(FCR, 0x05); /* transmitter only */
    assert_int_equal(rd(LSR), 0x61);
    wr(FCR, 0x03);
    assert_int_equal(rd(LSR), 0x60);
    vuart_rx(&u, 'a');
    wr(FCR, 0xc0); /* off: cleared, and the trigger level is not taken */
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(IIR), 0x01);
    assert_int_equal(u.fcr, 0);
}

static void test_loopback(void **state)
{
    (void)state;
    wr(MCR, 0x10);
    assert_int_equal(rd(MSR), 0);
    assert_int_equal(wr(DATA, 'q'), -1);
    assert_false(vuart_rx_room(&u));
    vuart_rx(&u, 'z'); /* the line is disconnected */
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(DATA), 'q');
    for (u8 bit = 0; bit < 4; bit++) {
        static const u8 msr[4] = { 0x20, 0x10, 0x40, 0x80 }; /* DTR RTS OUT1 OUT2 */

        wr(MCR, (u8)(0x10 | 1 << bit));
        assert_int_equal(rd(MSR), msr[bit]);
    }
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(linux_finds_a_16550a), T(reset), T(divisor), T(transmit_interrupt),
        T(out2_and_loop_gate_the_line), T(receive_without_fifo), T(receive_fifo),
        T(receive_interrupts), T(sources_one_by_one), T(trigger_levels),
        T(fifo_control), T(loopback),
    };

    return cmocka_run_group_tests_name("vuart", tests, NULL, NULL);
}
