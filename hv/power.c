/* SPDX-License-Identifier: MIT */
/* Power off once every partition has left. */
#include "hv/power.h"

#include "arch/x86/host.h"
#include "hv/cpu.h"
#include "hv/lib/log.h"
#include "hv/partition.h"
#include "hv/terminal.h"

static const struct handoff *handoff;
static bool wanted, button;

void power_init(const struct handoff *h)
{
    handoff = h;
    button = arch_power_button_init(); /* what switched the machine on is forgotten with that */
    if (!button)
        log_info("the power button is the firmware's, which may switch the machine off at once: the monitor has poweroff");
}

void power_look(void)
{
    if (!button || !arch_power_button() || wanted)
        return;
    log_info("power button: all partitions are stopped, then the machine is switched off");
    power_off_request();
}

bool power_off_wanted(void)
{
    return wanted;
}

void power_off_request(void)
{
    wanted = true;
    for (u32 i = 0; i < nr_partitions; i++)
        if (partition_stop(partition_get(i), END_STOPPED) != PITH_OK)
            continue; /* it does not run: that is what is wanted */
    house_call(partitions_house);
}

void power_off(void)
{
    log_info("power off");
    if (!cpus_park())
        log_warn("a core did not stop; powering off all the same");
    terminal_stop();
    arch_power_off(handoff);
}
