/* SPDX-License-Identifier: MIT */
/*
 * The loader's pure parts: verdict on the processor, placing the hypervisor's ELF file, calendar.
 * LINK: boot/cpu_verdict.c boot/elf.c boot/calendar.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <elf.h>

#include "boot/calendar.h"
#include "boot/cpu_verdict.h"
#include "boot/elf.h"

static char why[200];

static struct cpu_facts good_intel(void)
{
    return (struct cpu_facts){
        .vendor = "GenuineIntel",
        .nx = true,
        .xsave = true,
        .vmx = true,
        .feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
        .proc_controls = ALLOWED_SECONDARY,
        .proc_controls2 = ALLOWED_EPT | ALLOWED_UNRESTRICTED_GUEST,
    };
}

static struct cpu_facts good_amd(void)
{
    return (struct cpu_facts){ .vendor = "AuthenticAMD",
                               .nx = true,
                               .xsave = true,
                               .svm = true,
                               .vm_cr = BIT(3),
                               .svm_features = SVM_FEATURE_NP };
}

static void refused(const struct cpu_facts *f, const char *words)
{
    assert_false(cpu_verdict(f, why, sizeof(why)));
    if (!strstr(why, words) || !strstr(why, " - "))
        fail_msg("said '%s', wanted '%s'", why, words);
}

static void good_processors(void **state)
{
    struct cpu_facts f = good_intel();

    (void)state;
    assert_true(cpu_verdict(&f, why, sizeof(why)));
    f.feature_control = 0; /* not locked: the hypervisor sets it */
    assert_true(cpu_verdict(&f, why, sizeof(why)));
    f = good_amd();
    assert_true(cpu_verdict(&f, why, sizeof(why)));
}

static void intel_refused(void **state)
{
    struct cpu_facts f = good_intel();

    (void)state;
    f.feature_control = FEATURE_CONTROL_LOCK;
    refused(&f, "\"Intel Virtualization Technology (VT-x)\"");
    f = good_intel();
    f.proc_controls = 0;
    refused(&f, "EPT");
    f = good_intel();
    f.proc_controls2 = ALLOWED_UNRESTRICTED_GUEST;
    refused(&f, "EPT");
    f.proc_controls2 = ALLOWED_EPT;
    refused(&f, "unrestricted guest");
    strcpy(f.hypervisor, "KVMKVMKVM");
    refused(&f, "virtual machine (KVMKVMKVM)");
    f = good_intel();
    f.vmx = false;
    refused(&f, "\"Intel Virtualization Technology (VT-x)\"");
}

static void amd_refused(void **state)
{
    struct cpu_facts f = good_amd();

    (void)state;
    f.vm_cr |= VM_CR_SVMDIS;
    refused(&f, "\"SVM Mode\"");
    f = good_amd();
    f.svm_features = 0;
    refused(&f, "nested paging");
    f = good_amd();
    f.svm = false;
    refused(&f, "\"SVM Mode\"");
    strcpy(f.hypervisor, "TCGTCGTCGTCG");
    refused(&f, "nested virtualization");
    f.hypervisor[0] = '\0';
    strcpy(f.vendor, "Vortex86 SoC");
    refused(&f, "(Vortex86 SoC) has neither");
}

static void common_features(void **state)
{
    struct cpu_facts f = good_amd();

    (void)state;
    f.nx = false;
    refused(&f, "\"NX Mode\"");
    f = good_intel();
    f.xsave = false;
    refused(&f, "XSAVE");
}

#define VBASE 0xffff870000000000ull

static struct {
    Elf64_Ehdr h;
    Elf64_Phdr p[3];
    u8 bytes[100];
} elf;

static int fresh_elf(void **state)
{
    (void)state;
    memset(&elf, 0, sizeof(elf));
    memcpy(elf.h.e_ident, ELFMAG, SELFMAG);
    elf.h.e_ident[EI_CLASS] = ELFCLASS64;
    elf.h.e_machine = EM_X86_64;
    elf.h.e_entry = VBASE + 0x1010;
    elf.h.e_phoff = sizeof(elf.h);
    elf.h.e_phentsize = sizeof(elf.p[0]);
    elf.h.e_phnum = 3;
    elf.p[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_vaddr = 0, .p_memsz = 16 };
    elf.p[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_vaddr = VBASE + 0x1000, .p_filesz = 60, .p_memsz = 200
    };
    elf.p[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = VBASE, .p_filesz = 40, .p_memsz = 40 };
    elf.p[1].p_offset = offsetof(__typeof__(elf), bytes) + 40;
    elf.p[2].p_offset = offsetof(__typeof__(elf), bytes);
    for (u32 i = 0; i < sizeof(elf.bytes); i++)
        elf.bytes[i] = (u8)(i + 1);
    return 0;
}

static bool measure(struct elf_span *span)
{
    u8 *exact = malloc(sizeof(elf));
    bool good;

    memcpy(exact, &elf, sizeof(elf));
    good = elf_measure(exact, sizeof(elf), span);
    free(exact);
    return good;
}

static void elf_is_placed(void **state)
{
    static u8 to[0x1000 + 200];
    struct elf_span span;

    (void)state;
    assert_true(measure(&span));
    assert_true(span.first == VBASE && span.last == VBASE + 0x1000 + 200 &&
                span.entry == VBASE + 0x1010);
    elf_place((const u8 *)&elf, &span, to);
    assert_memory_equal(to, elf.bytes, 40);
    assert_int_equal(to[40], 0);
    assert_memory_equal(to + 0x1000, elf.bytes + 40, 60);
    assert_int_equal(to[0x1000 + 60], 0);
}

static void elf_is_refused(void **state)
{
    struct elf_span span;

#define REFUSE(change) \
    do { \
        fresh_elf(state); \
        change; \
        assert_false(measure(&span)); \
    } while (0)
    REFUSE(elf.h.e_ident[0] = 0);
    REFUSE(elf.h.e_ident[EI_CLASS] = ELFCLASS32);
    REFUSE(elf.h.e_machine = EM_AARCH64);
    REFUSE(elf.h.e_phentsize = 32);
    REFUSE(elf.h.e_phoff = ~0ull);
    REFUSE(elf.h.e_phoff = sizeof(elf) - 8);
    REFUSE(elf.h.e_phnum = 0xffff);
    REFUSE(elf.h.e_phnum = 0);
    REFUSE(elf.p[1].p_filesz = sizeof(elf));
    REFUSE(elf.p[1].p_offset = ~0ull - 10);
    REFUSE(elf.p[1].p_memsz = 59);
    REFUSE(elf.p[1].p_memsz = ~0ull);
    REFUSE(elf.h.e_entry = VBASE - 1);
    REFUSE(elf.h.e_entry = VBASE + 0x1000 + 200);
    assert_false(elf_measure((const u8 *)&elf, 63, &span));
}

static u64 at(u32 year, u32 month, u32 day, u32 hour, int behind)
{
    struct calendar c = { year, month, day, hour, 0, 0, behind };

    return calendar_seconds(&c);
}

static void dates(void **state)
{
    (void)state;
    assert_int_equal(at(1970, 1, 1, 1, 0), 3600);
    assert_int_equal(at(1970, 1, 1, 0, -60), 0); /* before 1970 where it counts */
    assert_int_equal(at(2000, 2, 29, 0, 0), 951782400);
    assert_int_equal(at(2000, 3, 1, 0, 0), 951868800);
    assert_int_equal(at(2024, 12, 31, 23, 0), 1735686000);
    assert_int_equal(at(2025, 1, 1, 0, 60), 1735689600 + 3600);
    assert_int_equal(at(2100, 3, 1, 0, 0), 4107542400);
    assert_int_equal(at(2026, 0, 1, 0, 0), 0);
    assert_int_equal(at(2026, 13, 1, 0, 0), 0);
    assert_int_equal(at(2026, 1, 0, 0, 0), 0);
    assert_int_equal(at(2026, 1, 32, 0, 0), 0);
    assert_int_equal(at(2026, 1, 1, 24, 0), 0);
    assert_int_equal(at(1969, 12, 31, 0, 0), 0);
    assert_int_equal(at(2026, 1, 1, 0, 2047), 0);
}

/* Day by day through a cycle of leap years: each is 86400 seconds after the one before. */
static void days_follow_each_other(void **state)
{
    static const u32 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    u64 expected = 0;

    (void)state;
    for (u32 year = 1970; year < 2370; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (u32 month = 1; month <= 12; month++) {
            for (u32 day = 1; day <= days[month - 1] + (leap && month == 2); day++) {
                assert_int_equal(at(year, month, day, 0, 0), expected);
                expected += 86400;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_processors),
        cmocka_unit_test(intel_refused),
        cmocka_unit_test(amd_refused),
        cmocka_unit_test(common_features),
        cmocka_unit_test_setup(elf_is_placed, fresh_elf),
        cmocka_unit_test_setup(elf_is_refused, fresh_elf),
        cmocka_unit_test(dates),
        cmocka_unit_test(days_follow_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
