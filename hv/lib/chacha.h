/* SPDX-License-Identifier: MIT */
/* ChaCha20, RFC 8439. */
#pragma once

#include "hv/lib/types.h"

/* A block of key stream, as the words that the RFC serializes. */
void chacha20_block(const u32 key[8], u32 counter, const u32 nonce[3], u32 out[16]);
