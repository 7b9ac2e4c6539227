/* SPDX-License-Identifier: MIT */
/* QR codes; clauses are those of ISO/IEC 18004:2015. One at a time: it works in static memory. */
#include "hv/lib/qr.h"

#include "hv/lib/string.h"

#define CODEWORDS   1588u  /* of version 25, with those that correct errors */
#define ECC_MAX     30u
#define MODE_BITS   4u
#define MODE_ALNUM  2u
#define FORMAT      0x77c4u /* level L, mask 0, as 7.9 encodes it */
#define FINDER      7u

/* Table 9, level L: codewords for error correction in a block, and blocks. */
static const u8 ecc_of[QR_VERSIONS + 1] = {
    0, 7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26,
};
static const u8 blocks_of[QR_VERSIONS + 1] = { 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12 };

static u8 data[CODEWORDS], all[CODEWORDS];

/* Alignment patterns stand in a grid of so many lines (Annex E). */
static u32 grid_lines(u32 version)
{
    return version > 1 ? version / 7 + 2 : 0;
}

/* Table 1: modules that are neither patterns nor information about the code, in bytes. */
static u32 codewords(u32 version)
{
    u32 n = grid_lines(version), modules = (16 * version + 128) * version + 64;

    if (n)
        modules -= (25 * n - 10) * n - 55;
    return (modules - (version >= 7 ? 36 : 0)) / 8;
}

static u32 data_codewords(u32 version)
{
    return codewords(version) - (u32)ecc_of[version] * blocks_of[version];
}

static u32 count_bits(u32 version)
{
    return version < 10 ? 9 : 11;
}

static u32 smallest(size_t len)
{
    for (u32 v = 1; v <= QR_VERSIONS; v++)
        if (MODE_BITS + count_bits(v) + len / 2 * 11 + len % 2 * 6 <= 8 * data_codewords(v))
            return v;
    return 0;
}

static void put_bits(u32 *at, u32 value, u32 n)
{
    while (n--) {
        data[*at / 8] |= (u8)((value >> n & 1) << (7 - *at % 8));
        ++*at;
    }
}

static u32 digit(char c)
{
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    u32 i = 0;

    while (set[i] && set[i] != c)
        i++;
    return i;
}

/* 7.4.4, 7.4.10 */
static bool put_text(u32 version, const char *text, size_t len)
{
    u32 at = 0, end = data_codewords(version);

    memset(data, 0, sizeof(data));
    put_bits(&at, MODE_ALNUM, MODE_BITS);
    put_bits(&at, (u32)len, count_bits(version));
    for (size_t i = 0; i < len; i += 2) {
        u32 one = digit(text[i]), two = i + 1 < len ? digit(text[i + 1]) : 0;

        if (one >= 45 || two >= 45)
            return false;
        if (i + 1 < len)
            put_bits(&at, one * 45 + two, 11);
        else
            put_bits(&at, one, 6);
    }
    at = (MIN(at + 4, 8 * end) + 7) / 8; /* four zeros end it, as far as there is room */
    for (u32 i = 0; at + i < end; i++)
        data[at + i] = i % 2 ? 0x11 : 0xec;
    return true;
}

/* In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
static u8 multiply(u8 a, u8 b)
{
    u32 p = 0;

    for (u32 i = 8; i--;) {
        p = p << 1 ^ (p & 0x80 ? 0x11d : 0);
        p ^= b >> i & 1 ? a : 0;
    }
    return (u8)p;
}

/* 7.5.2: (x - 1)(x - 2)(x - 4)..., its coefficients from the second highest on. */
static void make_generator(u8 gen[ECC_MAX], u32 n)
{
    u8 root = 1;

    memset(gen, 0, ECC_MAX);
    gen[n - 1] = 1;
    for (u32 i = 0; i < n; i++, root = multiply(root, 2))
        for (u32 k = 0; k < n; k++)
            gen[k] = multiply(gen[k], root) ^ (k + 1 < n ? gen[k + 1] : 0);
}

/* 7.6: each byte goes at once where it stands among those of all blocks; the last blocks are one byte longer. */
static void interleave(u32 version)
{
    u32 n = ecc_of[version], blocks = blocks_of[version], end = data_codewords(version);
    u32 length = end / blocks, shorter = blocks - end % blocks;
    u8 gen[ECC_MAX];
    const u8 *in = data;

    make_generator(gen, n);
    for (u32 b = 0; b < blocks; b++) {
        u8 rest[ECC_MAX] = { 0 };

        for (u32 i = 0; i < length + (b >= shorter); i++, in++) {
            u8 factor = *in ^ rest[0];

            all[i < length ? i * blocks + b : length * blocks + b - shorter] = *in;
            for (u32 k = 0; k < n; k++)
                rest[k] = (k + 1 < n ? rest[k + 1] : 0) ^ multiply(gen[k], factor);
        }
        for (u32 k = 0; k < n; k++)
            all[end + k * blocks + b] = rest[k];
    }
}

static void set(struct qr *q, u32 x, u32 y, u32 dark)
{
    q->module[y][x] = (u8)(QR_PATTERN | (dark & 1 ? QR_DARK : 0));
}

/* Squares inside each other around a centre, the ring light at this distance; what lies outside of the code is left out. */
static void set_squares(struct qr *q, u32 x, u32 y, u32 reach, u32 light, u32 light_too)
{
    for (u32 v = 0; v <= 2 * reach; v++)
        for (u32 u = 0; u <= 2 * reach; u++) {
            u32 du = u > reach ? u - reach : reach - u, dv = v > reach ? v - reach : reach - v, d = MAX(du, dv);

            if (x + u >= reach && x + u - reach < q->side && y + v >= reach && y + v - reach < q->side)
                set(q, x + u - reach, y + v - reach, d != light && d != light_too);
        }
}

static void set_alignment(struct qr *q, u32 version)
{
    u32 n = grid_lines(version), step = n ? (version * 4 + n * 2 + 1) / (n * 2 - 2) * 2 : 0;

    for (u32 i = 0; i < n; i++)
        for (u32 k = 0; k < n; k++) {
            u32 x = i ? q->side - FINDER - (n - 1 - i) * step : 6, y = k ? q->side - FINDER - (n - 1 - k) * step : 6;

            if ((i || k) && (i || k < n - 1) && (k || i < n - 1)) /* the finders stand in these corners */
                set_squares(q, x, y, 2, 1, 1);
        }
}

/* 7.9, 7.10: both twice */
static void set_information(struct qr *q, u32 version)
{
    u32 last = q->side - 1, bits = version;

    for (u32 i = 0; i < 15; i++) {
        set(q, i < 8 ? 8 : i == 8 ? 7 : 14 - i, i < 6 ? i : i < 8 ? i + 1 : 8, FORMAT >> i);
        set(q, i < 8 ? last - i : 8, i < 8 ? 8 : last - 14 + i, FORMAT >> i);
    }
    set(q, 8, last - 7, 1);
    if (version < 7)
        return;
    for (u32 i = 0; i < 12; i++)
        bits = bits << 1 ^ (bits >> 11) * 0x1f25;
    bits |= version << 12;
    for (u32 i = 0; i < 18; i++) {
        set(q, last - 10 + i % 3, i / 3, bits >> i);
        set(q, i / 3, last - 10 + i % 3, bits >> i);
    }
}

static void set_patterns(struct qr *q, u32 version)
{
    for (u32 i = 0; i < q->side; i++) {
        set(q, i, 6, i % 2 == 0);
        set(q, 6, i, i % 2 == 0);
    }
    set_alignment(q, version);
    set_squares(q, 3, 3, 4, 2, 4);
    set_squares(q, q->side - 4, 3, 4, 2, 4);
    set_squares(q, 3, q->side - 4, 4, 2, 4);
    set_information(q, version);
}

/*
 * 7.7.3: in columns two modules wide, from the right, up and down in turns. 7.8: always mask 0, a chequerboard. The choice among eight
 * is for data with structure; what is packed has none.
 */
static void set_data(struct qr *q, u32 version)
{
    u32 at = 0, end = 8 * codewords(version);

    for (u32 right = q->side - 1, up = 1; right < q->side; right -= right == 8 ? 3 : 2, up ^= 1)
        for (u32 i = 0; i < 2 * q->side; i++) {
            u32 x = right - i % 2, y = up ? q->side - 1 - i / 2 : i / 2;

            if (q->module[y][x] & QR_PATTERN)
                continue;
            if (at < end && all[at / 8] >> (7 - at % 8) & 1)
                q->module[y][x] ^= QR_DARK;
            q->module[y][x] ^= (x + y) % 2 ? 0 : QR_DARK;
            at++;
        }
}

bool qr_encode(struct qr *q, const char *text, size_t len)
{
    u32 version = smallest(len);

    if (!version || !put_text(version, text, len))
        return false;
    interleave(version);
    memset(q->module, 0, sizeof(q->module));
    q->side = 17 + 4 * version;
    set_patterns(q, version);
    set_data(q, version);
    return true;
}
