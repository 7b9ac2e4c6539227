/* SPDX-License-Identifier: MIT */
/* What comes to a partition from its devices: messages of its I/O APIC, and what is typed. */
#include "hv/partition.h"

/* The I/O APIC's messages: to every vCPU that the destination names. */
void partition_deliver(void *partition, const struct vioapic_msg *msg)
{
    struct partition *p = partition;

    for (u32 i = 0; i < p->nr_vcpus; i++) {
        struct vcpu *v = p->vcpus[i];

        if (!vlapic_match(&v->lapic, msg->dest, msg->logical, false))
            continue;
        if (msg->delivery_mode == 4)
            vcpu_post(v, VCPU_PEND_NMI);
        else if (msg->delivery_mode <= 1)
            vcpu_post_irq(v, msg->vector, msg->level);
        if (msg->delivery_mode == 1)
            return; /* lowest priority: one of them */
    }
}

void partition_uart_update(struct partition *p)
{
    while (p->in_count && vuart_rx_room(&p->uart)) {
        vuart_rx(&p->uart, p->input[p->in_head]);
        p->in_head = (p->in_head + 1) % PARTITION_INPUT;
        p->in_count--;
    }
    isa_set_irq(p, VUART_IRQ, vuart_irq(&p->uart));
}

void partition_input(struct partition *p, u8 byte)
{
    if (!partition_runs(p))
        return;
    spin_lock(&p->lock);
    if (p->in_count < PARTITION_INPUT) {
        p->input[(p->in_head + p->in_count) % PARTITION_INPUT] = byte;
        p->in_count++;
    }
    partition_uart_update(p);
    spin_unlock(&p->lock);
}
