/* SPDX-License-Identifier: MIT */
/* Why a guest ended, for a human. */
#pragma once

#include "hv/vcpu.h"

void report_vcpu(struct vcpu *v, const struct vm_exit *exit); /* resident */
void report_registers(struct vcpu *v); /* resident */
