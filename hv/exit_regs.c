/* SPDX-License-Identifier: MIT */
/* Control and debug registers that are intercepted. */
#include "arch/x86/cpu/regs.h"
#include "hv/exit.h"
#include "hv/gpr.h"

/* MOV to or from a control or debug register (0F 20-23 /r) where the processor does not name the operands. */
static bool decode_mov(struct vcpu *v, u8 *gpr)
{
    struct x86_event fault;
    u8 insn[15];
    u8 len;
    u8 rex = 0;

    if (!arch_vcpu_fetch(&v->arch, insn, &len, &fault))
        return false;
    for (u8 i = 0; i + 2 < len; i++) {
        if ((insn[i] & 0xf0) == 0x40)
            rex = insn[i];
        if (insn[i] != 0x0f)
            continue;
        *gpr = (u8)((insn[i + 2] & 7) | (rex & 1) << 3);
        return insn[i + 1] >= 0x20 && insn[i + 1] <= 0x23;
    }
    return false;
}

static bool operand(struct vcpu *v, bool known, u8 *gpr)
{
    if (known || decode_mov(v, gpr))
        return true;
    v->why = "a move to or from a control or debug register cannot be decoded";
    return false;
}

static enum exit_action write_cr0(struct vcpu *v, u64 val)
{
    u64 old = arch_vcpu_reg(&v->arch, X86_CR0);

    if ((val >> 32) || ((val & CR0_PG) && !(val & CR0_PE)) || ((val & CR0_NW) && !(val & CR0_CD)))
        return exit_fault_code(v, X86_GP, 0);
    /* Paging and protection are the guest's own and change without an exit; here only what came along with CD, NW or NE. */
    if ((old ^ val) & (CR0_PG | CR0_PE)) {
        v->why = "CR0.PG or CR0.PE changes together with CR0.CD, NW or NE: not emulated";
        return EXIT_FAIL;
    }
    arch_vcpu_set_reg(&v->arch, X86_CR0, val | CR0_ET);
    return EXIT_SKIP;
}

static enum exit_action write_cr8(struct vcpu *v, u64 val)
{
    if (val > 15)
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, X86_CR8, val);
    v->irq_dirty = true;
    return EXIT_SKIP;
}

enum exit_action on_cr(struct vcpu *v, struct vm_exit *exit)
{
    u8 gpr = exit->cr.gpr;

    if (!operand(v, exit->cr.known, &gpr))
        return EXIT_FAIL;
    if (exit->cr.cr == 8 && exit->cr.write)
        return write_cr8(v, gpr_read(v, gpr));
    if (exit->cr.cr == 8) {
        gpr_write(v, gpr, arch_vcpu_reg(&v->arch, X86_CR8));
        return EXIT_SKIP;
    }
    if (exit->cr.cr == 0 && exit->cr.write)
        return write_cr0(v, gpr_read(v, gpr));
    if (exit->cr.cr == 4 && exit->cr.write) /* only bits that no guest is offered are intercepted */
        return exit_fault_code(v, X86_GP, 0);
    v->why = "a control register that is not intercepted";
    return EXIT_FAIL;
}

static enum exit_action write_dr(struct vcpu *v, u8 dr, u64 val)
{
    if (dr < 4) {
        v->arch.dr[dr] = val;
        return EXIT_SKIP;
    }
    if (val >> 32)
        return exit_fault_code(v, X86_GP, 0);
    arch_vcpu_set_reg(&v->arch, dr & 1 ? X86_DR7 : X86_DR6, val);
    return EXIT_SKIP;
}

enum exit_action on_dr(struct vcpu *v, struct vm_exit *exit)
{
    u8 dr = exit->dr.dr;
    u8 gpr = exit->dr.gpr;

    if ((dr == 4 || dr == 5) && (arch_vcpu_reg(&v->arch, X86_CR4) & CR4_DE))
        return exit_fault(v, X86_UD);
    if (arch_vcpu_reg(&v->arch, X86_DR7) & DR7_GD) {
        arch_vcpu_set_reg(&v->arch, X86_DR6, arch_vcpu_reg(&v->arch, X86_DR6) | BIT(13));
        arch_vcpu_set_reg(&v->arch, X86_DR7, arch_vcpu_reg(&v->arch, X86_DR7) & ~DR7_GD);
        return exit_fault(v, X86_DB);
    }
    if (!operand(v, exit->dr.known, &gpr))
        return EXIT_FAIL;
    if (exit->dr.write)
        return write_dr(v, dr, gpr_read(v, gpr));
    gpr_write(v, gpr, dr < 4 ? v->arch.dr[dr] : arch_vcpu_reg(&v->arch, dr & 1 ? X86_DR7 : X86_DR6));
    return EXIT_SKIP;
}
