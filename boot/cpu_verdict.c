/* SPDX-License-Identifier: MIT */
/* The verdict on the processor; settings are called by the names that firmware menus give them. */
#include "boot/cpu_verdict.h"

#include "arch/x86/cpu/regs.h"
#include "hv/lib/fmt.h"

#define SETTING_VMX "\"Intel Virtualization Technology (VT-x)\""
#define SETTING_SVM "\"SVM Mode\""

/* Three registers as twelve letters. */
static void put_words(char text[13], u32 a, u32 b, u32 c)
{
    u32 words[3] = { a, b, c };

    for (u32 i = 0; i < 12; i++)
        text[i] = (char)(words[i / 4] >> (i % 4 * 8));
    text[12] = '\0';
}

static void read_vmx_facts(struct cpu_facts *f, rdmsr_fn *rdmsr)
{
    f->feature_control = rdmsr(MSR_FEATURE_CONTROL);
    f->proc_controls = rdmsr(MSR_VMX_PROCBASED_CTLS);
    if (f->proc_controls & ALLOWED_SECONDARY)
        f->proc_controls2 = rdmsr(MSR_VMX_PROCBASED_CTLS2);
}

void cpu_facts_read(struct cpu_facts *f, cpuid_fn *cpuid, rdmsr_fn *rdmsr)
{
    u32 a, b, c, d, max_extended;

    *f = (struct cpu_facts){ 0 };
    cpuid(0, &a, &b, &c, &d);
    put_words(f->vendor, b, d, c);
    cpuid(1, &a, &b, &c, &d);
    f->vmx = c & BIT(5);
    f->xsave = c & BIT(26);
    if (c & BIT(31)) {
        cpuid(0x40000000, &a, &b, &c, &d);
        put_words(f->hypervisor, b, c, d);
    }
    cpuid(0x80000000, &max_extended, &b, &c, &d);
    cpuid(0x80000001, &a, &b, &c, &d);
    f->svm = c & BIT(2);
    f->nx = d & BIT(20);
    if (f->vmx)
        read_vmx_facts(f, rdmsr);
    if (f->svm)
        f->vm_cr = rdmsr(MSR_VM_CR);
    if (f->svm && max_extended >= 0x8000000a)
        cpuid(0x8000000a, &a, &b, &c, &f->svm_features);
}

static bool vendor_is(const struct cpu_facts *f, const char *name)
{
    u32 i = 0;

    while (name[i] && f->vendor[i] == name[i])
        i++;
    return !name[i];
}

static void explain_none(const struct cpu_facts *f, char *why, size_t size)
{
    if (f->hypervisor[0])
        fmt_str(why, size,
                "this virtual machine (%s) offers neither VT-x nor AMD-V - turn on nested "
                "virtualization in its hypervisor",
                f->hypervisor);
    else if (vendor_is(f, "GenuineIntel"))
        fmt_str(why, size,
                "the processor offers no VT-x - turn on " SETTING_VMX " in the firmware setup, "
                "or use a processor that has it");
    else if (vendor_is(f, "AuthenticAMD") || vendor_is(f, "HygonGenuine"))
        fmt_str(why, size,
                "the processor offers no AMD-V - turn on " SETTING_SVM " in the firmware setup, "
                "or use a processor that has it");
    else
        fmt_str(why, size, "this processor (%s) has neither VT-x nor AMD-V - use one that has",
                f->vendor);
}

/*
 * @feature is missing from hardware that virtualizes otherwise: an old processor, or a hypervisor
 * that hides it.
 */
static bool lacks(const struct cpu_facts *f, const char *feature, const char *since, char *why,
                  size_t size)
{
    if (f->hypervisor[0])
        fmt_str(why, size, "this virtual machine (%s) offers no %s - turn it on in its hypervisor",
                f->hypervisor, feature);
    else
        fmt_str(why, size, "this processor has no %s - use a newer one: %s", feature, since);
    return false;
}

static bool verdict_vmx(const struct cpu_facts *f, char *why, size_t size)
{
    const char *since = "Intel has it since Westmere (2010)";

    if ((f->feature_control & FEATURE_CONTROL_LOCK) &&
        !(f->feature_control & FEATURE_CONTROL_VMX)) {
        fmt_str(why, size,
                "VT-x is turned off and locked by the firmware - turn on " SETTING_VMX " in its "
                "setup, then switch the machine off and on");
        return false;
    }
    if (!(f->proc_controls & ALLOWED_SECONDARY) || !(f->proc_controls2 & ALLOWED_EPT))
        return lacks(f, "EPT (second-stage paging of VT-x)", since, why, size);
    if (!(f->proc_controls2 & ALLOWED_UNRESTRICTED_GUEST))
        return lacks(f, "unrestricted guest mode of VT-x", since, why, size);
    return true;
}

static bool verdict_svm(const struct cpu_facts *f, char *why, size_t size)
{
    if (f->vm_cr & VM_CR_SVMDIS) {
        fmt_str(why, size,
                "AMD-V is turned off by the firmware - turn on " SETTING_SVM " in its setup, then "
                "switch the machine off and on");
        return false;
    }
    if (!(f->svm_features & SVM_FEATURE_NP))
        return lacks(f, "nested paging (NPT of AMD-V)", "AMD has it since Barcelona (2007)", why,
                     size);
    return true;
}

bool cpu_verdict(const struct cpu_facts *f, char *why, size_t size)
{
    if (!f->vmx && !f->svm) {
        explain_none(f, why, size);
        return false;
    }
    if (f->vmx ? !verdict_vmx(f, why, size) : !verdict_svm(f, why, size))
        return false;
    if (!f->xsave)
        return lacks(f, "XSAVE", "Intel has it since 2008, AMD since Bulldozer (2011)", why, size);
    if (!f->nx)
        fmt_str(why, size,
                "the processor offers no no-execute pages - turn on \"Execute Disable Bit\" or "
                "\"NX Mode\" in the firmware setup");
    return f->nx;
}
