/* SPDX-License-Identifier: MIT */
/* The processor that runs this, and the list of all cores from MP Services or else ACPI. */
#include "boot/loader.h"

#include "arch/x86/cpu/insn.h"
#include "boot/cpu_verdict.h"
#include "boot/madt.h"

static void read_cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d)
{
    cpuid(leaf, 0, a, b, c, d);
}

static u64 read_msr(u32 msr)
{
    return rdmsr(msr);
}

void cpu_check(void)
{
    struct cpu_facts f;
    char why[200];

    cpu_facts_read(&f, read_cpuid, read_msr);
    if (!cpu_verdict(&f, why, sizeof(why)))
        boot_fail("%s", why);
}

/* PI Specification, Volume 2, "MP Services Protocol": as much of it as is used here. */
#define PROCESSOR_AS_BSP  1u
#define PROCESSOR_ENABLED 2u
#define PROCESSOR_HEALTHY 4u

struct processor_info {
    u64 processor_id; /* local APIC ID */
    u32 status;
    u32 location[3];
    u32 extended_location[6];
};
struct mp_services {
    EFI_STATUS(EFIAPI *get_number)
    (struct mp_services *mp, UINTN *all, UINTN *enabled);
    EFI_STATUS(EFIAPI *get_info)
    (struct mp_services *mp, UINTN number, struct processor_info *info);
};
static EFI_GUID mp_services_guid = {
    0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 }
};

/* 32 bits wide where there is an x2APIC, else the 8 bits of the xAPIC. */
static u32 own_apic_id(void)
{
    u32 a, b, c, d, max;

    cpuid(0, 0, &max, &b, &c, &d);
    if (max >= 0xb) {
        cpuid(0xb, 0, &a, &b, &c, &d);
        if (b)
            return d;
    }
    cpuid(1, 0, &a, &b, &c, &d);
    return b >> 24;
}

static void put_cpu(struct handoff_cpu *out, u32 max, u32 i, u32 apic_id, u32 flags)
{
    if (i < max)
        out[i] = (struct handoff_cpu){ apic_id, flags };
}

u32 cpus_list(struct handoff_cpu *out, u32 max)
{
    u32 n = 1, self = own_apic_id();
    struct mp_services *mp;
    UINTN all = 0, enabled;

    put_cpu(out, max, 0, self, HANDOFF_CPU_BSP); /* first, whatever its place in the list */
    if (EFI_ERROR(fw.bs->LocateProtocol(&mp_services_guid, NULL, (void **)&mp)) ||
        EFI_ERROR(mp->get_number(mp, &all, &enabled)))
        return madt_cpus(acpi_find_rsdp(), self, out, max, n);
    for (UINTN i = 0; i < all; i++) {
        struct processor_info info = { 0 };
        bool usable;

        if (EFI_ERROR(mp->get_info(mp, i, &info)) || (info.status & PROCESSOR_AS_BSP) ||
            (u32)info.processor_id == self)
            continue;
        usable = (info.status & PROCESSOR_ENABLED) && (info.status & PROCESSOR_HEALTHY);
        put_cpu(out, max, n++, (u32)info.processor_id, usable ? 0 : HANDOFF_CPU_DISABLED);
    }
    return n;
}
