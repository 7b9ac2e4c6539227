/* SPDX-License-Identifier: MIT */
/*
 * SHA-256: the vectors of FIPS 180-4 and its validation suite, and every length about the ends of blocks.
 * LINK: boot/sha256.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/sha256.h"

static void expect(const void *data, size_t size, const char *want)
{
    char *exact = malloc(size + !size), found[2 * SHA256_SIZE + 1];
    u8 digest[SHA256_SIZE];

    memcpy(exact, data, size);
    sha256(exact, size, digest);
    free(exact);
    for (u32 i = 0; i < SHA256_SIZE; i++)
        snprintf(found + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(found, want);
}

static void vectors(void **state)
{
    static const struct { const char *text, *digest; } known[] = {
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
        { "\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b" },
    };
    char *million = malloc(1000000);

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(known); i++)
        expect(known[i].text, strlen(known[i].text), known[i].digest);
    memset(million, 'a', 1000000);
    expect(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

/* The digest of the digests of 0, 1 ... 200 bytes 0, 1, 2 ...: each way in which the last block can be filled. */
static void lengths(void **state)
{
    static u8 digests[201 * SHA256_SIZE];
    u8 bytes[200];

    (void)state;
    for (u32 i = 0; i < sizeof(bytes); i++)
        bytes[i] = (u8)i;
    for (u32 n = 0; n <= sizeof(bytes); n++)
        sha256(bytes, n, digests + n * SHA256_SIZE);
    expect(digests, sizeof(digests), "64ef7c229fce2408b5336b6a542fea0e078c3a87d2da85cb3fc52e2008b65021");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
