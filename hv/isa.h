/* SPDX-License-Identifier: MIT */
/* The ISA half of a PC: interrupt lines, the 8259s, the 8254, ACPI's registers. Under the partition's lock. */
#pragma once

#include "hv/bus.h"
#include "hv/vdev/vpic.h"
#include "hv/vdev/vpit.h"

struct isa {
    struct vpic pic;
    struct vpit pit;
    u32 lines;          /* as driven */
    u32 intr;           /* the 8259s want vCPU 0; also read without the lock */
    u16 pm1_status, pm1_enable;
    struct timer tick;  /* counter 0; on vCPU 0's home core only */
    u64 hold;           /* host TSC: no further rise of a periodic one is seen before */
};

void isa_init(struct partition *p);
void isa_reset(struct partition *p);
/* Holds p->lock: an interrupt line to the 8259s and to the I/O APIC, as PCs have it. */
void isa_set_irq(struct partition *p, u32 irq, bool high);
/* On v's home core: it was posted VCPU_PEND_ISA or resumed; it is paused or leaves. Only vCPU 0 has something to do. */
void isa_attend(struct vcpu *v);
void isa_stop(struct vcpu *v);
/* The acknowledge cycles, [R] of vCPU 0. False: it cannot take the interrupt now, hears of a window, and nothing has happened. */
bool isa_deliver(struct vcpu *v);
/* Do the 8259s have something that v's local APIC lets through? */
static inline bool isa_wants(const struct vcpu *v, const struct isa *isa)
{
    /* RELAXED: VCPU_PEND_ISA is posted after it was set. */
    return v->index == 0 && __atomic_load_n(&isa->intr, __ATOMIC_RELAXED) && vlapic_extint(&v->lapic);
}
void isa_ports(struct vcpu *v, struct bus_access *a);   /* 8259s, 8254, 61h */
void isa_acpi(struct vcpu *v, struct bus_access *a);
/* Any core, without the lock. False: the guest does not listen to its power button. */
bool isa_power_button(struct partition *p);
