/* SPDX-License-Identifier: MIT */
/* Emulating memory instructions on device addresses. */
#include "hv/emulate.h"

#include "arch/x86/cpu/regs.h"
#include "hv/alu.h"
#include "hv/bus.h"
#include "hv/gpr.h"

#define RFLAGS_DF BIT(10)

static enum insn_mode mode_of(const struct vcpu *v)
{
    struct x86_segment cs;

    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    if ((cs.attr & BIT(13)) && (arch_vcpu_reg(&v->arch, X86_EFER) & EFER_LMA))
        return INSN_64; /* which implies CR0.PE, and rules virtual-8086 mode out */
    if (!(arch_vcpu_reg(&v->arch, X86_CR0) & CR0_PE) || (arch_vcpu_reg(&v->arch, X86_RFLAGS) & RFLAGS_VM))
        return INSN_16;
    return cs.attr & BIT(14) ? INSN_32 : INSN_16;
}

/* The same bytes in the same mode are the same instruction: a driver has few that touch its device. */
static bool decode(struct vcpu *v, const union insn_key *key, u8 len, struct insn *in)
{
    struct decoded *d = &v->decoded[(key->bytes[1] ^ key->bytes[2] ^ key->bytes[3]) % ARRAY_SIZE(v->decoded)];
    enum insn_mode mode = (enum insn_mode)(key->mode - 1);

    if (len < sizeof(key->bytes)) /* what follows is not known: so seldom that it is not worth a place */
        return insn_decode(key->bytes, len, mode, in);
    if (d->key.words[0] == key->words[0] && d->key.words[1] == key->words[1]) {
        *in = d->insn;
        return true;
    }
    if (!insn_decode(key->bytes, len, mode, in))
        return false;
    d->key = *key;
    d->insn = *in;
    return true;
}

bool emulate_decode(struct vcpu *v, struct insn *in, enum exit_action *act)
{
    union insn_key key = { .words = { 0 } };
    struct x86_event fault;
    u8 len;

    if (!arch_vcpu_fetch(&v->arch, key.bytes, &len, &fault)) {
        arch_vcpu_inject(&v->arch, &fault);
        *act = EXIT_RESUME;
        return false;
    }
    key.mode = (u8)(mode_of(v) + 1);
    if (!decode(v, &key, len, in)) {
        *act = exit_fault(v, X86_UD);
        return false;
    }
    return true;
}

u64 emulate_linear(const struct vcpu *v, const struct insn *in, u8 seg, u64 offset)
{
    struct x86_segment s;

    arch_vcpu_seg(&v->arch, (enum x86_seg)seg, &s);
    offset &= size_mask(in->addr_size);
    if (in->mode == INSN_64)
        return offset + (seg == X86_FS || seg == X86_GS ? s.base : 0);
    return (u32)(s.base + offset);
}

bool emulate_rep_done(const struct vcpu *v, const struct insn *in)
{
    return (in->rep || in->repne) && !(v->arch.gpr.rcx & size_mask(in->addr_size));
}

bool emulate_advance(struct vcpu *v, const struct insn *in, bool si, bool di, u8 size)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 step = arch_vcpu_reg(&v->arch, X86_RFLAGS) & RFLAGS_DF ? 0 - (u64)size : size;

    if (si)
        gpr_write_size(v, 6, g->rsi + step, in->addr_size);
    if (di)
        gpr_write_size(v, 7, g->rdi + step, in->addr_size);
    if (!in->rep && !in->repne)
        return false;
    gpr_write_size(v, 1, g->rcx - 1, in->addr_size);
    return g->rcx & size_mask(in->addr_size);
}

static u64 load(struct vcpu *v, gpa_t gpa, u8 size)
{
    struct bus_access a = { .addr = gpa, .size = size };

    bus_mmio(v, &a);
    return a.val;
}

static void store(struct vcpu *v, gpa_t gpa, u8 size, u64 val)
{
    struct bus_access a = { .addr = gpa, .size = size, .val = val & size_mask(size), .write = true };

    bus_mmio(v, &a);
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

static u64 sign_extend(u64 val, u8 size)
{
    u32 shift = 64 - size * 8u;

    return (u64)((s64)(val << shift) >> shift);
}

static bool move(struct vcpu *v, const struct insn *in, gpa_t gpa)
{
    u64 val;

    if (in->op == INSN_MOV && in->mem_dst) {
        store(v, gpa, in->op_size, reg_operand(v, in));
        return true;
    }
    val = load(v, gpa, in->op_size);
    if (in->op == INSN_MOVSX)
        val = sign_extend(val, in->op_size);
    set_reg_operand(v, in, val, in->op == INSN_MOV ? in->op_size : in->reg_size);
    return true;
}

static bool exchange(struct vcpu *v, const struct insn *in, gpa_t gpa)
{
    u64 old = load(v, gpa, in->op_size);
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS);
    u64 unused;

    if (in->op == INSN_XCHG) {
        store(v, gpa, in->op_size, reg_operand(v, in));
        set_reg_operand(v, in, old, in->op_size);
        return true;
    }
    alu(INSN_CMP, in->op_size, v->arch.gpr.rax, old, &unused, &rflags);
    if ((v->arch.gpr.rax & size_mask(in->op_size)) == old)
        store(v, gpa, in->op_size, reg_operand(v, in));
    else
        gpr_write_size(v, 0, old, in->op_size);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
    return true;
}

static bool arithmetic(struct vcpu *v, const struct insn *in, gpa_t gpa)
{
    u64 rflags = arch_vcpu_reg(&v->arch, X86_RFLAGS);
    u64 mem = load(v, gpa, in->op_size);
    u64 other = reg_operand(v, in);
    bool bits = in->op >= INSN_BT && in->op <= INSN_BTC;
    bool keep = in->op == INSN_CMP || in->op == INSN_TEST || in->op == INSN_BT;
    u64 r;

    if (bits)
        other &= in->op_size * 8u - 1;
    if (!alu((enum insn_op)in->op, in->op_size, in->mem_dst || bits ? mem : other, in->mem_dst || bits ? other : mem, &r,
             &rflags))
        return false;
    if (!keep && in->mem_dst)
        store(v, gpa, in->op_size, r);
    else if (!keep)
        set_reg_operand(v, in, r, in->op_size);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, rflags);
    return true;
}

/* One element an exit: the instruction is executed again for the next. */
static enum exit_action string(struct vcpu *v, const struct insn *in, const struct vm_exit *exit)
{
    struct x86_gprs *g = &v->arch.gpr;
    struct x86_event fault;
    u64 val = g->rax;
    bool ok = true;

    if (emulate_rep_done(v, in))
        return EXIT_SKIP;
    if (in->op == INSN_LODS || (in->op == INSN_MOVS && !exit->s2.write))
        val = load(v, exit->s2.gpa, in->op_size);
    else if (in->op == INSN_MOVS)
        ok = arch_vcpu_read(&v->arch, emulate_linear(v, in, in->seg, g->rsi), &val, in->op_size, &fault);
    if (ok && exit->s2.write)
        store(v, exit->s2.gpa, in->op_size, val);
    else if (ok && in->op == INSN_MOVS)
        ok = arch_vcpu_write(&v->arch, emulate_linear(v, in, X86_ES, g->rdi), &val, in->op_size, &fault);
    else if (ok && in->op == INSN_LODS)
        gpr_write_size(v, 0, val, in->op_size);
    if (!ok) {
        arch_vcpu_inject(&v->arch, &fault);
        return EXIT_RESUME;
    }
    return emulate_advance(v, in, in->op != INSN_STOS, in->op != INSN_LODS, in->op_size) ? EXIT_RESUME : EXIT_SKIP;
}

enum exit_action emulate_mmio(struct vcpu *v, struct vm_exit *exit)
{
    enum exit_action act = EXIT_SKIP;
    gpa_t gpa = exit->s2.gpa;
    struct insn in;
    bool ok;

    if (!emulate_decode(v, &in, &act))
        return act;
    exit->insn_len = in.len;
    switch (in.op) {
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
        return string(v, &in, exit);
    case INSN_MOV:
    case INSN_MOVZX:
    case INSN_MOVSX:
        ok = in.has_mem && move(v, &in, gpa);
        break;
    case INSN_XCHG:
    case INSN_CMPXCHG:
        ok = in.has_mem && exchange(v, &in, gpa);
        break;
    default:
        ok = in.has_mem && arithmetic(v, &in, gpa);
        break;
    }
    if (ok)
        return EXIT_SKIP;
    v->why = "an instruction on memory that is not RAM, of a form that is not emulated";
    return EXIT_FAIL;
}
