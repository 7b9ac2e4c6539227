/* SPDX-License-Identifier: MIT */
/*
 * Two events that meet: every pair of exception vectors against the manual's table, and the
 * register of MOV CR.
 * LINK: arch/x86/events.c arch/x86/mov_cr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/events.h"
#include "arch/x86/mov_cr.h"

static struct x86_event exception(u8 vector)
{
    return (struct x86_event){
        .vector = vector, .type = X86_EV_EXCEPTION, .valid = true, .has_error = vector == X86_GP, .error = vector,
    };
}

/* The classes as the SDM lists them, written out a second time on purpose. */
static bool contributory(u8 v) { return v == 0 || (v >= 10 && v <= 13) || v == 21; }
static bool page_fault(u8 v) { return v == 14 || v == 20; }

static void test_all_pairs(void **state)
{
    (void)state;
    for (u8 a = 0; a < 32; a++) {
        for (u8 b = 0; b < 32; b++) {
            struct x86_event first = exception(a), second = exception(b);
            bool ok = events_compose(&first, &second);
            bool serious = contributory(b) || page_fault(b) || b == X86_DF;

            if (a == X86_DF && serious) {
                assert_false(ok);
                assert_false(first.valid);
                continue;
            }
            assert_true(ok);
            assert_true(first.valid);
            if ((contributory(a) && contributory(b)) || (page_fault(a) && serious)) {
                assert_int_equal(first.vector, X86_DF);
                assert_int_equal(first.type, X86_EV_EXCEPTION);
                assert_true(first.has_error);
                assert_int_equal(first.error, 0);
            } else {
                assert_int_equal(first.vector, b);
                assert_int_equal(first.error, b);
            }
        }
    }
}

static void test_nothing_pending(void **state)
{
    struct x86_event none = { .vector = X86_DF, .type = X86_EV_EXCEPTION, .valid = false };
    struct x86_event pf = exception(X86_PF);

    (void)state;
    pf.cr2 = 0x1234;
    pf.valid = false; /* the caller's flag does not matter */
    assert_true(events_compose(&none, &pf));
    assert_true(none.valid);
    assert_int_equal(none.vector, X86_PF);
    assert_int_equal(none.cr2, 0x1234);
}

static void test_interrupts_are_benign(void **state)
{
    static const u8 types[] = { X86_EV_EXTINT, X86_EV_NMI, X86_EV_SOFT_INT, X86_EV_ICEBP, X86_EV_SOFT_EXCEPTION };

    (void)state;
    for (size_t i = 0; i < sizeof(types); i++) {
        struct x86_event pending = { .vector = X86_DF, .type = types[i], .valid = true };
        struct x86_event gp = exception(X86_GP);

        assert_true(events_compose(&pending, &gp));
        assert_int_equal(pending.vector, X86_GP);
    }
}

static void test_mov_cr(void **state)
{
    static const struct { u8 bytes[8], len, mode, ok, gpr; } c[] = {
        { { 0x0f, 0x22, 0xc0 }, 3, INSN_64, true, 0 },              /* mov cr0, rax */
        { { 0x0f, 0x22, 0xdf }, 3, INSN_32, true, 7 },              /* mov cr3, edi */
        { { 0x44, 0x0f, 0x22, 0xc3 }, 4, INSN_64, true, 3 },        /* mov cr8, rbx */
        { { 0x45, 0x0f, 0x22, 0xc7 }, 4, INSN_64, true, 15 },       /* mov cr8, r15 */
        { { 0x41, 0x0f, 0x23, 0xf8 }, 4, INSN_64, true, 8 },        /* mov dr7, r8 */
        { { 0x66, 0xf0, 0x0f, 0x21, 0xf1 }, 5, INSN_32, true, 1 },  /* prefixes are ignored */
        { { 0x66, 0x41, 0x0f, 0x20, 0xc2 }, 5, INSN_64, true, 10 },
        { { 0x41, 0x0f, 0x23, 0xf8 }, 4, INSN_32, false, 0 },       /* 41 is INC ECX there */
        { { 0x0f, 0x22 }, 2, INSN_64, false, 0 },                   /* cut short */
        { { 0x66, 0x66, 0x66 }, 3, INSN_64, false, 0 },
        { { 0x0f, 0x24, 0xc0 }, 3, INSN_64, false, 0 },
        { { 0x0f, 0x06, 0x00 }, 3, INSN_64, false, 0 },             /* CLTS */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        u8 gpr = 0;

        assert_int_equal(mov_cr_decode(c[i].bytes, c[i].len, (enum insn_mode)c[i].mode, &gpr), c[i].ok);
        assert_int_equal(gpr, c[i].gpr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pairs),
        cmocka_unit_test(test_nothing_pending),
        cmocka_unit_test(test_interrupts_are_benign),
        cmocka_unit_test(test_mov_cr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
