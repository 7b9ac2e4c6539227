/* SPDX-License-Identifier: MIT */
/*
 * The local APIC under random accesses in all its modes: registers keep to their bits, what is delivered outranks what is in
 * service, refused accesses change nothing, and no timer is lost.
 * LINK: hv/vdev/vlapic.c hv/vdev/vlapic_match.c
 */
#include "arch/x86/cpu/regs.h"
#include "hv/vdev/vlapic.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS = 64, LVT_TIMER = 0, SVR = 0x0f, ICR = 0x30, CURRENT = 0x39 };

static struct vlapic apic, old; /* before the step at hand */
static u64 now;                 /* far from 2^64: the TSC of a guest that sets it there is its own business */

static bool has(const u32 set[8], u32 vector)
{
    return set[vector / 32] >> (vector % 32) & 1;
}

static u64 make_value(void)
{
    static const u64 likely[] = { 0, 0xf0, 0x1ff, 0x40031, 0x20042, 0x10700, 0x000c4031, 0xb, 0x1000 };

    return fuzz_below(2) ? likely[fuzz_below(ARRAY_SIZE(likely))] : fuzz_number();
}

static u32 make_reg(void)
{
    static const u8 likely[] = { 0x08, 0x0b, 0x0f, 0x28, 0x30, 0x32, 0x37, 0x38, 0x3e, 0x3f };

    return (u32)(fuzz_below(2) ? likely[fuzz_below(ARRAY_SIZE(likely))] : fuzz_below(0x42));
}

static u32 count_now(void)
{
    u64 val = 0;

    if (vlapic_x2apic(&apic))
        FUZZ_CHECK(vlapic_msr_read(&apic, MSR_X2APIC + CURRENT, now, &val));
    else if (apic.base & APIC_BASE_ENABLE)
        val = vlapic_read(&apic, CURRENT, now);
    return (u32)val;
}

static void check_effect(const struct vlapic_effect *e)
{
    u32 mode = e->icr_lo >> 8 & 7;

    FUZZ_CHECK(e->timer || apic.deadline == old.deadline);
    if (e->ipi) {
        FUZZ_CHECK(mode != 3 && mode != 7 && (mode > 1 || (e->icr_lo & 0xff) >= 16));
        FUZZ_CHECK(vlapic_x2apic(&apic) || e->dest <= 0xff);
    }
    if (e->eoi)
        FUZZ_CHECK(has(old.isr, e->eoi_vector) && !has(apic.isr, e->eoi_vector) && has(apic.tmr, e->eoi_vector));
}

static void write_msr(u32 msr, u64 val)
{
    struct vlapic_effect e;

    if (vlapic_msr_write(&apic, msr, val, now, &e))
        check_effect(&e);
    else
        FUZZ_CHECK(memcmp(&apic, &old, sizeof(apic)) == 0 && !e.ipi && !e.eoi && !e.timer);
}

static void write_base(void)
{
    u64 mode = fuzz_below(4) ? APIC_BASE_ENABLE | fuzz_below(2) << 10 : fuzz_below(16) << 8;

    write_msr(MSR_APIC_BASE, fuzz_below(8) ? VLAPIC_BASE | mode : fuzz_number());
    FUZZ_CHECK((apic.base & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC | APIC_BASE_BSP)) == VLAPIC_BASE);
    FUZZ_CHECK((apic.base & APIC_BASE_ENABLE) || !(apic.base & APIC_BASE_X2APIC));
}

/* What a register of x2APIC mode shows may be written to it: ESR apart, which takes only zeros. */
static void write_back(void)
{
    u32 reg = make_reg();
    bool writable = reg == 0x08 || reg == SVR || reg == ICR || (reg >= 0x32 && reg <= 0x38) || reg == 0x3e;
    struct vlapic_effect e;
    u64 val;

    if (vlapic_msr_read(&apic, MSR_X2APIC + reg, now, &val) && writable) {
        FUZZ_CHECK(vlapic_msr_write(&apic, MSR_X2APIC + reg, val, now, &e));
        check_effect(&e);
    }
}

static void access_mmio(void)
{
    struct vlapic_effect e;

    vlapic_write(&apic, make_reg(), (u32)make_value(), now, &e);
    check_effect(&e);
    (void)vlapic_read(&apic, make_reg(), now);
}

static void enable(void)
{
    struct vlapic_effect e;

    if (vlapic_x2apic(&apic))
        write_msr(MSR_X2APIC + SVR, 0x1ff);
    else
        vlapic_write(&apic, SVR, 0x1ff, now, &e);
    FUZZ_CHECK(vlapic_enabled(&apic) || !(apic.base & APIC_BASE_ENABLE));
}

static void post_or_deliver(void)
{
    u8 vector = (u8)(fuzz_below(4) ? 0x20 + fuzz_below(64) : fuzz_next());
    int pending = vlapic_pending(&apic);

    if (pending != VLAPIC_NONE && fuzz_below(2)) {
        vlapic_ack(&apic, (u8)pending);
        FUZZ_CHECK(!has(apic.irr, (u32)pending) && has(apic.isr, (u32)pending));
        FUZZ_CHECK(vlapic_pending(&apic) == VLAPIC_NONE);
    } else {
        vlapic_post(&apic, vector, fuzz_below(2));
        FUZZ_CHECK(vector < 16 || has(apic.irr, vector) == (vlapic_enabled(&apic) || has(old.irr, vector)));
    }
}

static void pass_time(void)
{
    now += fuzz_below(BIT(fuzz_below(36) + 1));
    vlapic_timer_expired(&apic, now);
    FUZZ_CHECK(apic.deadline == ~0ull || apic.deadline > now);
}

/* Neither what is left to count nor what is due gets lost. */
static void move_tsc(void)
{
    u64 to = fuzz_next() >> 17 >> fuzz_below(47);
    u32 count = count_now(), timer = apic.lvt[LVT_TIMER];
    bool due = apic.deadline <= now && !(timer >> 16 & 1) && vlapic_enabled(&apic);

    vlapic_tsc_moved(&apic, now, to - now);
    now = to;
    FUZZ_CHECK(count_now() == count);
    FUZZ_CHECK(!due || (timer & 0xff) < 16 || has(apic.irr, timer & 0xff));
}

static void check_vectors(void)
{
    int pending = vlapic_pending(&apic), highest = vlapic_highest_irr(&apic);
    u32 ppr = vlapic_ppr(&apic);

    FUZZ_CHECK(!(apic.irr[0] & 0xffff) && !(apic.isr[0] & 0xffff));
    FUZZ_CHECK(highest == VLAPIC_NONE ? !vlapic_any_irr(&apic) : has(apic.irr, (u32)highest));
    FUZZ_CHECK(pending == VLAPIC_NONE || (pending == highest && (u32)pending >> 4 > ppr >> 4));
    FUZZ_CHECK(pending != VLAPIC_NONE || highest <= (int)(ppr | 0xf) || !(apic.base & APIC_BASE_ENABLE));
    for (u32 rank = 0; rank < 16; rank++) {
        u32 in_service = apic.isr[rank / 2] >> (rank % 2 * 16) & 0xffff;

        /* Only a higher class interrupts one: never two of the same. */
        FUZZ_CHECK(!(in_service & (in_service - 1)) && (!in_service || ppr >> 4 >= rank));
    }
}

static void check_registers(void)
{
    FUZZ_CHECK(apic.tpr <= 0xff && apic.svr <= 0x3ff && !(apic.esr & ~0xe0u) && !(apic.divide & ~0xbu));
    FUZZ_CHECK(!(apic.icr_lo & 0x1000) && (apic.dfr & 0x0fffffff) == 0x0fffffff);
    for (u32 i = 0; i < ARRAY_SIZE(apic.lvt); i++)
        FUZZ_CHECK((apic.svr & 0x100) || (apic.lvt[i] & 0x10000));
    FUZZ_CHECK(count_now() <= apic.initial);
}

static void one(void)
{
    static void (*const steps[])(void) = { access_mmio, access_mmio, write_back, post_or_deliver, post_or_deliver, pass_time,
                                           move_tsc, write_base, enable };

    now = fuzz_next() >> 17;
    vlapic_reset(&apic, (u32)fuzz_number(), fuzz_below(2));
    for (u32 i = 0; i < STEPS; i++) {
        u64 kind = fuzz_below(ARRAY_SIZE(steps) + 3);

        old = apic;
        if (kind < ARRAY_SIZE(steps))
            steps[kind]();
        else if (kind == ARRAY_SIZE(steps))
            write_msr(MSR_TSC_DEADLINE, fuzz_below(4) ? now + fuzz_below(1000) : fuzz_number());
        else
            write_msr(MSR_X2APIC + make_reg(), make_value());
        check_vectors();
        check_registers();
        fuzz_accepted += i == STEPS - 1 && vlapic_enabled(&apic);
    }
}

int main(int argc, char **argv)
{
    return fuzz_main(argc, argv, one, 40000, 2000000);
}
