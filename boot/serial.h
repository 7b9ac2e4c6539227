/* SPDX-License-Identifier: MIT */
/* COM1 without the firmware: 115200 baud, 8N1, polled. */
#pragma once

#include "hv/lib/types.h"

/* False when there is no UART; the other functions then do nothing. */
bool serial_init(void);
void serial_write(const char *s);
