/* SPDX-License-Identifier: MIT */
/* Power off once every partition has left. */
#include "hv/power.h"

#include "arch/x86/host.h"
#include "hv/cpu.h"
#include "hv/lib/log.h"
#include "hv/partition.h"
#include "hv/terminal.h"

static const struct handoff *handoff;
static bool wanted;

void power_init(const struct handoff *h)
{
    handoff = h;
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
