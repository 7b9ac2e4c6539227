/* SPDX-License-Identifier: MIT */
/* RFC 8439, "The ChaCha20 Block Function". */
#include "hv/lib/chacha.h"

static u32 rotated(u32 x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter_round(u32 *a, u32 *b, u32 *c, u32 *d)
{
    *d = rotated(*d ^ (*a += *b), 16);
    *b = rotated(*b ^ (*c += *d), 12);
    *d = rotated(*d ^ (*a += *b), 8);
    *b = rotated(*b ^ (*c += *d), 7);
}

void chacha20_block(const u32 key[8], u32 counter, const u32 nonce[3], u32 out[16])
{
    u32 in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, [12] = counter, nonce[0], nonce[1], nonce[2] };
    unsigned i, k;

    for (i = 0; i < 8; i++)
        in[4 + i] = key[i];
    for (i = 0; i < 16; i++)
        out[i] = in[i];
    for (k = 0; k < 10; k++) {
        for (i = 0; i < 4; i++)
            quarter_round(&out[i], &out[4 + i], &out[8 + i], &out[12 + i]);
        for (i = 0; i < 4; i++)
            quarter_round(&out[i], &out[4 + (i + 1) % 4], &out[8 + (i + 2) % 4], &out[12 + (i + 3) % 4]);
    }
    for (i = 0; i < 16; i++)
        out[i] += in[i];
}
