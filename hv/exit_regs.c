/* SPDX-License-Identifier: MIT */
/* Control and debug registers that are intercepted. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "hv/exit.h"
#include "hv/gpr.h"

#define CS_L BIT(13) /* of struct x86_segment's attr: 64-bit code */
/* What vdev/vcpuid.c announces. */
#define CR4_OFFERED                                                                                           \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |     \
     CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)

/* The backend names the operand register, decoding the instruction where the processor does not. */
static bool operand(struct vcpu *v, bool known)
{
    if (!known)
        v->why = "a move to or from a control or debug register cannot be decoded";
    return known;
}

/* Under PAE paging the write loads four entries from memory. SDM 3, "PDPTE Registers": a reserved bit in a present one is #GP. */
static bool pdptes_valid(const struct vcpu *v, u64 cr0, u64 cr4)
{
    u64 pdpte[4];
    u32 bits, b, c, d;

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || (arch_vcpu_reg(&v->arch, X86_EFER) & EFER_LME) ||
        arch_vm_read(v->arch.vm, arch_vcpu_reg(&v->arch, X86_CR3) & 0xffffffe0, pdpte, sizeof(pdpte)) != PITH_OK)
        return true;
    cpuid(0x80000008, 0, &bits, &b, &c, &d);
    for (u32 i = 0; i < 4; i++)
        if ((pdpte[i] & 1) && (pdpte[i] & (0x1e6 | ~(BIT(bits & 0xff) - 1))))
            return false;
    return true;
}

/* Turning paging off: not with PCIDs, which need long mode, and not from 64-bit code. */
static bool may_stop_paging(const struct vcpu *v)
{
    struct x86_segment cs;

    if (!(arch_vcpu_reg(&v->arch, X86_EFER) & EFER_LMA))
        return true;
    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    return !(arch_vcpu_reg(&v->arch, X86_CR4) & CR4_PCIDE) && !(cs.attr & CS_L);
}

/* Exits happen only where the processor or the hypervisor needs a bit for itself; the write is then checked and done whole. */
static enum exit_action put_cr0(struct vcpu *v, u64 val)
{
    bool enters_long_mode = (val & CR0_PG) && (arch_vcpu_reg(&v->arch, X86_EFER) & EFER_LME);

    if ((val >> 32) || ((val & CR0_PG) && !(val & CR0_PE)) || ((val & CR0_NW) && !(val & CR0_CD)) ||
        (enters_long_mode && !(arch_vcpu_reg(&v->arch, X86_CR4) & CR4_PAE)) ||
        (!(val & CR0_PG) && !may_stop_paging(v)) || !pdptes_valid(v, val, arch_vcpu_reg(&v->arch, X86_CR4)))
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, X86_CR0, val | CR0_ET);
    return EXIT_SKIP;
}

static enum exit_action put_cr4(struct vcpu *v, u64 val)
{
    bool long_mode = arch_vcpu_reg(&v->arch, X86_EFER) & EFER_LMA;
    bool starts_pcids = (val & CR4_PCIDE) && !(arch_vcpu_reg(&v->arch, X86_CR4) & CR4_PCIDE);

    if ((val & ~CR4_OFFERED) || (!(val & CR4_PAE) && long_mode) ||
        (starts_pcids && (!long_mode || (arch_vcpu_reg(&v->arch, X86_CR3) & 0xfff))) ||
        !pdptes_valid(v, arch_vcpu_reg(&v->arch, X86_CR0), val))
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, X86_CR4, val);
    return EXIT_SKIP;
}

static enum exit_action put_cr8(struct vcpu *v, u64 val)
{
    if (val > 15)
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, X86_CR8, val);
    v->arch.irq_dirty = true;
    return EXIT_SKIP;
}

enum exit_action on_cr(struct vcpu *v, struct vm_exit *exit)
{
    u8 gpr = exit->cr.gpr;

    if (!operand(v, exit->cr.known))
        return EXIT_FAIL;
    if (exit->cr.cr == 8 && exit->cr.write)
        return put_cr8(v, gpr_read(v, gpr));
    if (exit->cr.cr == 8) {
        gpr_write(v, gpr, arch_vcpu_reg(&v->arch, X86_CR8));
        return EXIT_SKIP;
    }
    if (exit->cr.cr == 0 && exit->cr.write)
        return put_cr0(v, gpr_read(v, gpr));
    if (exit->cr.cr == 4 && exit->cr.write)
        return put_cr4(v, gpr_read(v, gpr));
    v->why = "a control register that is not intercepted";
    return EXIT_FAIL;
}

static enum exit_action put_dr(struct vcpu *v, u8 dr, u64 val)
{
    if (dr < 4) {
        v->arch.dr[dr] = val;
        arch_vcpu_set_reg(&v->arch, X86_DR7, arch_vcpu_reg(&v->arch, X86_DR7)); /* arms what is now there */
        return EXIT_SKIP;
    }
    if (val >> 32)
        return exit_fault_code(v, X86_GP, 0);
    if (dr & 1)
        arch_vcpu_set_reg(&v->arch, X86_DR7, (val & DR7_WRITABLE) | DR7_RESET);
    else
        arch_vcpu_set_reg(&v->arch, X86_DR6, (val & DR6_WRITABLE) | DR6_RESET);
    return EXIT_SKIP;
}

enum exit_action on_dr(struct vcpu *v, struct vm_exit *exit)
{
    u8 dr = exit->dr.dr;
    u8 gpr = exit->dr.gpr;

    if ((dr == 4 || dr == 5) && (arch_vcpu_reg(&v->arch, X86_CR4) & CR4_DE))
        return exit_fault(v, X86_UD);
    if (exit->cpl != 0) /* VMX exits before that check: SDM 3, "Relative Priority of Faults and VM Exits" */
        return exit_fault_code(v, X86_GP, 0);
    if (arch_vcpu_reg(&v->arch, X86_DR7) & DR7_GD) {
        arch_vcpu_set_reg(&v->arch, X86_DR6, arch_vcpu_reg(&v->arch, X86_DR6) | BIT(13));
        arch_vcpu_set_reg(&v->arch, X86_DR7, arch_vcpu_reg(&v->arch, X86_DR7) & ~DR7_GD);
        return exit_fault(v, X86_DB);
    }
    if (!operand(v, exit->dr.known))
        return EXIT_FAIL;
    if (exit->dr.write)
        return put_dr(v, dr, gpr_read(v, gpr));
    if (!(arch_vcpu_reg(&v->arch, X86_DR7) & DR7_ENABLES))
        arch_vcpu_show_dr(&v->arch); /* who reads one reads more: a kernel that saves them */
    gpr_write(v, gpr, dr < 4 ? v->arch.dr[dr] : arch_vcpu_reg(&v->arch, dr & 1 ? X86_DR7 : X86_DR6));
    return EXIT_SKIP;
}
