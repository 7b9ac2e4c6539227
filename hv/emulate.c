/* SPDX-License-Identifier: MIT */
/* Emulating memory instructions on device addresses. */
#include "hv/emulate.h"

#include "arch/x86/cpu/regs.h"
#include "hv/alu.h"
#include "hv/bus.h"
#include "hv/gpr.h"
#include "hv/lib/string.h"
#include "hv/operand.h"

/* The same bytes in the same mode are the same instruction: a driver has few that touch its device. NULL: no instruction. */
static const struct insn *decode(struct vcpu *v, const union insn_key *key, u8 len)
{
    struct decoded *d = &v->decoded[(key->bytes[1] ^ key->bytes[2] ^ key->bytes[3]) % ARRAY_SIZE(v->decoded)];

    if (d->key.words[0] == key->words[0] && d->key.words[1] == key->words[1] && len == sizeof(key->bytes))
        return &d->insn;
    d->key.mode = 0;
    if (!insn_decode(key->bytes, len, (enum insn_mode)(key->mode - 1), &d->insn))
        return NULL;
    if (len == sizeof(key->bytes)) /* else what follows is not known */
        d->key = *key;
    return &d->insn;
}

enum exit_action emulate_fault(struct vcpu *v, const struct x86_event *fault)
{
    arch_vcpu_inject(&v->arch, fault); /* exceptions always succeed */
    return EXIT_RESUME;
}

const struct insn *emulate_decode(struct vcpu *v, enum exit_action *act)
{
    union insn_key key = { .words = { 0 } };
    const struct insn *in;
    struct x86_event fault;
    enum insn_mode mode;
    u8 len;

    if (!arch_vcpu_fetch(&v->arch, key.bytes, &len, &mode, &fault)) {
        *act = emulate_fault(v, &fault);
        return NULL;
    }
    key.mode = (u8)(mode + 1);
    in = decode(v, &key, len);
    if (!in)
        *act = fault.valid ? emulate_fault(v, &fault) : exit_fault(v, X86_UD);
    return in;
}

static u64 sign_extend(u64 val, u8 size)
{
    u32 shift = 64 - size * 8u;

    return (u64)((s64)(val << shift) >> shift);
}

static u64 reg_operand(const struct vcpu *v, const struct insn *in)
{
    if (in->has_imm)
        return in->imm;
    return in->high_byte ? gpr_read(v, in->reg & 3) >> 8 : gpr_read(v, in->reg);
}

static void set_reg_operand(struct vcpu *v, const struct insn *in, u64 val, u8 size)
{
    u64 old;

    if (!in->high_byte) {
        gpr_write_size(v, in->reg, val, size);
        return;
    }
    old = gpr_read(v, in->reg & 3);
    gpr_write(v, in->reg & 3, (old & ~0xff00ull) | (val & 0xff) << 8);
}

static bool is_bit_op(const struct insn *in)
{
    return in->op >= INSN_BT && in->op <= INSN_BTC;
}

static bool writes(const struct insn *in)
{
    return in->mem_dst && in->op != INSN_CMP && in->op != INSN_TEST && in->op != INSN_BT;
}

static u64 operand_offset(const struct vcpu *v, const struct insn *in)
{
    u64 at = (u64)in->disp;

    if (in->base != 0xff)
        at += gpr_read(v, in->base);
    if (in->index != 0xff)
        at += gpr_read(v, in->index) * in->scale;
    if (in->rip_relative)
        at += arch_vcpu_reg(&v->arch, X86_RIP) + in->len;
    if (is_bit_op(in) && !in->has_imm) /* the register counts bits from there, up and down */
        at += (u64)((s64)sign_extend(gpr_read(v, in->reg), in->op_size) >> 3) & ~(in->op_size - 1ull);
    if (in->op == INSN_POP && in->base == 4) /* SDM 2, POP: RSP counts after the increment */
        at += in->op_size;
    return at & size_mask(in->addr_size);
}

/*
 * The processor has checked and translated an operand that made it leave. It only tells of one address, though: when that is not
 * where an aligned operand begins, everything is done again. So it is where something can be read and not written.
 */
static bool find_operand(struct vcpu *v, const struct insn *in, const struct vm_exit *exit, struct operand *m, struct x86_event *fault)
{
    u64 offset = operand_offset(v, in), linear = operand_linear(v, in, in->seg, offset);

    if (exit->s2.walk || exit->s2.fetch || exit->s2.mapped ||
        in->op_size > 8 || (linear & (in->op_size - 1u)) || ((linear ^ exit->s2.gpa) & PAGE_MASK))
        return operand_map(v, in, in->seg, offset, in->op_size, writes(in), m, fault);
    *m = (struct operand){ .gpa = { exit->s2.gpa }, .size = in->op_size, .first = in->op_size, .device = true };
    return true;
}

static u64 byte_swapped(u64 val, u8 size)
{
    return __builtin_bswap64(val) >> (64 - 8 * size);
}

static void move(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    u64 val;

    if (in->mem_dst)
        val = reg_operand(v, in);
    else
        operand_read(v, m, &val);
    if (in->op == INSN_MOVSX)
        val = sign_extend(val, in->op_size);
    if (in->op == INSN_MOVBE)
        val = byte_swapped(val, in->op_size);
    if (in->mem_dst)
        operand_write(v, m, &val);
    else
        set_reg_operand(v, in, val, in->op == INSN_MOV ? in->op_size : in->reg_size);
}

static void exchange(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    u64 val = reg_operand(v, in), rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS), old;

    operand_read(v, m, &old);
    if (in->op == INSN_XADD)
        alu(INSN_ADD, in->op_size, old, val, &val, &rflags);
    operand_write(v, m, &val);
    set_reg_operand(v, in, old, in->op_size);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
}

/* Memory is written in any case: SDM 2, CMPXCHG. */
static void compare_exchange(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS), rax = v->arch.gpr.rax, val = reg_operand(v, in), old, unused;

    operand_read(v, m, &old);
    alu(INSN_CMP, in->op_size, rax, old, &unused, &rflags);
    operand_write(v, m, rflags & RFLAGS_ZF ? &val : &old);
    if (!(rflags & RFLAGS_ZF))
        gpr_write_size(v, 0, old, in->op_size);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
}

static void compare_exchange_pair(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS) & ~RFLAGS_ZF, old[2], val[2] = { g->rbx, g->rcx };
    u8 half = in->op_size / 2;

    operand_read(v, m, old);
    if (half == 4) {
        val[0] = (u32)g->rbx | g->rcx << 32;
        old[1] = old[0] >> 32;
    }
    if (!((old[0] ^ g->rax) & size_mask(half)) && !((old[1] ^ g->rdx) & size_mask(half))) {
        operand_write(v, m, val);
        rflags |= RFLAGS_ZF;
    } else {
        operand_write(v, m, old);
        gpr_write_size(v, 0, old[0], half);
        gpr_write_size(v, 2, old[1], half);
    }
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
}

static void vector_move(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    u64 val[4] = { 0 }, mem[4];

    if (in->mem_dst) {
        arch_vcpu_vector(&v->arch, in->reg, val);
        operand_write(v, m, val + in->high);
        return;
    }
    operand_read(v, m, mem);
    if (in->merge)
        arch_vcpu_vector(&v->arch, in->reg, val);
    memcpy(val + in->high, mem, in->op_size);
    arch_vcpu_set_vector(&v->arch, in->reg, val, in->vex);
}

/* SDM 2, "Condition Codes"; the lowest bit of an opcode turns its condition round. */
static bool condition(u64 rflags, u8 opcode)
{
    bool cf = rflags & RFLAGS_CF, zf = rflags & RFLAGS_ZF, sf = rflags & RFLAGS_SF, of = rflags & RFLAGS_OF;
    bool conditions[8] = { of, cf, zf, cf || zf, sf, rflags & RFLAGS_PF, sf != of, zf || sf != of };

    return conditions[opcode >> 1 & 7] != (opcode & 1);
}

static void conditional(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    bool holds = condition(arch_vcpu_reg(&v->arch, X86_RFLAGS), in->opcode);
    u64 val = holds;

    if (in->op == INSN_SETCC) {
        operand_write(v, m, &val);
        return;
    }
    operand_read(v, m, &val); /* in any case */
    gpr_write_size(v, in->reg, holds ? val : gpr_read(v, in->reg), in->op_size);
}

static bool arithmetic(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS), other = reg_operand(v, in), mem, r;

    operand_read(v, m, &mem);
    if (!alu((enum insn_op)in->op, in->op_size, in->mem_dst ? mem : other, in->mem_dst ? other : mem, &r, &rflags))
        return false;
    if (writes(in))
        operand_write(v, m, &r);
    else if (!in->mem_dst && in->op != INSN_CMP)
        set_reg_operand(v, in, r, in->op_size);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
    return true;
}

/* PUSH and POP of a memory operand: the other one is the stack. */
static bool push_pop(struct vcpu *v, const struct insn *in, const struct operand *m, struct x86_event *fault)
{
    bool push = in->op == INSN_PUSH;
    u64 rsp = gpr_read(v, 4), after = push ? rsp - in->op_size : rsp + in->op_size, val;
    struct operand top;
    struct x86_segment ss;
    u8 width = 8;

    arch_vcpu_seg(&v->arch, X86_SS, &ss);
    if (in->mode != INSN_64)
        width = ss.attr & BIT(14) ? 4 : 2;
    if (!operand_map(v, in, X86_SS, (push ? after : rsp) & size_mask(width), in->op_size, push, &top, fault))
        return false;
    operand_read(v, push ? m : &top, &val);
    operand_write(v, push ? &top : m, &val);
    gpr_write_size(v, 4, after, width);
    return true;
}

/* False: not an instruction that is emulated. */
static bool execute(struct vcpu *v, const struct insn *in, const struct operand *m)
{
    switch (in->op) {
    case INSN_MOV: case INSN_MOVZX: case INSN_MOVSX: case INSN_MOVBE:
        move(v, in, m);
        return true;
    case INSN_XCHG: case INSN_XADD:
        exchange(v, in, m);
        return true;
    case INSN_CMPXCHG:
        compare_exchange(v, in, m);
        return true;
    case INSN_CMPXCHG8B:
        compare_exchange_pair(v, in, m);
        return true;
    case INSN_VMOV:
        vector_move(v, in, m);
        return true;
    case INSN_SETCC: case INSN_CMOVCC:
        conditional(v, in, m);
        return true;
    default:
        return arithmetic(v, in, m);
    }
}

static enum exit_action not_emulated(struct vcpu *v)
{
    v->why = "an instruction on memory that is not RAM, of a form that is not emulated";
    return EXIT_FAIL;
}

enum exit_action emulate_mmio(struct vcpu *v, struct vm_exit *exit)
{
    enum exit_action act = EXIT_SKIP;
    const struct insn *in = emulate_decode(v, &act);
    struct x86_event fault;
    struct operand m;

    if (!in)
        return act;
    exit->insn_len = in->len;
    if (in->op >= INSN_MOVS && in->op <= INSN_CMPS)
        return emulate_string(v, in);
    if (!in->has_mem || (in->op == INSN_OTHER && !exit->s2.walk))
        return not_emulated(v);
    if (!find_operand(v, in, exit, &m, &fault))
        return emulate_fault(v, &fault);
    if (in->op == INSN_PUSH || in->op == INSN_POP) {
        if (!push_pop(v, in, &m, &fault))
            return emulate_fault(v, &fault);
    } else if (!execute(v, in, &m)) {
        return not_emulated(v);
    }
    return v->why ? EXIT_FAIL : EXIT_SKIP; /* the bus has a reason to end it */
}
