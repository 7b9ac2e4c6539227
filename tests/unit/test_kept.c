/* SPDX-License-Identifier: MIT */
/*
 * What is emulated for every guest is on the list of what no partition may be given.
 * LINK: boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 * LINK: hv/vdev/vlapic.c hv/vdev/vioapic.c hv/vdev/vuart.c hv/vdev/vrtc.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hv/bus.c"
#include "tests/unit/manifest_check.h"

/* Nobody is called here; the tables name them. */
u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg reg) { (void)v, (void)reg; return 0; }
void arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val) { (void)v, (void)reg, (void)val; }
void console_write(struct console_source *s, const char *text, size_t len) { (void)s, (void)text, (void)len; }
void exit_lapic_effect(struct vcpu *v, const struct vlapic_effect *e) { (void)v, (void)e; }
void isa_ports(struct vcpu *v, struct bus_access *a) { (void)v, (void)a; }
void isa_acpi(struct vcpu *v, struct bus_access *a) { (void)v, (void)a; }
void partition_deliver(void *p, const struct vioapic_msg *msg) { (void)p, (void)msg; }
void partition_uart_update(struct partition *p) { (void)p; }
u64 partition_wall_now(const struct partition *p) { (void)p; return 0; }
u64 vcpu_guest_tsc(const struct vcpu *v) { (void)v; return 0; }

static void expect_kept(const struct manifest *m, u64 first, u64 last)
{
    char why[200];

    if (manifest_check(m, 1, 1, why, sizeof(why)) == PITH_OK || !strstr(why, "reaches into"))
        fail_msg("0x%lx-0x%lx may be given away: '%s'", first, last, why);
}

static void emulated(void **state)
{
    static struct manifest m = { .magic = MANIFEST_MAGIC, .version = MANIFEST_VERSION, .size = sizeof(m), .nr_partitions = 1 };
    struct manifest_partition *p = &m.partitions[0];

    (void)state;
    *p = (struct manifest_partition){ .name = "a", .initrd = MANIFEST_NONE, .vcpus = 1, .memory = MIB(8), .nr_ports = 1 };
    for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
        for (u64 port = ports[i].first; port <= ports[i].last; port++) {
            p->ports[0] = (struct manifest_range){ port, port };
            expect_kept(&m, port, port);
        }
    p->nr_ports = 0;
    p->nr_mmio = 1;
    for (u32 i = 0; i < ARRAY_SIZE(mmio); i++) {
        p->mmio[0] = (struct manifest_range){ mmio[i].first & ~PAGE_MASK, mmio[i].last | PAGE_MASK };
        expect_kept(&m, p->mmio[0].first, p->mmio[0].last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(emulated) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
