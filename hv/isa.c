/* SPDX-License-Identifier: MIT */
/* The ISA half of a PC: interrupt lines, the 8259s, the 8254, ACPI's registers. */
#include "hv/isa.h"

#include "hv/abi/platform.h"
#include "hv/partition.h"

#define PM_HZ          3579545u
#define PM_PER_PIT     3u /* both count one crystal of 14.31818 MHz, the one every 4th, the other every 12th time */

static u64 pm_ticks(const struct partition *p)
{
    u64 hz = arch_tsc_khz() * 1000, since = arch_tsc() - p->start_tsc;

    return since / hz * PM_HZ + since % hz * PM_HZ / hz;
}

static u64 pit_ticks(const struct partition *p)
{
    return pm_ticks(p) / PM_PER_PIT;
}

/* After every change of the 8259s. What is asserted already has been announced. */
static void pic_changed(struct partition *p)
{
    bool intr = vpic_intr(&p->isa.pic), was = p->isa.intr;

    __atomic_store_n(&p->isa.intr, intr, __ATOMIC_RELAXED);
    if (intr && !was)
        vcpu_post(p->vcpus[0], VCPU_PEND_ISA);
}

void isa_set_irq(struct partition *p, u32 irq, bool high)
{
    u32 bit = 1u << irq;

    if (!(p->isa.lines & bit) == !high)
        return;
    p->isa.lines ^= bit;
    vioapic_set_pin(&p->ioapic, irq == VPIT_IRQ ? VPIT_GSI : irq, high, partition_deliver, p);
    vpic_set_line(&p->isa.pic, irq, high);
    pic_changed(p);
}

bool isa_deliver(struct vcpu *v)
{
    struct partition *p = v->part;
    struct vpic after;
    bool taken;
    u8 vector;

    spin_lock(&p->lock);
    after = p->isa.pic;
    vector = vpic_ack(&after);
    taken = p->isa.intr && arch_vcpu_interrupt(&v->arch, vector);
    if (taken) {
        p->isa.pic = after;
        pic_changed(p);
    }
    spin_unlock(&p->lock);
    return taken;
}

/* Counter 0's output has risen: after a fall that nobody could see if this is late. */
static void pit_check(struct partition *p)
{
    u64 tsc = arch_tsc();

    if (p->isa.pit.edge == VPIT_NEVER || tsc < p->isa.hold || !vpit_due(&p->isa.pit, pit_ticks(p)))
        return;
    p->isa.hold = vpit_periodic(&p->isa.pit) ? tsc + SHORTEST_PERIOD_US * arch_tsc_khz() / 1000 : 0;
    isa_set_irq(p, VPIT_IRQ, false);
    isa_set_irq(p, VPIT_IRQ, true);
}

static void arm(struct partition *p)
{
    u64 edge = p->isa.pit.edge, now = pit_ticks(p);
    u64 left = edge > now ? edge - now : 0; /* 65537 at the most, so that nothing overflows */
    u64 wait = edge == VPIT_NEVER ? 0 : left * PM_PER_PIT * arch_tsc_khz() * 1000 / PM_HZ + 1;

    timer_set(&p->vcpus[0]->home->timers, &p->isa.tick, edge == VPIT_NEVER ? TIMER_NEVER : MAX(arch_tsc() + wait, p->isa.hold));
}

static void tick_due(struct timer *t)
{
    struct partition *p = (struct partition *)((u8 *)t - offsetof(struct partition, isa.tick));

    spin_lock(&p->lock);
    pit_check(p);
    arm(p);
    spin_unlock(&p->lock);
}

void isa_attend(struct vcpu *v)
{
    if (v->index != 0 || v->paused)
        return;
    spin_lock(&v->part->lock);
    arm(v->part);
    spin_unlock(&v->part->lock);
    v->arch.irq_dirty = true;
}

void isa_stop(struct vcpu *v)
{
    if (v->index == 0)
        timer_set(&v->home->timers, &v->part->isa.tick, TIMER_NEVER);
}

void isa_init(struct partition *p)
{
    timer_init(&p->isa.tick, tick_due);
}

void isa_reset(struct partition *p)
{
    p->isa.lines = p->isa.intr = 0;
    p->isa.pm1_status = p->isa.pm1_enable = 0;
    p->isa.hold = 0;
    vpic_reset(&p->isa.pic);
    vpit_reset(&p->isa.pit);
}

static bool is_pic(u32 port)
{
    return (port & ~1u) == VPIC_MASTER || (port & ~1u) == VPIC_SLAVE || (port & ~1u) == VPIC_ELCR;
}

static bool is_pit(u32 port)
{
    return (port & ~3u) == VPIT_BASE || port == VPIT_CONTROL;
}

static u8 read_port(struct partition *p, u32 port)
{
    bool changed;
    u8 val;

    if (!is_pic(port))
        return is_pit(port) ? vpit_read(&p->isa.pit, port, pit_ticks(p)) : 0xff;
    val = vpic_read(&p->isa.pic, port, &changed);
    if (changed)
        pic_changed(p);
    return val;
}

static void write_pit(struct partition *p, u32 port, u8 val)
{
    u64 now = pit_ticks(p), edge = p->isa.pit.edge;

    vpit_write(&p->isa.pit, port, val, now);
    if (!vpit_out(&p->isa.pit, now))
        isa_set_irq(p, VPIT_IRQ, false);
    if (p->isa.pit.edge == edge)
        return;
    p->isa.hold = 0;
    vcpu_post(p->vcpus[0], VCPU_PEND_ISA); /* to arm the timer, on its own core */
}

static void write_port(struct partition *p, u32 port, u8 val)
{
    if (is_pit(port)) {
        write_pit(p, port, val);
    } else if (is_pic(port)) {
        vpic_write(&p->isa.pic, port, val);
        pic_changed(p);
    }
}

void isa_ports(struct vcpu *v, struct bus_access *a)
{
    struct partition *p = v->part;

    spin_lock(&p->lock);
    pit_check(p); /* what was due before this access happens before it, whenever the timer comes */
    for (u32 i = 0; i < a->size; i++) {
        if (a->write)
            write_port(p, (u32)a->addr + i, (u8)(a->val >> 8 * i));
        else
            a->val |= (u64)read_port(p, (u32)a->addr + i) << 8 * i;
    }
    spin_unlock(&p->lock);
}

/* After every change of these registers. */
static void sci_changed(struct partition *p)
{
    isa_set_irq(p, VACPI_SCI, p->isa.pm1_status & p->isa.pm1_enable);
}

bool isa_power_button(struct partition *p)
{
    bool heard;

    spin_lock(&p->lock);
    p->isa.pm1_status = VACPI_BUTTON;
    heard = p->isa.pm1_enable & VACPI_BUTTON;
    sci_changed(p);
    spin_unlock(&p->lock);
    return heard;
}

/* A one that is written to the status clears it. */
static void write_events(struct partition *p, u64 addr, u64 val, u32 size)
{
    u32 at = 8 * (u32)(addr - VACPI_PM1), bits = (u32)(val << at), mask = (u32)((BIT(8 * size) - 1) << at);

    spin_lock(&p->lock);
    p->isa.pm1_status = (u16)(p->isa.pm1_status & ~bits);
    p->isa.pm1_enable = (u16)((p->isa.pm1_enable & ~(mask >> 16)) | bits >> 16);
    sci_changed(p);
    spin_unlock(&p->lock);
}

/* Soft off ends the partition, reset starts it afresh. */
static void write_acpi(struct vcpu *v, u64 addr, u64 val, u32 size)
{
    u64 control = addr < VACPI_TIMER ? val << 8 * (addr - VACPI_PM1) >> 32 : 0;
    bool running = true;

    if (addr < VACPI_PM1_CONTROL)
        write_events(v->part, addr, val, size);
    if (addr == VACPI_RESET_PORT && (u8)val == VACPI_RESET)
        running = partition_stop(v->part, END_RESET) == PITH_OK;
    else if ((control & VACPI_SLEEP_ENABLE) && VACPI_SLEEP_TYPE(control) == VACPI_S5)
        running = partition_stop(v->part, END_EXIT) == PITH_OK;
    if (!running)
        vcpu_post(v, VCPU_PEND_STOP); /* it is being stopped already; nothing runs behind this all the same */
}

void isa_acpi(struct vcpu *v, struct bus_access *a)
{
    const struct isa *isa = &v->part->isa;
    u64 pm1 = isa->pm1_status | (u64)isa->pm1_enable << 16 | (u64)VACPI_SCI_ENABLED << 32;

    if (a->write)
        write_acpi(v, a->addr, a->val, a->size);
    else if (a->addr < VACPI_TIMER)
        a->val = pm1 >> 8 * (a->addr - VACPI_PM1);
    else if (a->addr < VACPI_RESET_PORT)
        a->val = (u32)pm_ticks(v->part) >> 8 * (a->addr - VACPI_TIMER);
}
