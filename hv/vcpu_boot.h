/* SPDX-License-Identifier: MIT */
/* What vcpu.c finds posted about the beginning of a vCPU. All but the first of the resident one, on its home core. */
#pragma once

#include "hv/vcpu.h"

void vcpu_post_init(struct vcpu *v);   /* any core */

void vcpu_begin(struct vcpu *v);       /* its partition starts: power-on state; vCPU 0 as the image's boot protocol asks */
void vcpu_init_signal(struct vcpu *v); /* INIT: it waits for a SIPI, or for VCPU_START */
void vcpu_sipi(struct vcpu *v);        /* nothing, unless it waits for one; so does the next */
void vcpu_begin_at(struct vcpu *v);    /* VCPU_START, if VCPU_STOP has not taken it back */
