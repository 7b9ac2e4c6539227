/* SPDX-License-Identifier: MIT */
/* What a processor checks before it touches memory, and what a bus does with an access that RAM does not answer. */
#include "hv/operand.h"

#include "arch/x86/cpu/regs.h"
#include "hv/bus.h"
#include "hv/gpr.h"
#include "hv/lib/string.h"
#include "hv/partition.h"

/* Bits of struct x86_segment's attr. */
#define SEG_RW   BIT(1)  /* data: writable; code: readable */
#define SEG_DOWN BIT(2)  /* data: expand-down */
#define SEG_CODE BIT(3)
#define SEG_P    BIT(7)
#define SEG_B    BIT(14) /* the upper bound of an expand-down segment */

static bool refuse(u8 vector, struct x86_event *fault)
{
    *fault = (struct x86_event){ .vector = vector, .type = X86_EV_EXCEPTION, .valid = true, .has_error = true };
    return false;
}

/* SDM 3, "Limit Checking" and "Type Checking". Real and virtual-8086 mode know limits only. */
static bool in_segment(const struct vcpu *v, u8 seg, u64 offset, u8 size, bool write)
{
    u64 last = offset + size - 1;
    struct x86_segment s;
    bool code, typed = (arch_vcpu_reg(&v->arch, X86_CR0) & CR0_PE) && !(arch_vcpu_reg(&v->arch, X86_RFLAGS) & RFLAGS_VM);

    arch_vcpu_seg(&v->arch, (enum x86_seg)seg, &s);
    code = s.attr & SEG_CODE;
    if (typed && ((s.attr & X86_SEG_UNUSABLE) || !(s.attr & SEG_P)))
        return false;
    if (typed && !(s.attr & SEG_RW) && (write || code))
        return false;
    if (typed && write && code)
        return false;
    if (!code && (s.attr & SEG_DOWN))
        return offset > s.limit && last <= (s.attr & SEG_B ? 0xffffffff : 0xffff);
    return last <= s.limit;
}

/* #AC: at CPL 3 only, which is SS.DPL. */
static bool must_align(const struct vcpu *v)
{
    struct x86_segment ss;

    if (!(arch_vcpu_reg(&v->arch, X86_CR0) & CR0_AM) || !(arch_vcpu_reg(&v->arch, X86_RFLAGS) & RFLAGS_AC))
        return false;
    arch_vcpu_seg(&v->arch, X86_SS, &ss);
    return (ss.attr >> 5 & 3) == 3;
}

u64 operand_linear(const struct vcpu *v, const struct insn *in, u8 seg, u64 offset)
{
    struct x86_segment s;

    if (in->mode == INSN_64 && seg != X86_FS && seg != X86_GS)
        return offset;
    arch_vcpu_seg(&v->arch, (enum x86_seg)seg, &s);
    return in->mode == INSN_64 ? s.base + offset : (u32)(s.base + offset);
}

bool operand_map(struct vcpu *v, const struct insn *in, u8 seg, u64 offset, u8 size, bool write, struct operand *op,
                 struct x86_event *fault)
{
    u64 linear = operand_linear(v, in, seg, offset);

    if (in->mode != INSN_64 && !in_segment(v, seg, offset, size, write))
        return refuse(seg == X86_SS ? X86_SS_FAULT : X86_GP, fault);
    *op = (struct operand){ .size = size, .first = (u8)MIN((u64)size, PAGE_SIZE - (linear & PAGE_MASK)) };
    for (u32 i = 0; i <= (op->first < size); i++, linear += op->first) {
        if (arch_vcpu_translate(&v->arch, in->mode == INSN_64 ? linear : (u32)linear, write, &op->gpa[i], fault))
            continue;
        if (fault->vector == X86_GP && seg == X86_SS) /* not canonical */
            fault->vector = X86_SS_FAULT;
        return false;
    }
    if (size <= 8 && (op->gpa[0] & (size - 1u)) && must_align(v))
        return refuse(X86_AC, fault);
    return true;
}

static void bus(struct vcpu *v, gpa_t gpa, u8 *buf, u8 len, bool write)
{
    while (len) {
        struct bus_access a = { .addr = gpa, .size = 8, .write = write };

        while (a.size > len || (gpa & (a.size - 1u)))
            a.size /= 2;
        if (write)
            memcpy(&a.val, buf, a.size);
        bus_mmio(v, &a);
        memcpy(buf, &a.val, a.size);
        gpa += a.size;
        buf += a.size;
        len = (u8)(len - a.size);
    }
}

static void part(struct vcpu *v, gpa_t gpa, u8 *buf, u8 len, bool write)
{
    struct arch_vm *vm = &v->part->vm;

    if (len && (write ? arch_vm_write(vm, gpa, buf, len) : arch_vm_read(vm, gpa, buf, len)) != PITH_OK)
        bus(v, gpa, buf, len, write);
}

void operand_read(struct vcpu *v, const struct operand *op, u64 *val)
{
    struct bus_access a = { .addr = op->gpa[0], .size = op->size };

    if (op->device) {
        bus_mmio(v, &a);
        *val = a.val;
        return;
    }
    *val = 0;
    part(v, op->gpa[0], (u8 *)val, op->first, false);
    part(v, op->gpa[1], (u8 *)val + op->first, (u8)(op->size - op->first), false);
}

void operand_write(struct vcpu *v, const struct operand *op, const u64 *val)
{
    struct bus_access a = { .addr = op->gpa[0], .size = op->size, .write = true };
    u64 copy[4];

    if (op->device) {
        a.val = *val & size_mask(op->size);
        bus_mmio(v, &a);
        return;
    }
    memcpy(copy, val, op->size);
    part(v, op->gpa[0], (u8 *)copy, op->first, true);
    part(v, op->gpa[1], (u8 *)copy + op->first, (u8)(op->size - op->first), true);
}
