/* SPDX-License-Identifier: MIT */
/* MC146818 real-time clock and CMOS at ports 70h/71h: shows time, stores RAM, never interrupts. */
#pragma once

#include "hv/lib/types.h"

struct vrtc { u8 index; u8 ram[128]; };

void vrtc_reset(struct vrtc *r);
u8 vrtc_read(const struct vrtc *r, u32 port, u64 now_seconds);   /* seconds since 1970, UTC */
void vrtc_write(struct vrtc *r, u32 port, u8 val);               /* setting the clock is ignored */
