/* SPDX-License-Identifier: MIT */
/*
 * The loader's plan is not believed: what reaches outside RAM or files, or asks for an impossible start, is refused; what is
 * sound is followed in chunks, in order, at every start.
 * LINK: hv/load.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/lib/panic.h"
#include "hv/load.h"

#define KHZ 123456u

static u8 files[3 * LOAD_CHUNK], low[MIB(1)], high[MIB(1)];
static struct handoff_range ranges[3];
static struct plan_copy copies[3];
static struct load_plan plans[2];
static struct handoff handoff;
static struct partition part;

/* The host-physical address that phys_to_virt() takes for @p. */
static hpa_t hpa(const void *p)
{
    return (u64)(uintptr_t)p - HOST_DIRECT_BASE;
}

void *host_map(hpa_t at, u64 size, enum host_map_type type)
{
    assert_int_equal(type, HOST_RO);
    assert_true(at == hpa(files) && size == sizeof(files));
    return phys_to_virt(at);
}

void host_zero(hpa_t at, u64 size)
{
    assert_true(size <= LOAD_CHUNK);
    memset(phys_to_virt(at), 0, size);
}

enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    assert_ptr_equal(vm, &part.vm);
    assert_true(len > 0 && len <= LOAD_CHUNK);
    assert_true(gpa < sizeof(low) && len <= sizeof(low) - gpa);
    memcpy(low + gpa, buf, len);
    return PITH_OK;
}

u64 arch_tsc(void)
{
    return 0;
}

u64 arch_tsc_khz(void)
{
    return KHZ;
}

NORETURN void panic(const char *fmt, ...)
{
    fail_msg("panic: %s", fmt);
    abort();
}

static struct handoff_array array(const void *base, u32 count, u32 stride)
{
    return (struct handoff_array){ hpa(base), count, stride };
}

static int setup(void **state)
{
    (void)state;
    for (u32 i = 0; i < sizeof(files); i++)
        files[i] = (u8)(i * 7 + (i >> 9));
    ranges[0] = (struct handoff_range){ .base = hpa(low), .size = sizeof(low), .kind = HANDOFF_FREE };
    ranges[1] = (struct handoff_range){ .base = hpa(files), .size = sizeof(files), .kind = HANDOFF_MODULE };
    ranges[2] = (struct handoff_range){ .base = hpa(high), .size = sizeof(high), .kind = HANDOFF_HV_IMAGE };
    copies[0] = (struct plan_copy){ 0, 0, 1 };
    copies[1] = (struct plan_copy){ 0x1000, hpa(files) + 5, 2 * LOAD_CHUNK + 1 };
    copies[2] = (struct plan_copy){ 0x1003, hpa(files), 2 };
    memset(plans, 0, sizeof(plans));
    plans[1] = (struct load_plan){
        .format = "test", .first = 1, .count = 2, .tsc_khz = 0x800,
        .start = { .cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA, .mode = PLAN_LONG, .cs = 8, .ds = 16 },
    };
    memset(&part, 0, sizeof(part));
    part.ram[0] = (struct extent){ 0, hpa(low), MIB(1) / 2 };
    part.ram[1] = (struct extent){ MIB(1) / 2, hpa(low) + MIB(1) / 2, MIB(1) / 2 };
    part.ram[2] = (struct extent){ GIB(4), hpa(high), sizeof(high) };
    part.nr_ram = 3;
    handoff.ranges = array(ranges, 3, sizeof(ranges[0]));
    handoff.copies = array(copies, 3, sizeof(copies[0]));
    handoff.plans = array(plans, 2, sizeof(plans[0]));
    load_init(&handoff);
    return 0;
}

static void run(void)
{
    enum pith_status st;

    memset(&part.load, 0, sizeof(part.load));
    do
        st = load_step(&part);
    while (st == PITH_E_BUSY);
    assert_int_equal(st, PITH_OK);
}

static void test_followed(void **state)
{
    u64 khz;

    (void)state;
    assert_true(load_check(&part, 1));
    for (u32 again = 0; again < 2; again++) {
        memset(low, 0xee, sizeof(low));
        memset(high, 0xee, sizeof(high));
        run();
        memcpy(&khz, low + 0x800, sizeof(khz));
        assert_int_equal(khz, KHZ);
        assert_memory_equal(low + 0x1000, files + 5, 3);
        assert_memory_equal(low + 0x1003, files, 2); /* the later copy wins */
        assert_memory_equal(low + 0x1005, files + 10, 2 * LOAD_CHUNK + 1 - 5);
        assert_int_equal(low[0x7ff] | low[0x808] | low[0xfff] | low[0x1001 + 2 * LOAD_CHUNK] | low[sizeof(low) - 1], 0);
        assert_int_equal(high[0] | high[sizeof(high) - 1], 0);
    }
    plans[1].tsc_khz = PLAN_NOWHERE;
    assert_true(load_check(&part, 1));
    run();
    assert_int_equal(low[0x800], 0);
}

#define REFUSED(change) \
    do { \
        setup(NULL); \
        change; \
        if (load_check(&part, 1)) \
            fail_msg("accepted: %s", #change); \
    } while (0)
#define ACCEPTED(change) \
    do { \
        setup(NULL); \
        change; \
        if (!load_check(&part, 1)) \
            fail_msg("refused: %s", #change); \
    } while (0)

static void test_copies(void **state)
{
    (void)state;
    ACCEPTED(copies[2].gpa = MIB(1) - 2);
    ACCEPTED(copies[2].gpa = MIB(1) / 2 - 1); /* across two pieces of RAM */
    ACCEPTED(copies[2].gpa = GIB(4) + sizeof(high) - 2);
    ACCEPTED(copies[1] = ((struct plan_copy){ 0, hpa(files), sizeof(files) }));
    REFUSED(copies[2].gpa = MIB(1) - 1);
    REFUSED(copies[2].gpa = MIB(1));
    REFUSED(copies[2].gpa = GIB(4) - 1);
    REFUSED(copies[2].gpa = GIB(4) + sizeof(high) - 1);
    REFUSED(copies[2].gpa = ~0ull);
    REFUSED(copies[1] = ((struct plan_copy){ 0, hpa(files), sizeof(files) + 1 }));
    REFUSED(copies[2].source = hpa(files) - 1);
    REFUSED(copies[2].source = hpa(files) + sizeof(files) - 1);
    REFUSED(copies[2].source = hpa(low));
    REFUSED(copies[2].source = hpa(high));
    REFUSED(copies[2].size = ~0ull);
    REFUSED(copies[2].size = 0 - copies[2].gpa);
    REFUSED(plans[1].count = 3);
    REFUSED(plans[1].first = ~0u);
    REFUSED(plans[1].count = ~0u);
    REFUSED(handoff.plans.count = 1);
    REFUSED(plans[1].tsc_khz = MIB(1) - 7);
    REFUSED(plans[1].tsc_khz = ~0ull - 1);
    REFUSED(memset(plans[1].format, 'x', sizeof(plans[1].format)));
}

static void test_starts(void **state)
{
    (void)state;
    ACCEPTED(plans[1].start = ((struct plan_start){ .mode = PLAN_REAL, .cs = 0x1020, .ds = 0x1000 }));
    ACCEPTED(plans[1].start = ((struct plan_start){ .mode = PLAN_PROTECTED, .cr0 = CR0_PE | CR0_ET }));
    REFUSED(plans[1].start.mode = PLAN_LONG + 1);
    REFUSED(plans[1].start.mode = PLAN_PROTECTED);
    REFUSED(plans[1].start.mode = PLAN_REAL);
    REFUSED(plans[1].start.cr0 &= ~CR0_PG);
    REFUSED(plans[1].start.cr0 |= CR0_CD);
    REFUSED(plans[1].start.cr0 |= BIT(40));
    REFUSED(plans[1].start.cr4 = 0);
    REFUSED(plans[1].start.cr4 |= CR4_VMXE);
    REFUSED(plans[1].start.efer = EFER_LME);
    REFUSED(plans[1].start.efer |= EFER_SVME);
    REFUSED(plans[1].start.cr3 = 0x1001);
    REFUSED(plans[1].start.gdt_limit = 0x10000);
    REFUSED(plans[1].start = ((struct plan_start){ .mode = PLAN_PROTECTED, .cr0 = CR0_PE, .efer = EFER_LME | EFER_LMA }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_followed, setup),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
