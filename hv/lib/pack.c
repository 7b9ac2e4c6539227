/* SPDX-License-Identifier: MIT */
/*
 * LZ77 from the end of the log to its beginning, so that what there is no room for is the oldest. A dictionary of what our logs say
 * stands behind the end. To change it, or anything else here, is to change the format: PITH2.
 */
#include "hv/lib/pack.h"

#include "hv/lib/string.h"

#define PREFIX   "PITH1-"
#define TEXT_MAX KIB(16)
#define HEADER   6u  /* length of what follows: 2 bytes; CRC-32 of that: 4; both with the low byte first */
#define TOKEN    4u  /* no token has more bytes */
#define LONGEST  255u

static const char dictionary[] =
    "[pith] Pith 0.1 boot loader\n"
    "[pith] read vmlinuz.elf, 52 KiB\n"
    "[pith] starting the hypervisor at 0x3de00000, 676 KiB\n"
    "[pith] Pith 0.1\n"
    "[pith] local APICs: x2APIC\n"
    "[pith] clock: TSC 2596121 kHz, timer 1000000 kHz, by TSC deadline\n"
    "[pith] VT-x, 65536 tags, 1 GiB pages, executable memory in 4 KiB pages\n"
    "[pith] 4 cores, 1014 MiB free, TSC 2596 MHz\n"
    "[pith] keyboard: linux (Ctrl-T: next)\n"
    "[pith] hello: Pith PV, 8 MiB, 1 vCPU on core 1\n"
    "[pith] linux: Linux, 192 MiB, 2 vCPUs on core 0\n"
    "[pith] hello: exited with status 0\n"
    "[pith] hello: stopped\n"
    "[pith] hello: restart 1 in 0 ms\n"
    "[pith] fault: vCPU 0 failed: triple fault\n"
    "[pith] fault:   cs 8 base 0 limit ffffffff attr a09b, ds 10 base 0 limit ffffffff attr c093\n"
    "[pith] *** panic on core 0: hv/x.c:12: assertion failed: \n"
    "[pith] *** exception in the hypervisor on core 0: #PF page fault, error code 0x0\n"
    "[pith]   reading 0x0000000000000000: no page there\n"
    "[pith] RAX 0000000000000000 RBX 0000000000000000\n"
    "[pith] RCX 0000000000000000 RDX 0000000000000000\n"
    "[pith] RSI ffff870000000000 RDI 0000000000000000\n"
    "[pith] RBP ffff868000000000 RSP ffff868000000000\n"
    "[pith] R8  0000000000000000 R9  0000000000000000\n"
    "[pith] R10 0000000000000000 R11 ffff870000000000\n"
    "[pith] R12 ffff870000000000 R13 0000000000000000\n"
    "[pith] R14 ffff870000000000 R15 ffff870000000000\n"
    "[pith] RIP ffff870000000000 RFLAGS 00000006 CS 8 SS 10\n"
    "[pith] CR0 0000000080010033 CR2 0000000000000000\n"
    "[pith] CR3 000000003f000000 CR4 0000000000340e60\n"
    "[pith]   at +0x1\n"
    "[pith]   called from +0x1\n"
    "[pith]   called from +0x\n"
    "[pith] Pith 0.1, build ";

#define WORDS (sizeof(dictionary) - 1)

/* Distances by how many bits they take: a two-bit class tells. */
static const u8 class_bits[] = { 6, 8, 10, 12 };
#define FARTHEST (64u + 256 + 1024 + 4096)

static char text[WORDS + TEXT_MAX]; /* last byte first */
static u8 packed[HEADER + 4096];

struct bits { size_t at, end; }; /* in packed, which is zero behind at */

static void put_bits(struct bits *b, u32 value, u32 n)
{
    while (n--) {
        packed[b->at / 8] |= (u8)((value >> n & 1) << (7 - b->at % 8));
        b->at++;
    }
}

static u32 log2_of(u32 n)
{
    return 31u - (u32)__builtin_clz(n);
}

static u32 class_of(u32 *distance)
{
    u32 kind = 0;

    for (; *distance >= 1u << class_bits[kind]; kind++)
        *distance -= 1u << class_bits[kind];
    return kind;
}

struct match { u32 length, distance; };

static u32 match_bits(struct match m)
{
    u32 left = m.distance - 1;

    return 1 + 2 + class_bits[class_of(&left)] + 2 * log2_of(m.length - 1) + 1;
}

/* The repetition that saves most against eight bits a letter; length 0: none does. */
static struct match find(size_t at, size_t end)
{
    struct match best = { 0, 0 };
    u32 saved = 0;

    for (u32 distance = 1; distance <= MIN(at, FARTHEST); distance++) {
        struct match m = { 0, distance };

        while (m.length < MIN(LONGEST, end - at) && text[at + m.length] == text[at + m.length - distance])
            m.length++;
        if (m.length < 2 || 8 * m.length <= match_bits(m) + saved)
            continue;
        saved = 8 * m.length - match_bits(m);
        best = m;
    }
    return best;
}

/* 0 and a letter's seven bits; or 1, the distance's class and the rest of it, and the length - 1 in Elias' gamma code. */
static u32 put_token(struct bits *b, size_t at, size_t end)
{
    struct match m = find(at, end);
    u32 left = m.distance - 1, kind;

    if (!m.length) {
        put_bits(b, (u8)text[at], 8);
        return 1;
    }
    kind = class_of(&left);
    put_bits(b, 4 | kind, 3);
    put_bits(b, left, class_bits[kind]);
    put_bits(b, m.length - 1, 2 * log2_of(m.length - 1) + 1);
    return m.length;
}

/* The dictionary, then the end of the log, each from its end; the length of both. */
static size_t turn_round(const char *log, size_t len)
{
    size_t n = MIN(len, TEXT_MAX);

    for (size_t i = 0; i < WORDS; i++)
        text[i] = dictionary[WORDS - 1 - i];
    for (size_t i = 0; i < n; i++)
        text[WORDS + i] = log[len - 1 - i] > 0 ? log[len - 1 - i] : '?'; /* seven bits, and 0 means nothing more */
    return WORDS + n;
}

static u32 crc32(const u8 *p, size_t n)
{
    u32 crc = ~0u;

    while (n--) {
        crc ^= *p++;
        for (u32 i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static char *put_number(char *out, u32 n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$%*+-";

    for (u32 i = 0; i < 3; i++, n /= 41)
        *out++ = digits[n % 41];
    return out;
}

size_t pack_log(char *out, size_t room, const char *log, size_t len)
{
    size_t end = turn_round(log, len), at = WORDS, bytes = (room - MIN(room, sizeof(PREFIX) - 1)) / 3 * 2;
    struct bits b = { 8 * HEADER, 8 * MIN(bytes, sizeof(packed)) };
    char *to = out + sizeof(PREFIX) - 1;
    u32 crc;

    if (b.end < b.at)
        return 0;
    memset(packed, 0, sizeof(packed));
    while (at < end && b.at + 8 * TOKEN <= b.end)
        at += put_token(&b, at, end);
    bytes = (b.at + 15) / 16 * 2;
    packed[0] = (u8)(bytes - HEADER);
    packed[1] = (u8)((bytes - HEADER) >> 8);
    crc = crc32(packed + HEADER, bytes - HEADER);
    memcpy(packed + 2, &crc, 4);
    memcpy(out, PREFIX, sizeof(PREFIX) - 1);
    for (size_t i = 0; i < bytes; i += 2)
        to = put_number(to, packed[i] | (u32)packed[i + 1] << 8);
    return (size_t)(to - out);
}
