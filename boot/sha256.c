/* SPDX-License-Identifier: MIT */
/* SHA-256, with the names of FIPS 180-4, sections 4.1.2 to 6.2. */
#include "boot/sha256.h"

#include "hv/lib/string.h"

#define BLOCK 64u

static const u32 k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static u32 rotr(u32 x, u32 n)
{
    return x >> n | x << (32 - n);
}

static void put_be32(u8 *at, u32 x)
{
    for (u32 i = 0; i < 4; i++)
        at[i] = (u8)(x >> (24 - 8 * i));
}

static void one_block(u32 hash[8], const u8 *m)
{
    u32 a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    u32 w[64];

    for (u32 t = 0; t < 16; t++)
        w[t] = (u32)m[4 * t] << 24 | (u32)m[4 * t + 1] << 16 | (u32)m[4 * t + 2] << 8 | m[4 * t + 3];
    for (u32 t = 16; t < 64; t++) {
        u32 sigma0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        u32 sigma1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

        w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
    }
    for (u32 t = 0; t < 64; t++) {
        u32 ch = (e & f) ^ (~e & g), maj = (a & b) ^ (a & c) ^ (b & c);
        u32 t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ch + k[t] + w[t];
        u32 t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + maj;

        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
    hash[5] += f;
    hash[6] += g;
    hash[7] += h;
}

void sha256(const void *data, size_t size, u8 digest[SHA256_SIZE])
{
    u32 hash[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    u8 last[2 * BLOCK] = { 0 }; /* the rest, a one bit, zeros and the length in bits */
    const u8 *at = data;
    size_t rest = size % BLOCK, end = rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

    for (const u8 *stop = at + (size - rest); at < stop; at += BLOCK)
        one_block(hash, at);
    memcpy(last, at, rest);
    last[rest] = 0x80;
    put_be32(last + end - 8, (u32)((u64)size >> 29));
    put_be32(last + end - 4, (u32)(size << 3));
    for (size_t i = 0; i < end; i += BLOCK)
        one_block(hash, last + i);
    for (u32 i = 0; i < 8; i++)
        put_be32(digest + 4 * i, hash[i]);
}
