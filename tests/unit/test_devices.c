/* SPDX-License-Identifier: MIT */
/*
 * How a partition gets its devices, and what those on PCI are told when.
 * LINK: hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/lib/fmt.h"
#include "hv/devices.c"
#include "tests/unit/two_partitions.h"

enum { F2 = 0x10, F3 = 0x18 };
static struct partition parts[2];
static u16 commands[F3 + 1];
static char said[4096];

u32 pci_read(u32 function, u32 reg) { return reg == PCI_COMMAND ? 0xffff0000u | commands[function] : 0; }
void pci_write16(u32 function, u32 reg, u16 val)
{
    assert_int_equal(reg, PCI_COMMAND);
    commands[function] = val;
}
void log_line(enum log_level level, const char *fmt, ...)
{
    size_t len = strlen(said);
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    fmt_vstr(said + len, sizeof(said) - len, fmt, ap);
    va_end(ap);
}
enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size, enum s2_prot prot, enum s2_type type)
{
    (void)vm;
    assert_int_equal(gpa, hpa);
    assert_int_equal(size, 0x1000);
    assert_int_equal(prot, S2_RW);
    assert_int_equal(type, S2_UC);
    return PITH_OK;
}
void arch_vm_trap_pio(struct arch_vm *vm, u16 port, u32 count, bool trap)
{
    (void)vm;
    assert_true(port == 0x6000 && count == 0x100 && !trap);
}
enum pith_status device_irqs_create(struct partition *p) { (void)p; return PITH_OK; }
void device_irqs_start(struct partition *p) { (void)p; }
void device_irqs_stop(struct partition *p) { (void)p; }

static int fresh(void **state)
{
    (void)state;
    two_partitions();
    memset(commands, 0, sizeof(commands));
    for (u32 i = 0; i < 2; i++) {
        parts[i].conf = &m.partitions[i];
        parts[i].name = m.partitions[i].name;
    }
    said[0] = 0;
    return 0;
}

static void trusted(void **state)
{
    (void)state;
    give(0, false, 0xe0000000, 0xe0000fff)->flags = MANIFEST_DMA_TRUSTED;
    give(0, true, 0x6000, 0x60ff);
    m.partitions[0].functions[0] = (struct manifest_function){ F2, PCI_CMD_PORTS | PCI_CMD_MEMORY | PCI_CMD_MASTER };
    m.partitions[0].nr_functions = 1;
    assert_int_equal(devices_create(&parts[0]), PITH_OK);
    assert_non_null(strstr(said, "a is NOT ISOLATED"));
    said[0] = 0;
    assert_int_equal(devices_create(&parts[1]), PITH_OK);
    assert_string_equal(said, "");

    commands[F2] = PCI_CMD_INTX_OFF | 0x40;
    devices_start(&parts[1]);
    assert_int_equal(commands[F2], PCI_CMD_INTX_OFF | 0x40);
    devices_start(&parts[0]);
    assert_int_equal(commands[F2], 0x40 | PCI_CMD_PORTS | PCI_CMD_MEMORY | PCI_CMD_MASTER);
    assert_int_equal(commands[F3], 0);
    devices_stop(&parts[0]);
    assert_int_equal(commands[F2] & (PCI_CMD_MASTER | PCI_CMD_INTX_OFF), PCI_CMD_INTX_OFF);
}

static void frames(void **state)
{
    struct manifest_partition *p = give(0, false, 0xe0000000, 0xe0000fff);

    (void)state;
    assert_in_range(devices_frames(p), 3, 16);
    give(0, false, GIB(8), GIB(10) - 1);
    assert_in_range(devices_frames(p), 2 * 512 + 2 + 6, 4096);
    assert_int_equal(devices_frames(&m.partitions[1]), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = { T(trusted), T(frames) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
