/* SPDX-License-Identifier: MIT */
/*
 * VMCB to struct vm_exit, and events to and from their encoding.
 * LINK: arch/x86/svm/svm_decode.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/svm/svm_decode.h"

static const struct svm_features plain, nrips = { .nrips = true }, assists = { .nrips = true, .decode_assists = true };

static struct vm_exit decode(struct vmcb raw, u64 rcx, const struct svm_features *f)
{
    struct vm_exit exit;

    memset(&exit, 0xa5, sizeof(exit)); /* nothing may be left unset */
    svm_decode(&raw, &exit, rcx, f);
    return exit;
}

static struct vm_exit decode_code(u64 code)
{
    return decode((struct vmcb){ .exit_code = code, .rip = 0x1000, .nrip = 0x1003, .cpl = 3 }, 0, &nrips);
}

/* Anywhere else it is an instruction that there is not. */
static void test_hypercall_mode(void **state)
{
    static const struct { u64 cr0; u8 cpl, kind; } c[] = {
        { CR0_PE, 0, VM_EXIT_HYPERCALL }, { CR0_PE, 3, VM_EXIT_INSN }, { CR0_PE, 1, VM_EXIT_INSN }, { 0, 0, VM_EXIT_INSN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct vm_exit x = decode((struct vmcb){ .exit_code = 0x81, .cr0 = c[i].cr0, .cpl = c[i].cpl }, 0, &plain);

        assert_int_equal(x.kind, c[i].kind);
        if (x.kind == VM_EXIT_INSN)
            assert_int_equal(x.insn.which, X86_INSN_VIRT);
    }
}

static void test_kinds(void **state)
{
    static const struct { u64 code; u8 kind, which, len; } c[] = {
        { 0x60, VM_EXIT_HOST_IRQ, 0, 0 },   { 0x61, VM_EXIT_NMI, 0, 0 },       { 0x64, VM_EXIT_WINDOW, 0, 0 },
        { 0x72, VM_EXIT_CPUID, 0, 3 },      { 0x74, VM_EXIT_WINDOW, 0, 0 },    { 0x77, VM_EXIT_PAUSE, 0, 3 },
        { 0x78, VM_EXIT_HLT, 0, 3 },        { 0x7d, VM_EXIT_OTHER, 0, 0 },      { 0x7f, VM_EXIT_SHUTDOWN, 0, 0 },
        { 0x81, VM_EXIT_INSN, X86_INSN_VIRT, 3 }, { 0x8d, VM_EXIT_XSETBV, 0, 3 },
        { 0x89, VM_EXIT_INSN, X86_INSN_WBINVD, 3 }, { 0x76, VM_EXIT_INSN, X86_INSN_INVD, 3 },
        { 0x8a, VM_EXIT_INSN, X86_INSN_MONITOR, 3 }, { 0x8b, VM_EXIT_INSN, X86_INSN_MWAIT, 3 },
        { 0x8c, VM_EXIT_INSN, X86_INSN_MWAIT, 3 }, { 0x6f, VM_EXIT_INSN, X86_INSN_RDPMC, 3 },
        { 0x73, VM_EXIT_INSN, X86_INSN_RSM, 3 },
        { 0x7a, VM_EXIT_INSN, X86_INSN_VIRT, 3 }, { 0x80, VM_EXIT_INSN, X86_INSN_VIRT, 3 },
        { 0x82, VM_EXIT_INSN, X86_INSN_VIRT, 3 }, { 0x83, VM_EXIT_INSN, X86_INSN_VIRT, 3 },
        { 0x84, VM_EXIT_INSN, X86_INSN_VIRT, 3 }, { 0x85, VM_EXIT_INSN, X86_INSN_VIRT, 3 },
        { 0x86, VM_EXIT_INSN, X86_INSN_VIRT, 3 },
        { 0x62, VM_EXIT_OTHER, 0, 0 }, { 0x63, VM_EXIT_OTHER, 0, 0 }, { 0x6e, VM_EXIT_OTHER, 0, 0 },
        { 0x79, VM_EXIT_OTHER, 0, 0 }, { 0x7e, VM_EXIT_OTHER, 0, 0 }, { 0x88, VM_EXIT_OTHER, 0, 0 },
        { 0x52, VM_EXIT_OTHER, 0, 0 }, { 0x8e, VM_EXIT_INSN, X86_INSN_VIRT, 3 },
        { 0x3ff, VM_EXIT_OTHER, 0, 0 }, { 0x401, VM_EXIT_OTHER, 0, 0 },
        { 0xfffffffe, VM_EXIT_OTHER, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct vm_exit x = decode_code(c[i].code);

        assert_int_equal(x.kind, c[i].kind);
        assert_int_equal(x.insn_len, c[i].len);
        assert_int_equal(x.hw_reason, c[i].code);
        if (x.kind == VM_EXIT_INSN || x.kind == VM_EXIT_XSETBV)
            assert_int_equal(x.cpl, 3);
        if (x.kind == VM_EXIT_INSN)
            assert_int_equal(x.insn.which, c[i].which);
    }
}

static void test_every_code_has_a_kind(void **state)
{
    (void)state;
    for (u64 code = 0; code < 0x500; code++) {
        struct vm_exit x = decode_code(code);

        assert_true(x.kind < VM_EXIT_KINDS);
        assert_int_equal(x.kind == VM_EXIT_HOST_IRQ, code == 0x60);
        assert_int_equal(x.kind == VM_EXIT_NMI, code == 0x61);
    }
}

static void test_no_length_without_nrip(void **state)
{
    static const u8 codes[] = { 0x72, 0x78, 0x7c, 0x89, 0x18, 0x30 };

    (void)state;
    for (size_t i = 0; i < sizeof(codes); i++) {
        struct vm_exit x = decode((struct vmcb){ .exit_code = codes[i], .rip = 0x1000, .nrip = 0 }, 0, &plain);

        assert_int_equal(x.insn_len, 0);
    }
}

/* Forbidden prefixes make no difference, whether the processor counts them or not. */
static void test_hypercall_length(void **state)
{
    const struct vmcb raw = { .exit_code = 0x81, .rip = 0x1000, .nrip = 0x1005, .cr0 = 1 };

    (void)state;
    assert_int_equal(decode(raw, 0, &plain).insn_len, 3);
    assert_int_equal(decode(raw, 0, &nrips).insn_len, 3);
    assert_int_equal(decode(raw, 0, &nrips).kind, VM_EXIT_HYPERCALL);
}

static void test_invalid(void **state)
{
    static const u64 codes[] = { 0xffffffff, ~0ull }; /* QEMU, hardware */

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct vm_exit x = decode_code(codes[i]);

        assert_int_equal(x.kind, VM_EXIT_ENTRY_FAILED);
        assert_non_null(x.failed.what);
        assert_int_equal(x.insn_len, 0);
    }
}

static void test_pio(void **state)
{
    struct vm_exit x;

    (void)state;
    /* out dx, al: length from EXITINFO2 whatever the processor has */
    x = decode((struct vmcb){ .exit_code = 0x7b, .rip = 0xfff, .exit_info2 = 0x1000, .exit_info1 = 0x03f80010 }, 0, &plain);
    assert_int_equal(x.kind, VM_EXIT_PIO);
    assert_int_equal(x.pio.port, 0x3f8);
    assert_int_equal(x.pio.size, 1);
    assert_false(x.pio.in);
    assert_false(x.pio.string);
    assert_false(x.pio.rep);
    assert_int_equal(x.pio.addr_size, 0);
    assert_int_equal(x.pio.seg, 0xff);
    assert_int_equal(x.insn_len, 1);

    /* rep insd, 64-bit addresses, with decode assists: segment ES */
    x = decode((struct vmcb){ .exit_code = 0x7b, .rip = 0x10, .exit_info2 = 0x12,
                              .exit_info1 = 0xffff0000u | 1 << 9 | 1 << 6 | 0xd }, 0, &assists);
    assert_int_equal(x.pio.port, 0xffff);
    assert_int_equal(x.pio.size, 4);
    assert_true(x.pio.in);
    assert_true(x.pio.string);
    assert_true(x.pio.rep);
    assert_int_equal(x.pio.addr_size, 8);
    assert_int_equal(x.pio.seg, X86_ES);
    assert_int_equal(x.insn_len, 2);

    /* outsw fs:, 16 and 32-bit addresses */
    x = decode((struct vmcb){ .exit_code = 0x7b, .exit_info1 = 4u << 10 | 1 << 7 | 1 << 5 | 4 }, 0, &assists);
    assert_int_equal(x.pio.size, 2);
    assert_int_equal(x.pio.addr_size, 2);
    assert_int_equal(x.pio.seg, X86_FS);
    x = decode((struct vmcb){ .exit_code = 0x7b, .exit_info1 = 1 << 8 | 1 << 4 | 4 }, 0, &assists);
    assert_int_equal(x.pio.addr_size, 4);
}

static void test_msr(void **state)
{
    struct vm_exit x = decode((struct vmcb){ .exit_code = 0x7c, .exit_info1 = 1 }, 0xdead0000c0000080ull, &plain);

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_MSR);
    assert_int_equal(x.msr.index, 0xc0000080); /* ECX */
    assert_true(x.msr.write);
    x = decode((struct vmcb){ .exit_code = 0x7c, .exit_info1 = 0 }, 0x10, &plain);
    assert_int_equal(x.msr.index, 0x10);
    assert_false(x.msr.write);
}

static void test_npf(void **state)
{
    struct vm_exit x;

    (void)state;
    x = decode((struct vmcb){ .exit_code = 0x400, .exit_info1 = 1ull << 32 | 6, .exit_info2 = 0xfee00300, .nrip = 7 }, 0, &nrips);
    assert_int_equal(x.kind, VM_EXIT_S2_FAULT);
    assert_int_equal(x.s2.gpa, 0xfee00300);
    assert_true(x.s2.write);
    assert_false(x.s2.mapped);
    assert_false(x.s2.fetch);
    assert_false(x.s2.walk);
    assert_int_equal(x.insn_len, 0); /* nRIP is filled on some processors, and means nothing */
    x = decode((struct vmcb){ .exit_code = 0x400, .exit_info1 = 1ull << 33 | 0x15, .exit_info2 = 0x1000 }, 0, &nrips);
    assert_true(x.s2.mapped);
    assert_true(x.s2.fetch);
    assert_true(x.s2.walk);
    assert_false(x.s2.write);
}

static void test_cr_dr(void **state)
{
    struct vm_exit x;

    (void)state;
    x = decode((struct vmcb){ .exit_code = 0x18, .exit_info1 = BIT(63) | 9 }, 0, &assists);
    assert_int_equal(x.kind, VM_EXIT_CR);
    assert_int_equal(x.cr.cr, 8);
    assert_true(x.cr.write);
    assert_true(x.cr.known);
    assert_int_equal(x.cr.gpr, 9);
    x = decode((struct vmcb){ .exit_code = 0x10, .exit_info1 = 0 }, 0, &assists); /* LMSW or CLTS */
    assert_false(x.cr.known);
    x = decode((struct vmcb){ .exit_code = 0x03, .exit_info1 = BIT(63) }, 0, &nrips);
    assert_int_equal(x.cr.cr, 3);
    assert_false(x.cr.write);
    assert_false(x.cr.known);

    x = decode((struct vmcb){ .exit_code = 0x37, .exit_info1 = 15 }, 0, &assists);
    assert_int_equal(x.kind, VM_EXIT_DR);
    assert_int_equal(x.dr.dr, 7);
    assert_true(x.dr.write);
    assert_true(x.dr.known);
    assert_int_equal(x.dr.gpr, 15);
    x = decode((struct vmcb){ .exit_code = 0x26 }, 0, &plain);
    assert_int_equal(x.dr.dr, 6);
    assert_false(x.dr.write);
    assert_false(x.dr.known);
}

static void test_exceptions(void **state)
{
    struct vm_exit x;

    (void)state;
    x = decode((struct vmcb){ .exit_code = 0x41, .exit_info1 = 5, .dr6 = 0xffff4ff1 }, 0, &plain);
    assert_int_equal(x.kind, VM_EXIT_EXCEPTION);
    assert_int_equal(x.exception.vector, X86_DB);
    assert_false(x.exception.has_error);
    assert_int_equal(x.exception.error, 0);
    assert_int_equal(x.exception.info, DR6_BS | 1);
    x = decode((struct vmcb){ .exit_code = 0x51, .exit_info1 = 0 }, 0, &plain);
    assert_int_equal(x.exception.vector, X86_AC);
    assert_true(x.exception.has_error);
    x = decode((struct vmcb){ .exit_code = 0x4e, .exit_info1 = 7, .exit_info2 = 0xabcd }, 0, &plain);
    assert_int_equal(x.exception.error, 7);
    assert_int_equal(x.exception.info, 0xabcd);
    x = decode((struct vmcb){ .exit_code = 0x52 }, 0, &plain); /* never reflected */
    assert_int_equal(x.kind, VM_EXIT_OTHER);
    assert_string_equal(x.failed.what, "machine check while the guest ran");
    x = decode((struct vmcb){ .exit_code = 0x53 }, 0, &plain);
    assert_int_equal(x.kind, VM_EXIT_EXCEPTION);
    assert_int_equal(x.exception.vector, X86_XM);
    assert_false(x.exception.has_error);
}

static void test_event_encode(void **state)
{
    static const struct { struct x86_event ev; u64 info; } c[] = {
        { { .vector = 0x50, .type = X86_EV_EXTINT }, 0x80000050 },
        { { .vector = 2, .type = X86_EV_NMI }, 0x80000202 },
        { { .vector = 13, .type = X86_EV_EXCEPTION, .has_error = true, .error = 0x18 }, 0x0000001880000b0d },
        { { .vector = 6, .type = X86_EV_EXCEPTION, .error = 99 }, 0x80000306 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++)
        assert_true(svm_event_encode(&c[i].ev, false) == c[i].info);
    assert_true(svm_event_encode(&c[2].ev, true) == 0x8000030d); /* real mode: no error code, valid or not */
    assert_true(svm_event_encode(&c[1].ev, true) == c[1].info);
}

static void test_event_decode(void **state)
{
    struct x86_event ev = { .vector = 77 };

    (void)state;
    assert_false(svm_event_decode(0x00000050, 0, &ev)); /* not valid */
    assert_int_equal(ev.vector, 77);
    assert_true(svm_event_decode(0x80000480, 0, &ev)); /* INT n, INT3, INTO: svm_put_event() lets them execute again */
    assert_int_equal(ev.type, X86_EV_SOFT_INT);
    assert_true(svm_event_decode(0x80000303, 0, &ev));
    assert_int_equal(ev.type, X86_EV_SOFT_EXCEPTION);
    assert_true(svm_event_decode(0x80000304, 0, &ev));
    assert_int_equal(ev.type, X86_EV_SOFT_EXCEPTION);

    assert_true(svm_event_decode(0x80000003, 0, &ev)); /* external interrupt 3 is none of these */
    assert_int_equal(ev.type, X86_EV_EXTINT);
    assert_true(svm_event_decode(0x0000000680000b0e, 0xc0de, &ev));
    assert_true(ev.valid && ev.has_error);
    assert_int_equal(ev.vector, X86_PF);
    assert_int_equal(ev.error, 6);
    assert_int_equal(ev.cr2, 0xc0de);
    assert_true(svm_event_decode(0xffffffff80000202, 0xc0de, &ev));
    assert_int_equal(ev.type, X86_EV_NMI);
    assert_false(ev.has_error);
    assert_int_equal(ev.error, 0);
    assert_int_equal(ev.cr2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hypercall_mode),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_every_code_has_a_kind),
        cmocka_unit_test(test_no_length_without_nrip),
        cmocka_unit_test(test_hypercall_length),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_pio),
        cmocka_unit_test(test_msr),
        cmocka_unit_test(test_npf),
        cmocka_unit_test(test_cr_dr),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_event_encode),
        cmocka_unit_test(test_event_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
