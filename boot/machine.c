/* SPDX-License-Identifier: MIT */
/* What this machine's tables and chipset tell: for the hypervisor, and about what may be given to partitions. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "boot/acpi.h"
#include "boot/chipset.h"
#include "boot/clock.h"
#include "boot/devices.h"
#include "boot/loader.h"
#include "boot/topology.h"
#include "hv/lib/string.h"

#define HPET_DEFAULT 0xfed00000u
#define TABLE_LEVELS 4u
#define ENTRY_P      BIT(0)
#define ENTRY_PS     BIT(7)
#define ENTRY_ADDR   0x000ffffffffff000ull

static struct acpi_info acpi;

u64 physical_end(void)
{
    u32 a, b, c, d;

    cpuid(0x80000008, 0, &a, &b, &c, &d);
    return BIT(a & 0xff);
}

/* By the firmware's page tables, which need not lead to all that a damaged table may name; in the lower half, all is mapped as it lies. */
bool physical_mapped(u64 at)
{
    const u64 *table = (const u64 *)(read_cr3() & ENTRY_ADDR);

    if (at >= MIN(physical_end(), BIT(47)))
        return false;
    for (u32 level = read_cr4() & CR4_LA57 ? TABLE_LEVELS + 1 : TABLE_LEVELS;; level--) {
        u64 entry = table[at >> (PAGE_SHIFT + 9 * (level - 1)) & 511];

        if (!(entry & ENTRY_P) || level == 1 || (level <= 3 && (entry & ENTRY_PS)))
            return entry & ENTRY_P;
        table = (const u64 *)(entry & ENTRY_ADDR);
    }
}

bool physical_read(hpa_t hpa, void *buf, size_t len)
{
    u64 end = hpa + len;

    if (end < hpa)
        return false;
    for (u64 page = ALIGN_DOWN(hpa, PAGE_SIZE); page < end; page += PAGE_SIZE)
        if (!physical_mapped(page))
            return false;
    memcpy(buf, (const void *)hpa, len);
    return true;
}

static void find_clock(u16 chipset_timer)
{
    const u16 pm_timers[] = { acpi.pm_timer, chipset_timer };
    u64 hpet = acpi.hpet ? acpi.hpet : HPET_DEFAULT;

    clock_find(physical_mapped(hpet) ? (void *)hpet : NULL, pm_timers, ARRAY_SIZE(pm_timers));
}

void machine_find(struct handoff_machine *machine)
{
    struct chipset_pm pm;
    bool chipset = chipset_find(&pm);

    acpi_parse(acpi_find_rsdp(), physical_read, &acpi);
    if (!acpi.found)
        say_info("no ACPI tables: devices are taken where PCs have them");
    if (!acpi.found && chipset)
        acpi_keep(&acpi, pm.base & ~0x7full, 0x80, true, "power management");
    acpi_keep(&acpi, physical_end(), ~0ull, false, "addresses that this processor does not have");
    find_clock(chipset ? (u16)(pm.base + CHIPSET_PM_TIMER) : 0);
    *machine = acpi.machine;
    machine->thread_bits = (u8)topology_thread_bits(cpuid);
    if (chipset) {
        machine->chipset_pm1 = (u16)(pm.base + CHIPSET_PM_CNT);
        machine->chipset_s5 = (u8)pm.slp_typ;
        if (!acpi.found) {
            machine->pm1a_evt = pm.base;
            machine->pm1_evt_len = CHIPSET_PM_CNT;
        }
    }
}

void machine_devices(struct manifest *m, const struct handoff_range *ranges, u32 nr_ranges, const struct handoff *h,
                     manifest_mistake_fn *mistake, void *ctx)
{
    const struct devices_of machine = { ranges, nr_ranges, h->fb, h->serial, &acpi };

    devices_examine(m, &machine, mistake, ctx);
}
