/* SPDX-License-Identifier: MIT */
/* Is this an AMD-V processor, is it good enough, and turning it on. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/safe.h"
#include "arch/x86/svm/svm.h"
#include "hv/lib/string.h"

/* CPUID. APM 3, Appendix E. */
#define CPUID_80000001_ECX_SVM    BIT(2)
#define CPUID_80000001_EDX_1G     BIT(26)
#define CPUID_80000001_EDX_RDTSCP BIT(27)
#define CPUID_SVM                 0x8000000au
#define SVM_EDX_NP                BIT(0)
#define SVM_EDX_NRIPS             BIT(3)
#define SVM_EDX_FLUSH_BY_ASID     BIT(6)
#define SVM_EDX_DECODE_ASSISTS    BIT(7)
#define VM_CR_SVMDIS              BIT(4)

struct svm_features svm_features;

/* Then setting EFER.SVME is a #GP. */
static bool disabled(void)
{
    u64 vm_cr;

    return rdmsr_safe(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVMDIS);
}

static const char *missing(u32 svm_edx)
{
    if (svm_features.nr_asids < 2) /* ASID 0 is the host's */
        return "this processor has AMD-V but no ASIDs for guests";
    if (!(svm_edx & SVM_EDX_NP))
        return "this processor has AMD-V but no nested paging (NPT, RVI)";
    if (read_cr4() & CR4_LA57) /* nested tables are walked in the host's mode: APM 2, "Nested Paging" */
        return "the firmware left 5-level paging on, and nested tables would be walked with 5 levels too:"
               " switch it off in the firmware's setup (5-Level Paging, LA57)";
    return NULL;
}

enum pith_status svm_probe(struct vm_caps *caps)
{
    u32 a, b, c, d, edx, max;

    cpuid(0x80000000, 0, &max, &b, &c, &d);
    if (max < 0x80000001)
        return PITH_E_HW;
    cpuid(0x80000001, 0, &a, &b, &c, &d);
    if (!(c & CPUID_80000001_ECX_SVM) || max < CPUID_SVM || disabled()) /* on the boot core the loader has said so */
        return PITH_E_HW;
    caps->name = "AMD-V";
    caps->page_2m = true;
    caps->page_1g = d & CPUID_80000001_EDX_1G;
    caps->itlb_safe = true;
    svm_features.rdtscp = d & CPUID_80000001_EDX_RDTSCP;

    cpuid(CPUID_SVM, 0, &a, &b, &c, &edx);
    svm_features.nrips = edx & SVM_EDX_NRIPS;
    svm_features.flush_by_asid = edx & SVM_EDX_FLUSH_BY_ASID;
    svm_features.decode_assists = edx & SVM_EDX_DECODE_ASSISTS;
    svm_features.nr_asids = b;
    caps->nr_tags = b;
    caps->why = missing(edx);
    return caps->why ? PITH_E_HW : PITH_OK;
}

static hpa_t page_alloc(struct frame_pool *frames)
{
    hpa_t hpa = frames_alloc(frames, 1, 1);

    if (hpa)
        memset(phys_to_virt(hpa), 0, PAGE_SIZE);
    return hpa;
}

enum pith_status svm_cpu_enable(struct arch_cpu *cpu)
{
    if (disabled())
        return PITH_E_HW;
    cpu->area = page_alloc(cpu->frames);
    if (!cpu->area)
        return PITH_E_MEM;
    cpu->host_vmcb = page_alloc(cpu->frames);
    if (!cpu->host_vmcb) {
        frames_free(cpu->frames, cpu->area, 1);
        return PITH_E_MEM;
    }

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, cpu->area);
    /*
     * FS, GS, TR, LDTR and their MSRs as the hypervisor has them: they never change, so one VMSAVE
     * serves every exit.
     */
    __asm__ volatile("vmsave %%rax" : : "a"(cpu->host_vmcb) : "memory");
    return PITH_OK;
}

void svm_cpu_disable(struct arch_cpu *cpu)
{
    wrmsr(MSR_VM_HSAVE_PA, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
    frames_free(cpu->frames, cpu->host_vmcb, 1);
    frames_free(cpu->frames, cpu->area, 1);
}
