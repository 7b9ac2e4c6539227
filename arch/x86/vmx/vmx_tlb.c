/* SPDX-License-Identifier: MIT */
/* INVEPT and INVVPID, as tags.c asks for them: SDM 3, Caching Translation Information. */
#include "arch/x86/tags.h"
#include "arch/x86/vmx/vmx.h"
#include "hv/lib/panic.h"

enum inv_type { INV_SINGLE = 1, INV_ALL = 2 };

static void invept(enum inv_type type, u64 eptp)
{
    struct { u64 eptp, zero; } operand = { eptp, 0 };
    bool bad;

    __asm__ volatile("invept %1, %2" : "=@ccbe"(bad) : "m"(operand), "r"((u64)type) : "memory");
    ASSERT(!bad);
}

static void invvpid(enum inv_type type, u32 vpid)
{
    struct { u64 vpid, linear; } operand = { vpid, 0 };
    bool bad;

    __asm__ volatile("invvpid %1, %2" : "=@ccbe"(bad) : "m"(operand), "r"((u64)type) : "memory");
    ASSERT(!bad);
}

/* A single context where the processor can, all of them where it cannot. INVEPT takes the combined mappings of every VPID with it. */
static void flush_second_stage(const struct arch_vcpu *v)
{
    invept(vmx_hw.ept_vpid & EPT_CAP_INVEPT_SINGLE ? INV_SINGLE : INV_ALL, vmx_eptp(v));
}

static void flush_linear(const struct arch_vcpu *v)
{
    invvpid(vmx_hw.ept_vpid & EPT_CAP_INVVPID_SINGLE ? INV_SINGLE : INV_ALL, v->tag);
}

void vmx_tlb_update(struct arch_vcpu *v, unsigned flush)
{
    struct vmx_state *s = vmx_state(v);

    if (s->vpid != v->tag) {
        s->vpid = v->tag;
        vmwrite(VMCS_VPID, v->tag);
    }
    if (flush & TAGS_FLUSH_ALL) {
        invept(INV_ALL, 0);
        invvpid(INV_ALL, 0);
    } else if (flush & TAGS_FLUSH_VM) {
        flush_second_stage(v);
    }
    if (s->flush_linear) {
        s->flush_linear = false;
        flush_linear(v);
    }
}
