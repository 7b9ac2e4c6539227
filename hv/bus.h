/* SPDX-License-Identifier: MIT */
/* Ports and memory addresses of the emulated devices: one table each. What nobody claims is an empty bus. */
#pragma once

#include "hv/vcpu.h"

struct bus_access {
    u64 addr;   /* port or guest-physical address */
    u64 val;    /* in: what is written; out: what was read */
    u8 size;    /* 1, 2, 4 or 8 bytes */
    bool write;
};

void bus_pio(struct vcpu *v, struct bus_access *a);
void bus_mmio(struct vcpu *v, struct bus_access *a); /* sets v->why where it must end the partition */
void bus_nothing(struct vcpu *v); /* counts an access that nobody answers */
