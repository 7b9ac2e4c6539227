/* SPDX-License-Identifier: MIT */
/* Physical interrupts. */
#include "hv/irq.h"

#include "hv/account.h"
#include "hv/devices.h"
#include "hv/lib/log.h"
#include "hv/monitor.h"
#include "hv/power.h"
#include "hv/terminal.h"
#include "hv/vcpu.h"

#define POLL_MS      20u
#define KEYBOARD_MS  1000u /* beside its interrupt: each look may be a trap into the firmware */
#define KEYS_AT_ONCE 64u /* a broken port may say for ever that there is a byte */

static struct timer poll_timer;
static u32 keyboard_polls; /* polls from one look at the keyboard to the next */

static void on_irq(u8 vector)
{
    enum cpu_look what = LOOK_DEVICES;

    if (vector == HOST_VEC_DOORBELL)
        what = LOOK_RING;
    else if (vector == HOST_VEC_TIMER)
        what = LOOK_TIMER;
    else if (vector == HOST_VEC_KEYBOARD)
        terminal_keyboard_rang();
    else if (vector >= HOST_VEC_DEVICE && vector < HOST_VEC_DEVICE + VIOAPIC_PINS)
        devices_irq(vector - HOST_VEC_DEVICE);
    cpu_look(this_cpu(), what);
}

static void poll_again(struct timer *t)
{
    static u32 polls;

    account_watch();
    power_look();
    if (++polls % keyboard_polls == 0)
        terminal_keyboard_rang();
    timer_set(&this_cpu()->timers, t, arch_tsc() + POLL_MS * arch_tsc_khz());
}

void irq_init(void)
{
    arch_set_irq_handler(on_irq);
    if (!terminal_line_interrupt(HOST_VEC_UART))
        log_info("what comes in at the serial line is polled every %u ms: it has no interrupt that could be used", POLL_MS);
    terminal_keyboard();
    keyboard_polls = arch_isa_irq(1, HOST_VEC_KEYBOARD) == PITH_OK ? KEYBOARD_MS / POLL_MS : 1;
    /* Also beside the interrupt: an edge that is lost must not leave the console deaf. */
    timer_init(&poll_timer, poll_again);
    poll_again(&poll_timer);
}

void irq_house(void)
{
    int c = 0;

    for (u32 i = 0; i < KEYS_AT_ONCE && (c = terminal_getc()) >= 0; i++)
        monitor_key((unsigned char)c);
    terminal_drain();
}
