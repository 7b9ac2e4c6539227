/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: registers in both modes, mode transitions, priorities, destinations.
 * LINK: hv/vdev/vlapic.c hv/vdev/vlapic_match.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/vdev/vlapic.h"

#define X2(reg) (MSR_X2APIC + (reg))
#define MODE_XAPIC  (VLAPIC_BASE | APIC_BASE_ENABLE)
#define MODE_X2APIC (MODE_XAPIC | APIC_BASE_X2APIC)

static struct vlapic apic;
static struct vlapic_effect effect;

static void wr(u32 reg, u32 val)
{
    vlapic_write(&apic, reg, val, 1000, &effect);
}

static u32 rd(u32 reg)
{
    return vlapic_read(&apic, reg, 1000);
}

static bool wrmsr(u32 msr, u64 val)
{
    return vlapic_msr_write(&apic, msr, val, 1000, &effect);
}

static u64 rdmsr(u32 msr)
{
    u64 val = 0xdead;

    assert_true(vlapic_msr_read(&apic, msr, 1000, &val));
    return val;
}

static bool readable(u32 msr)
{
    u64 val;

    return vlapic_msr_read(&apic, msr, 1000, &val);
}

static int fresh(void **state)
{
    (void)state;
    vlapic_reset(&apic, 3, false);
    wr(0x0f, 0x1ff);
    return 0;
}

static void go_x2apic(void)
{
    assert_true(wrmsr(MSR_APIC_BASE, MODE_X2APIC));
}

/* --- registers --- */

static void test_power_on(void **state)
{
    (void)state;
    vlapic_reset(&apic, 3, false);
    assert_int_equal(apic.base, 0xfee00800);
    assert_int_equal(rd(0x02), 3u << 24);
    assert_int_equal(rd(0x03), 0x00050014);
    assert_int_equal(rd(0x0e), 0xffffffff);
    assert_int_equal(rd(0x0f), 0xff);
    for (u32 reg = 0x32; reg <= 0x37; reg++)
        assert_int_equal(rd(reg), 0x10000);
    assert_false(vlapic_enabled(&apic));
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    assert_true(apic.deadline == ~0ull);
}

static void test_boot_processor_is_in_virtual_wire_mode(void **state)
{
    (void)state;
    vlapic_reset(&apic, 0, true);
    assert_int_equal(apic.base, 0xfee00900);
    assert_int_equal(rd(0x0f), 0x1ff);
    for (u32 reg = 0x32; reg <= 0x37; reg++)
        assert_int_equal(rd(reg), reg == 0x35 ? 0x700 : 0x10000);
    assert_true(vlapic_extint(&apic));
    vlapic_init(&apic); /* INIT ends it */
    assert_false(vlapic_enabled(&apic));
    assert_false(vlapic_extint(&apic));
}

static void test_init_keeps_id_and_mode(void **state)
{
    (void)state;
    go_x2apic();
    wrmsr(X2(0x08), 0x20);
    vlapic_init(&apic);
    assert_true(vlapic_x2apic(&apic));
    assert_int_equal(rdmsr(X2(0x02)), 3);
    assert_int_equal(rdmsr(X2(0x08)), 0);
}

static void test_writes_keep_reserved_bits(void **state)
{
    static const struct { u32 reg, read; } cases[] = {
        { 0x02, 3u << 24 }, { 0x03, 0x00050014 }, { 0x08, 0xff }, { 0x0d, 0xff000000 },
        { 0x0e, 0xffffffff }, { 0x31, 0xff000000 }, { 0x33, 0x000107ff }, { 0x34, 0x000107ff },
        { 0x35, 0x0001a7ff }, { 0x36, 0x0001a7ff }, { 0x37, 0x000100ff }, { 0x3e, 0xb },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        wr(cases[i].reg, ~0u);
        assert_int_equal(rd(cases[i].reg), cases[i].read);
    }
    wr(0x0e, 0);
    assert_int_equal(rd(0x0e), 0x0fffffff);
    wr(0x32, ~0u);
    assert_int_equal(rd(0x32), 0x000700ff);
}

static void test_reserved_register_sets_esr(void **state)
{
    static const u32 reserved[] = { 0x00, 0x01, 0x04, 0x09, 0x0c, 0x2f, 0x3a, 0x3f };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        assert_int_equal(rd(reserved[i]), 0);
        assert_int_equal(rd(0x28), 0); /* not before a write */
        wr(0x28, 0);
        assert_int_equal(rd(0x28), 0x80);
        wr(reserved[i], 1);
        wr(0x28, 0);
        assert_int_equal(rd(0x28), 0x80);
        wr(0x28, 0);
        assert_int_equal(rd(0x28), 0);
    }
}

static void test_error_interrupt_once_until_rearmed(void **state)
{
    (void)state;
    wr(0x37, 0x44);
    vlapic_post(&apic, 5, false);
    assert_int_equal(vlapic_pending(&apic), 0x44);
    vlapic_ack(&apic, 0x44);
    wr(0x0b, 0);
    vlapic_post(&apic, 15, false);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    wr(0x28, 0);
    assert_int_equal(rd(0x28), 0x40);
    vlapic_post(&apic, 0, false);
    assert_int_equal(vlapic_pending(&apic), 0x44);
}

static void test_error_entry_with_illegal_vector_ends(void **state)
{
    (void)state;
    wr(0x37, 0x02);
    rd(0x00);
    wr(0x28, 0);
    assert_int_equal(rd(0x28), 0xc0);
    assert_int_equal(vlapic_highest_irr(&apic), VLAPIC_NONE);
}

static void test_software_disable_masks(void **state)
{
    (void)state;
    wr(0x35, 0x700);
    assert_true(vlapic_extint(&apic));
    vlapic_post(&apic, 0x50, false);
    wr(0x0f, 0xff);
    assert_int_equal(rd(0x35), 0x10700);
    assert_false(vlapic_extint(&apic));
    wr(0x35, 0x700);
    assert_int_equal(rd(0x35), 0x10700);
    vlapic_post(&apic, 0x60, false);
    assert_int_equal(vlapic_pending(&apic), 0x50); /* held before; the later one was dropped */
    wr(0x0f, 0x1ff);
    assert_int_equal(rd(0x35), 0x10700); /* masks stay until software clears them */
}

static void test_x2apic_registers(void **state)
{
    static const u32 readonly[] = { 0x02, 0x03, 0x0a, 0x0d, 0x10, 0x17, 0x18, 0x20, 0x27, 0x39 };
    static const u32 absent[] = {
        0x00, 0x01, 0x09, 0x0c, 0x0e, 0x2f, 0x31, 0x3a, 0x3d, 0x40, 0xff,
    };
    static const struct { u32 reg; u64 bad; } bad[] = {
        { 0x08, 0x100 }, { 0x0b, 1 }, { 0x0f, 0x400 }, { 0x0f, 0x1000 }, { 0x28, 1 },
        { 0x30, BIT(13) }, { 0x30, BIT(16) }, { 0x30, BIT(20) }, { 0x32, BIT(19) },
        { 0x33, BIT(13) }, { 0x35, BIT(17) }, { 0x37, 0x100 }, { 0x38, BIT(32) }, { 0x3e, 4 },
        { 0x3e, 0x10 }, { 0x3f, 0x100 }, { 0x08, BIT(32) },
    };

    (void)state;
    go_x2apic();
    for (size_t i = 0; i < ARRAY_SIZE(readonly); i++) {
        assert_true(readable(X2(readonly[i])));
        assert_false(wrmsr(X2(readonly[i]), 0));
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        assert_false(readable(X2(absent[i])));
        assert_false(wrmsr(X2(absent[i]), 0));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(wrmsr(X2(bad[i].reg), bad[i].bad));
    assert_false(readable(X2(0x0b)));
    assert_false(readable(X2(0x3f)));
    assert_true(wrmsr(X2(0x0b), 0));
    assert_true(wrmsr(X2(0x28), 0));
    assert_true(wrmsr(X2(0x35), 0x15000)); /* status bits are ignored, not refused */
    assert_int_equal(rdmsr(X2(0x35)), 0x10000);
    assert_int_equal(rdmsr(X2(0x28)), 0);
}

/* Exactly these bits of the local vector table may be written; every other one is a #GP. */
static void test_x2apic_lvt_bits(void **state)
{
    static const u32 allowed[6] = {
        0x000710ff, 0x000117ff, 0x000117ff, 0x0001f7ff, 0x0001f7ff, 0x000110ff,
    };

    (void)state;
    go_x2apic();
    for (u32 i = 0; i < 6; i++)
        for (u32 bit = 0; bit < 32; bit++)
            assert_int_equal(wrmsr(X2(0x32 + i), BIT(bit)), (allowed[i] >> bit) & 1);
}

static void test_extint_modes(void **state)
{
    (void)state;
    for (u32 mode = 0; mode < 8; mode++) {
        wr(0x35, mode << 8);
        assert_int_equal(vlapic_extint(&apic), mode == 7);
        wr(0x35, mode << 8 | 0x10000);
        assert_false(vlapic_extint(&apic));
    }
}

static void test_x2apic_ids(void **state)
{
    (void)state;
    vlapic_reset(&apic, 0x123, false);
    go_x2apic();
    assert_int_equal(rdmsr(X2(0x02)), 0x123);
    assert_int_equal(rdmsr(X2(0x0d)), 0x12u << 16 | 1u << 3);
}

static void test_wrong_interface(void **state)
{
    (void)state;
    assert_false(readable(X2(0x02)));
    assert_false(wrmsr(X2(0x08), 0));
    go_x2apic();
    assert_int_equal(rd(0x02), ~0u);
    wr(0x08, 0x55);
    assert_int_equal(rdmsr(X2(0x08)), 0);
}

static void test_mode_transitions(void **state)
{
    (void)state;
    assert_false(wrmsr(MSR_APIC_BASE, VLAPIC_BASE | APIC_BASE_X2APIC));
    assert_false(wrmsr(MSR_APIC_BASE, 0xfed00000 | APIC_BASE_ENABLE));
    assert_false(wrmsr(MSR_APIC_BASE, MODE_XAPIC | BIT(36)));
    assert_false(wrmsr(MSR_APIC_BASE, MODE_XAPIC | BIT(9)));
    assert_false(wrmsr(MSR_APIC_BASE, MODE_XAPIC | 1));
    assert_true(wrmsr(MSR_APIC_BASE, MODE_XAPIC));

    wr(0x08, 0x30);
    go_x2apic();
    assert_int_equal(rdmsr(X2(0x08)), 0x30);                /* kept from xAPIC mode */
    assert_false(wrmsr(MSR_APIC_BASE, MODE_XAPIC));         /* not straight back */
    assert_true(wrmsr(MSR_APIC_BASE, VLAPIC_BASE));
    assert_true(effect.timer);
    assert_true(vlapic_extint(&apic));
    assert_false(vlapic_enabled(&apic));
    assert_int_equal(rd(0x02), ~0u);
    assert_false(wrmsr(MSR_APIC_BASE, MODE_X2APIC));        /* not straight from disabled */
    assert_true(wrmsr(MSR_APIC_BASE, MODE_XAPIC));
    assert_int_equal(rd(0x08), 0);
    assert_int_equal(rd(0x0f), 0xff);
    assert_int_equal(rdmsr(MSR_APIC_BASE), MODE_XAPIC);
}

/* --- interrupts --- */

static void test_priority(void **state)
{
    (void)state;
    vlapic_post(&apic, 0x31, false);
    vlapic_post(&apic, 0x52, false);
    assert_int_equal(vlapic_pending(&apic), 0x52);
    vlapic_ack(&apic, 0x52);
    assert_int_equal(vlapic_ppr(&apic), 0x50);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    vlapic_post(&apic, 0x5f, false);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);   /* same class */
    vlapic_post(&apic, 0x60, false);
    assert_int_equal(vlapic_pending(&apic), 0x60);
    wr(0x08, 0x60);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    assert_int_equal(rd(0x0a), 0x60);
    assert_int_equal(vlapic_highest_irr(&apic), 0x60);
    wr(0x08, 0);
    vlapic_ack(&apic, 0x60);
    wr(0x0b, 0);
    assert_int_equal(vlapic_ppr(&apic), 0x50);
    wr(0x0b, 0);
    assert_int_equal(vlapic_pending(&apic), 0x5f);
}

static void test_ppr_low_bits_follow_tpr(void **state)
{
    (void)state;
    wr(0x08, 0x57);
    assert_int_equal(vlapic_ppr(&apic), 0x57);
    vlapic_ack(&apic, 0x63);
    assert_int_equal(vlapic_ppr(&apic), 0x60);
}

static void test_irr_isr_tmr_visible(void **state)
{
    (void)state;
    vlapic_post(&apic, 0xff, true);
    assert_int_equal(rd(0x27), 0x80000000);
    assert_int_equal(rd(0x1f), 0x80000000);
    vlapic_ack(&apic, 0xff);
    assert_int_equal(rd(0x27), 0);
    assert_int_equal(rd(0x17), 0x80000000);
    vlapic_post(&apic, 0xff, false);
    assert_int_equal(rd(0x1f), 0);
}

static void test_eoi_reports_level_only(void **state)
{
    (void)state;
    wr(0x0b, 0);
    assert_false(effect.eoi);
    vlapic_post(&apic, 0x40, true);
    vlapic_ack(&apic, 0x40);
    vlapic_post(&apic, 0x51, false);
    vlapic_ack(&apic, 0x51);
    wr(0x0b, 0);
    assert_false(effect.eoi);
    wr(0x0b, 0);
    assert_true(effect.eoi);
    assert_int_equal(effect.eoi_vector, 0x40);
    wr(0x0b, 0);
    assert_false(effect.eoi);
}

static void test_icr(void **state)
{
    (void)state;
    wr(0x31, 0x05000000);
    assert_false(effect.ipi);
    wr(0x30, 0x000c4041 | BIT(12) | BIT(13) | BIT(20));
    assert_true(effect.ipi);
    assert_int_equal(effect.icr_lo, 0x000c4041);
    assert_int_equal(effect.dest, 5);
    assert_int_equal(rd(0x30), 0x000c4041);
    wr(0x30, 0x00004500);                    /* INIT needs no vector */
    assert_true(effect.ipi);
    for (u32 mode = 0; mode < 8; mode++) {
        wr(0x30, mode << 8 | 0x10);
        assert_int_equal(effect.ipi, mode != 3 && mode != 7);
    }
    wr(0x30, 0x0f);
    assert_false(effect.ipi);
    wr(0x28, 0);
    assert_int_equal(rd(0x28), 0x20);

    go_x2apic();
    assert_true(wrmsr(X2(0x30), 0x0001000200004041ull));
    assert_true(effect.ipi);
    assert_int_equal(effect.dest, 0x00010002);
    assert_true(rdmsr(X2(0x30)) == 0x0001000200004041ull);
}

static void test_self_ipi(void **state)
{
    (void)state;
    go_x2apic();
    assert_true(wrmsr(X2(0x3f), 0x77));
    assert_false(effect.ipi);
    assert_int_equal(vlapic_pending(&apic), 0x77);
    assert_true(wrmsr(X2(0x3f), 0x07));
    wrmsr(X2(0x28), 0);
    assert_int_equal(rdmsr(X2(0x28)), 0x20);
}

static void test_disabled_takes_nothing(void **state)
{
    (void)state;
    vlapic_post(&apic, 0x40, false);
    apic.base = VLAPIC_BASE;
    vlapic_post(&apic, 0x50, false);
    assert_int_equal(vlapic_highest_irr(&apic), 0x40);
    assert_int_equal(vlapic_pending(&apic), VLAPIC_NONE);
    assert_false(vlapic_match(&apic, 3, false, false));
}

static void test_match_xapic(void **state)
{
    (void)state;
    assert_true(vlapic_match(&apic, 3, false, false));
    assert_false(vlapic_match(&apic, 2, false, false));
    assert_true(vlapic_match(&apic, 0xff, false, false));
    assert_false(vlapic_match(&apic, 0xff, false, true));
    assert_true(vlapic_match(&apic, ~0u, false, true));

    wr(0x0d, 0x08000000); /* flat */
    assert_true(vlapic_match(&apic, 0x0c, true, false));
    assert_false(vlapic_match(&apic, 0x07, true, false));
    assert_false(vlapic_match(&apic, 0x108, true, true));
    wr(0x0e, 0); /* cluster 2, member 1 */
    wr(0x0d, 0x22000000);
    assert_true(vlapic_match(&apic, 0x23, true, false));
    assert_false(vlapic_match(&apic, 0x33, true, false));
    assert_false(vlapic_match(&apic, 0x21, true, false));
    assert_true(vlapic_match(&apic, 0xff, true, false));
}

static void test_match_x2apic(void **state)
{
    (void)state;
    vlapic_reset(&apic, 0x25, false);
    go_x2apic();
    assert_true(vlapic_match(&apic, 0x25, false, true));
    assert_false(vlapic_match(&apic, 0x125, false, true));
    assert_true(vlapic_match(&apic, ~0u, false, true));
    assert_true(vlapic_match(&apic, ~0u, true, true));
    assert_true(vlapic_match(&apic, 0xff, false, false)); /* an I/O APIC's broadcast */
    assert_true(vlapic_match(&apic, 0x00020020, true, true));
    assert_false(vlapic_match(&apic, 0x00020010, true, true));
    assert_false(vlapic_match(&apic, 0x00010020, true, true));
    assert_false(vlapic_match(&apic, 0x20, true, false));
}

#define T(name) cmocka_unit_test_setup(test_##name, fresh)
/* The short way for EOI and the long one: the same in every case. */
static void test_msr_eoi(void **state)
{
    static const struct { u64 base, val; u8 vector; bool level; } c[] = {
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0x31, false },
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0x31, true },
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0xff, true },
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0x80, false },
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0x7f, false },
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0, 0, false }, /* nothing in service */
        { VLAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 1, 0x31, true },
        { VLAPIC_BASE | APIC_BASE_ENABLE, 0, 0x31, true },
        { VLAPIC_BASE, 0, 0x31, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct vlapic a, b;
        struct vlapic_effect e;
        int level;

        vlapic_reset(&a, 0, true);
        a.base = c[i].base;
        a.svr |= 0x100;
        if (c[i].vector) {
            vlapic_post(&a, c[i].vector, c[i].level);
            vlapic_ack(&a, c[i].vector);
        }
        b = a;
        assert_int_equal(vlapic_msr_write(&b, 0x80b, c[i].val, 0, &e), vlapic_x2apic(&a) && !c[i].val);
        if (!vlapic_x2apic(&a) || c[i].val)
            continue;
        level = vlapic_eoi(&a);
        assert_memory_equal(&a, &b, sizeof(a));
        assert_int_equal(level != VLAPIC_NONE, e.eoi);
        assert_int_equal(level, c[i].level && c[i].vector ? c[i].vector : VLAPIC_NONE);
        assert_true(!e.eoi || e.eoi_vector == level);
        assert_false(vlapic_any_irr(&a));
        vlapic_post(&a, 0x40, false);
        assert_int_equal(vlapic_any_irr(&a), vlapic_enabled(&a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_msr_eoi),
        T(power_on), T(boot_processor_is_in_virtual_wire_mode), T(init_keeps_id_and_mode), T(writes_keep_reserved_bits),
        T(reserved_register_sets_esr), T(error_interrupt_once_until_rearmed),
        T(error_entry_with_illegal_vector_ends), T(software_disable_masks), T(x2apic_registers),
        T(x2apic_lvt_bits), T(extint_modes), T(x2apic_ids), T(wrong_interface),
        T(mode_transitions), T(priority), T(ppr_low_bits_follow_tpr), T(irr_isr_tmr_visible),
        T(eoi_reports_level_only), T(icr), T(self_ipi), T(disabled_takes_nothing), T(match_xapic),
        T(match_x2apic),
    };

    return cmocka_run_group_tests_name("vlapic", tests, NULL, NULL);
}
