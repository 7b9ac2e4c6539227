/* SPDX-License-Identifier: MIT */
/* Interrupts between cores and from devices, as the machine's APICs are told of them: none goes to a core of a like name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"

static struct { u32 msr; u64 val; } written;
static volatile u32 memory[1024];

static u64 fake_rdmsr(u32 msr) { (void)msr; return 0; }
static void fake_wrmsr(u32 msr, u64 val) { written.msr = msr, written.val = val; }
#define rdmsr fake_rdmsr
#define wrmsr fake_wrmsr
#define inb(port) ((u8)((port)*0))
#define outb(port, val) ((void)(port), (void)(val))
#include "arch/x86/platform.c"
#include "drivers/lapic.c"

static struct ioapic_route routed;
static u32 routes, pin_routed;

void *host_map(hpa_t hpa, u64 size, enum host_map_type type) { (void)hpa, (void)size, (void)type; return (void *)(uintptr_t)memory; }
u32 ioapic_init(volatile void *mmio) { (void)mmio; return 24; }
void ioapic_mask(volatile void *mmio, u32 pin, bool masked) { (void)mmio, (void)pin, (void)masked; }
void ioapic_route(volatile void *mmio, u32 pin, const struct ioapic_route *r) { (void)mmio; pin_routed = pin, routed = *r, routes++; }
void log_line(enum log_level level, const char *fmt, ...) { (void)level, (void)fmt; }

static void by_registers(void **state)
{
    static const u32 ids[] = { 0, 254, 255, 256, 0x12345, 0xfffffffe };

    (void)state;
    lapic_use(NULL);
    for (u32 i = 0; i < ARRAY_SIZE(ids); i++) {
        assert_true(lapic_reaches(ids[i]));
        lapic_send(ids[i], LAPIC_FIXED | 0x41);
        assert_int_equal(written.msr, 0x830);
        assert_true(written.val == ((u64)ids[i] << 32 | 0x4041));
    }
    assert_false(lapic_reaches(0xffffffff)); /* all of them */
}

/* 256 is not 0: it would get the message, an INIT for example. */
static void by_memory(void **state)
{
    (void)state;
    lapic_use(memory);
    assert_true(lapic_reaches(0));
    assert_true(lapic_reaches(0xfe));
    lapic_send(0xfe, LAPIC_INIT);
    assert_int_equal(memory[0x310 / 4], 0xfe000000);
    assert_int_equal(memory[0x300 / 4], 0x4500);
    assert_false(lapic_reaches(0xff));
    assert_false(lapic_reaches(0x100));
    assert_false(lapic_reaches(0xffffffff));
}

/* An I/O APIC writes eight bits, and all ones are everybody. */
static void from_devices(void **state)
{
    static const u32 beyond[] = { 0xff, 0x100, 0x101, 0x1fe, 0xfffffffe };
    static const struct handoff h;

    (void)state;
    platform_machine = &h.machine;
    old_interrupts_off();
    assert_int_equal(arch_gsi_route(20, 0x51, 0xfe), PITH_OK);
    assert_int_equal(pin_routed, 20);
    assert_int_equal(routed.apic_id, 0xfe);
    for (u32 i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_int_equal(arch_gsi_route(21, 0x51, beyond[i]), PITH_E_HW);
    assert_int_equal(arch_gsi_route(24, 0x51, 1), PITH_E_HW); /* nobody's pin */
    assert_int_equal(routes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_registers), cmocka_unit_test(by_memory), cmocka_unit_test(from_devices) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
