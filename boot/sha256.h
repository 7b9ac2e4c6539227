/* SPDX-License-Identifier: MIT */
/* SHA-256 of bytes in memory: FIPS 180-4. */
#pragma once

#include "hv/lib/types.h"

#define SHA256_SIZE 32u

void sha256(const void *data, size_t size, u8 digest[SHA256_SIZE]);
