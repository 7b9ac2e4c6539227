/* SPDX-License-Identifier: MIT */
/* String instructions: both sides are checked and translated before either is touched. SDM 2, "REP/REPE/REPZ /REPNE/REPNZ". */
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "hv/alu.h"
#include "hv/bus.h"
#include "hv/emulate.h"
#include "hv/gpr.h"
#include "hv/operand.h"

#define CHUNK 8u /* elements an exit, up to 2,700 instructions each: the rest after looking for other work */

enum { SI = 1, DI = 2 };

static u32 sides(const struct insn *in)
{
    switch (in->op) {
    case INSN_MOVS: case INSN_CMPS: return SI | DI;
    case INSN_LODS: case INSN_OUTS: return SI;
    default: return DI;
    }
}

static u64 port(struct vcpu *v, u8 size, u64 val, bool write)
{
    struct bus_access a = { .addr = (u16)v->arch.gpr.rdx, .val = val & size_mask(size), .size = size, .write = write };

    bus_pio(v, &a);
    return a.val;
}

static void compare(struct vcpu *v, u8 size, u64 a, u64 b)
{
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS), unused;

    alu(INSN_CMP, size, a, b, &unused, &rflags);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
}

/* False: *fault was raised before anything happened. */
static bool element(struct vcpu *v, const struct insn *in, u32 side, struct x86_event *fault)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 val = g->rax, other, mask = size_mask(in->addr_size);
    struct operand src, dst;

    if ((side & SI) && !operand_map(v, in, in->seg, g->rsi & mask, in->op_size, false, &src, fault))
        return false;
    if ((side & DI) && !operand_map(v, in, X86_ES, g->rdi & mask, in->op_size, in->mem_dst, &dst, fault))
        return false;

    if (side & SI)
        operand_read(v, &src, &val);
    if (in->op == INSN_INS)
        val = port(v, in->op_size, 0, false);
    else if (in->op == INSN_OUTS)
        port(v, in->op_size, val, true);
    else if (in->op == INSN_LODS)
        gpr_write_size(v, 0, val, in->op_size);
    if (in->mem_dst) {
        operand_write(v, &dst, &val);
    } else if (side & DI) {
        operand_read(v, &dst, &other);
        compare(v, in->op_size, val, other);
    }
    return true;
}

/* RSI, RDI and RCX after one element. True: more elements are to come. */
static bool advance(struct vcpu *v, const struct insn *in, u32 side, u64 rflags)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 step = rflags & RFLAGS_DF ? 0 - (u64)in->op_size : in->op_size;

    if (side & SI)
        gpr_write_size(v, 6, g->rsi + step, in->addr_size);
    if (side & DI)
        gpr_write_size(v, 7, g->rdi + step, in->addr_size);
    if (!in->rep && !in->repne)
        return false;
    gpr_write_size(v, 1, g->rcx - 1, in->addr_size);
    if ((in->op == INSN_SCAS || in->op == INSN_CMPS) && in->rep != !!(rflags & RFLAGS_ZF))
        return false;
    return g->rcx & size_mask(in->addr_size);
}

enum exit_action emulate_string(struct vcpu *v, const struct insn *in)
{
    u32 side = sides(in);
    struct x86_event fault;
    u64 rflags;

    /* Not every processor leaves for an interrupt a guest that was entered with IF clear, and the backstop counts the guest's own time. */
    arch_irq_window();
    if ((in->rep || in->repne) && !(v->arch.gpr.rcx & size_mask(in->addr_size)))
        return EXIT_SKIP;
    for (u32 i = 0; i < CHUNK; i++) {
        if (!element(v, in, side, &fault))
            return emulate_fault(v, &fault);
        rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS);
        if (!advance(v, in, side, rflags))
            return v->why ? EXIT_FAIL : EXIT_SKIP;
        if (v->why)
            return EXIT_FAIL;
        if (rflags & RFLAGS_TF) { /* a trap after each element */
            arch_vcpu_set_reg(&v->arch, X86_DR6, arch_vcpu_reg(&v->arch, X86_DR6) | DR6_BS);
            return exit_fault(v, X86_DB);
        }
    }
    return EXIT_RESUME;
}
