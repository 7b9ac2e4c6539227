/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of real devices: from the machine's I/O APIC to the same pin of a partition's.
 *
 * A level-triggered one is masked when it comes and unmasked when the guest has ended it: it costs others nothing, and a
 * guest that leaves the device's line on spends its own turn. An edge is passed on. One that comes in the turn of somebody
 * else is masked for a moment and passed on once more after that, since edges meanwhile were lost.
 */
#include "hv/devices.h"

#include "hv/account.h"
#include "hv/lib/log.h"
#include "hv/terminal.h"

#define EDGE_PAUSE_US 1000u

static struct pin {
    struct partition *part;
    struct timer pause;     /* of its home core */
    bool on, level, paused; /* on: atomics; the others: home core, and core 0 while it is off */
} pins[VIOAPIC_PINS];

static bool costs_others(const struct cpu *cpu, const struct partition *p)
{
    return !account_runs(&cpu->idle) && !(cpu->current && cpu->current->part == p);
}

void devices_irq(u32 gsi)
{
    struct pin *pin = &pins[gsi];
    struct cpu *cpu = this_cpu();

    if (!__atomic_load_n(&pin->on, __ATOMIC_ACQUIRE))
        return; /* it was on its way when its partition ended */
    if (!pin->level && costs_others(cpu, pin->part))
        pin->paused = true;
    if (pin->level || pin->paused)
        arch_gsi_mask(gsi, true);
    cpu->device_irqs |= 1u << gsi;
}

static void pause_over(struct timer *t)
{
    struct pin *pin = (struct pin *)((u8 *)t - offsetof(struct pin, pause));
    u32 gsi = (u32)(pin - pins);

    if (!pin->paused || !__atomic_load_n(&pin->on, __ATOMIC_ACQUIRE))
        return;
    pin->paused = false;
    arch_gsi_mask(gsi, false);
    this_cpu()->device_irqs |= 1u << gsi;
}

/* Holds p->lock. Of the guest's pins, 0 to 15 are those of the 8259s too. */
static void set_line(struct partition *p, u32 gsi, bool high)
{
    if (gsi < 16)
        isa_set_irq(p, gsi, high);
    else
        vioapic_set_pin(&p->ioapic, gsi, high, partition_deliver, p);
}

/* After an edge the line stays high: the 8259s forget a request whose line falls. */
static void pass_on(struct cpu *cpu, u32 gsi)
{
    struct pin *pin = &pins[gsi];
    struct partition *p = pin->part;

    spin_lock(&p->lock);
    set_line(p, gsi, false);
    set_line(p, gsi, true);
    p->irqs_held |= 1u << gsi;
    spin_unlock(&p->lock);
    if (pin->paused)
        timer_set(&cpu->timers, &pin->pause, arch_tsc() + EDGE_PAUSE_US * arch_tsc_khz() / 1000);
}

void devices_attend(struct cpu *cpu)
{
    u32 irqs = cpu->device_irqs;

    cpu->device_irqs = 0;
    for (; irqs; irqs &= irqs - 1)
        pass_on(cpu, (u32)__builtin_ctz(irqs));
}

void devices_eoi(struct partition *p, u8 vector)
{
    u32 ended = p->irqs_held & vioapic_waiting(&p->ioapic, vector);

    p->irqs_held &= ~ended;
    for (; ended; ended &= ended - 1) {
        u32 gsi = (u32)__builtin_ctz(ended);

        set_line(p, gsi, false);
        if (pins[gsi].level)
            arch_gsi_mask(gsi, false); /* still asserted: it comes again */
    }
}

enum pith_status device_irqs_create(struct partition *p)
{
    const struct cpu *home = p->vcpus[0]->home;

    for (u32 i = 0; i < p->conf->nr_irqs; i++) {
        u32 gsi = p->conf->irqs[i];

        if (gsi == terminal_line_gsi() ||
            arch_gsi_route(gsi, (u8)(HOST_VEC_DEVICE + gsi), home->apic_id) != PITH_OK) {
            log_error("pith.conf:%u: interrupt %u cannot be given to '%s': it is that of Pith's own serial line, or no I/O APIC has it, or "
                      "none reaches core %u - correct irqs, or cores",
                      p->conf->line, gsi, p->name, home->index);
            return PITH_E_ARG;
        }
        arch_gsi_mask(gsi, true);
        pins[gsi].part = p;
        pins[gsi].level = arch_gsi_level(gsi);
        timer_init(&pins[gsi].pause, pause_over);
    }
    return PITH_OK;
}

void device_irqs_start(struct partition *p)
{
    p->irqs_held = 0;
    for (u32 i = 0; i < p->conf->nr_irqs; i++) {
        struct pin *pin = &pins[p->conf->irqs[i]];

        pin->paused = false;
        __atomic_store_n(&pin->on, true, __ATOMIC_RELEASE);
        arch_gsi_mask(p->conf->irqs[i], false);
    }
}

void device_irqs_stop(struct partition *p)
{
    for (u32 i = 0; i < p->conf->nr_irqs; i++) {
        __atomic_store_n(&pins[p->conf->irqs[i]].on, false, __ATOMIC_RELEASE);
        arch_gsi_mask(p->conf->irqs[i], true);
    }
}
