/* SPDX-License-Identifier: MIT */
/* The end of all: guests that can be asked shut down first, the others are stopped behind them. */
#include "hv/power.h"

#include "arch/x86/host.h"
#include "hv/cpu.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"
#include "hv/partition.h"
#include "hv/terminal.h"

#define SHUTDOWN_S 30u
#define LOOK_US    20000u

static const struct handoff *handoff;
static bool wanted, restarts, button;
static u64 asked, deadline; /* partitions that were asked and still run, a bit each; until this host TSC */

/* The hypervisor is not to be trusted any more, and the firmware may wait for a core that stands still. */
static void after_panic(void)
{
    for (;;) {
        arch_udelay(LOOK_US);
        terminal_keyboard_rang();
        if (terminal_getc() == CONSOLE_ESCAPE)
            arch_reboot(NULL);
        if (button && arch_power_button())
            arch_power_off(NULL);
    }
}

void power_init(const struct handoff *h)
{
    handoff = h;
    panic_set_rest(after_panic);
    button = arch_power_button_init(); /* what switched the machine on is forgotten with that */
    if (!button)
        log_info("the power button is the firmware's, which may switch the machine off at once: the monitor has poweroff");
}

bool power_off_wanted(void)
{
    return wanted;
}

static void stop_all(void)
{
    log_info("all partitions are stopped, then the machine %s", restarts ? "restarts" : "is switched off");
    asked = 0;
    for (u32 i = 0; i < nr_partitions; i++)
        if (partition_stop(partition_get(i), END_STOPPED) != PITH_OK)
            continue; /* it does not run: that is what is wanted */
    house_call(partitions_house);
}

void power_request(const char *who, bool restart)
{
    bool again = wanted;

    wanted = true;
    restarts = restart;
    for (u32 i = 0; i < nr_partitions && !again; i++)
        if (partition_runs(partition_get(i)) && isa_power_button(partition_get(i)))
            asked |= BIT(i);
    if (again || !asked) {
        stop_all();
        return;
    }
    deadline = arch_tsc() + SHUTDOWN_S * 1000 * arch_tsc_khz();
    log_info("%s: guests are asked to shut down, and stopped in %u s; once more, and they are stopped at once", who, SHUTDOWN_S);
}

void power_look(void)
{
    bool late;

    if (button && arch_power_button())
        power_request("power button", false);
    if (!asked)
        return;
    late = arch_tsc() > deadline;
    for (u32 i = 0; i < nr_partitions; i++) {
        if (!partition_runs(partition_get(i)))
            asked &= ~BIT(i);
        else if (late && (asked & BIT(i)))
            log_warn("%s did not shut down in %u s", partition_get(i)->name, SHUTDOWN_S);
    }
    if (late || !asked)
        stop_all();
}

void power_off(void)
{
    log_info(restarts ? "restart" : "power off");
    if (!cpus_park())
        log_warn("a core did not stop; going on all the same");
    terminal_stop();
    if (restarts)
        arch_reboot(handoff);
    arch_power_off(handoff);
}
