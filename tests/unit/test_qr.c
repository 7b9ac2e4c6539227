/* SPDX-License-Identifier: MIT */
/*
 * QR codes, module for module as libqrencode makes them; that a reader reads them is in tests/panic/check.py.
 * LINK: hv/lib/qr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <qrencode.h>
#include <string.h>

#include "hv/lib/qr.h"

static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
static struct qr qr;

static QRcode *oracle(const char *text, size_t len)
{
    QRinput *in = QRinput_new2(0, QR_ECLEVEL_L);
    QRcode *code;

    assert_non_null(in);
    assert_int_equal(QRinput_append(in, QR_MODE_AN, (int)len, (const unsigned char *)text), 0);
    code = QRcode_encodeInput(in);
    assert_non_null(code);
    QRinput_free(in);
    return code;
}

/* 15 bits: level, mask, and their correction. From the left in row 8, around the timing line, and up column 8. */
static u32 mask_of(const QRcode *code)
{
    u32 bits = 0;

    for (int x = 2; x <= 4; x++)
        bits = bits << 1 | (code->data[8 * code->width + x] & 1);
    return bits ^ 5; /* the mask of the information itself, 101010000010010 */
}

static bool same(const QRcode *code)
{
    for (u32 y = 0; y < qr.side; y++)
        for (u32 x = 0; x < qr.side; x++)
            if ((qr.module[y][x] & QR_DARK) != (code->data[y * qr.side + x] & 1))
                return false;
    return true;
}

/* libqrencode chooses among eight masks; texts are tried until it takes the one that is ours. */
static bool compared(size_t len, u32 seed)
{
    char text[QR_CHARS];
    QRcode *code;
    bool ours;

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = set[(seed >> 16) % 45];
    }
    code = oracle(text, len);
    ours = mask_of(code) == 0;
    assert_true(qr_encode(&qr, text, len));
    assert_int_equal(qr.side, code->width);
    if (ours)
        assert_true(same(code));
    QRcode_free(code);
    return ours;
}

static void test_like_libqrencode(void **state)
{
    (void)state;
    for (size_t len = 2; len <= QR_CHARS; len += len < 60 ? 1 : 29) {
        u32 seed = 1;

        while (!compared(len, seed))
            assert_true(++seed < 200);
    }
}

static void test_refuses(void **state)
{
    char text[QR_CHARS + 1];

    (void)state;
    memset(text, 'A', sizeof(text));
    assert_true(qr_encode(&qr, text, QR_CHARS));
    assert_int_equal(qr.side, QR_SIDE);
    assert_false(qr_encode(&qr, text, sizeof(text)));
    assert_false(qr_encode(&qr, "a", 1));
    assert_false(qr_encode(&qr, "A,", 2));
    assert_false(qr_encode(&qr, "\0", 1));
    assert_true(qr_encode(&qr, "", 0));
    assert_int_equal(qr.side, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_libqrencode),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
